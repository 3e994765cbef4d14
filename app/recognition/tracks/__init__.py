"""Tracks: one decision on all frames of a person."""
