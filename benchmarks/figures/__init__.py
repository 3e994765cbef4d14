"""Figures of training: what losses ask for, and what they do to faces."""
