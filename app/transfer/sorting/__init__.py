"""Sorting of a folder of photos into people whom nobody has named."""
