"""All routes of CompreFace's API."""

from fastapi import FastAPI

from app.compreface import embeddings, faces, recognise, subjects


def install(app: FastAPI) -> None:
    """Add the routes to an application."""
    for routes in (subjects, faces, recognise, embeddings):
        app.include_router(routes.router)
