"""Distillation: a small student network learns the embeddings of a pack's network from unlabelled photos."""
