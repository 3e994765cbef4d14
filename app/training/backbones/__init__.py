"""Backbones: networks from aligned crops to raw feature vectors. Importing a specification needs no PyTorch."""
