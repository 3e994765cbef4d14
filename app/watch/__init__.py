"""Cameras: frames become tracks, and each track gets one decision."""
