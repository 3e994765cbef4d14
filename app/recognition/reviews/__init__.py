"""Reviews: matches that people decide."""
