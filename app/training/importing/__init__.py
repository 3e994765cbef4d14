"""Import of networks that were trained elsewhere with PyTorch."""
