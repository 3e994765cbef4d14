"""Routes: one file for each group of the API; a handler calls one service."""
