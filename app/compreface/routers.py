"""All routes of CompreFace's API."""

from app.compreface import embeddings, faces, recognise, subjects

ALL = (subjects.router, faces.router, recognise.router, embeddings.router)
