"""The gallery: collections, identities and faces in the database, and the vector index that follows it."""
