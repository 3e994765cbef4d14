"""Gallery health: a check, its findings, and the API calls that fix them."""
