"""Collections, identities and faces: what is enrolled, and its SQL store."""
