"""All routes of CompreFace's API."""

from fastapi import FastAPI

from app.compreface import embeddings, faces, images, recognise, subjects


def install(app: FastAPI) -> None:
    """Add the routes to an application."""
    for routes in (subjects, faces, images, recognise, embeddings):
        app.include_router(routes.router)
