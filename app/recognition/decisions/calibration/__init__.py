"""Calibration: the error rates that a similarity stands for."""
