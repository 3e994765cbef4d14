"""Long work with progress: what it is, who does it; import, export, backup and restore."""
