"""Import and export: photos, archives, embeddings, backup and restore."""
