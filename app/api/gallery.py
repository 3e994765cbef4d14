"""What is in the gallery: deleting people and faces."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.dependencies import ServicesDependency, WorkersDependency
from app.api.openapi import PROBLEM_RESPONSES
from app.api.requests import CollectionName, Id

router = APIRouter(tags=["gallery"], responses=PROBLEM_RESPONSES, prefix="/collections/{collection}")

Collection = Annotated[CollectionName, Path(description="Name of the collection.")]


@router.delete("/identities/{identity_id:path}", status_code=204)  # an id may have slashes
async def delete_identity(
    collection: Collection, identity_id: Id, services: ServicesDependency, workers: WorkersDependency
) -> None:
    """Delete a person with all faces; once this is answered they are found no more."""
    gallery = services.gallery
    await workers.run(lambda: gallery.remove_identity(gallery.require(collection), identity_id))


@router.delete("/faces/{face_id}", status_code=204)
async def delete_face(
    collection: Collection, face_id: Id, services: ServicesDependency, workers: WorkersDependency
) -> None:
    """Delete one face, and with the last one its person; once this is answered it is found no more."""
    gallery = services.gallery
    await workers.run(lambda: gallery.remove_face(gallery.require(collection), face_id))
