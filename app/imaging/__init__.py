"""Photo bytes to upright RGB pixels, and sampling them."""
