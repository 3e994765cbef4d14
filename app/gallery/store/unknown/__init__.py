"""Unknown faces that a collection keeps for a while, and their groups."""
