"""Training data: 112x112 crops of known people; reading, alignment, augmentation, cleaning."""
