"""Photos with known people, as 112x112 crops: read, aligned, augmented, cleaned."""
