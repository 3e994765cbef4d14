"""Collections, identities and faces in SQL."""
