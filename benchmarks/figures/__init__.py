"""Figures of losses: target logits, boundaries, and their effect on faces."""
