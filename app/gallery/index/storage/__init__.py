"""Storage of an index: blocks of vectors in memory, and their snapshot on disk."""
