"""Evaluation of tracks: simulated frames of a camera, one decision a track."""
