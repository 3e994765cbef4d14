"""Nearest-neighbour search over (face key, vector). An index knows keys and vectors, never names."""
