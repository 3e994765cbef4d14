"""Training losses, from the plain softmax to margins on the hypersphere. Importing a specification needs no PyTorch."""
