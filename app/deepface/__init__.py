"""DeepFace's REST API on the same services, for clients that were written for it: docs/deepface.md."""
