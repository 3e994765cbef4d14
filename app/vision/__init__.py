"""Vision: from the bytes of a photo to embeddings of its faces."""
