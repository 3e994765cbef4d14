"""Groups of unnamed faces: who is on several photos, without knowing who they are. Pure."""
