"""CompreFace's REST API on the same services, for clients that were written for it: docs/compreface.md."""
