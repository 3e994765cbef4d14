"""/api/v1/recognition/faces: the faces of subjects ("examples")."""

from typing import Annotated

from fastapi import Depends, Request

from app.access.keys import Scope
from app.api.http.body import FormBody, JsonBody
from app.api.http.dependencies import CollectionDependency, ExactDependency, WorkersDependency
from app.api.http.permissions import needs
from app.compreface.answers import DeletedAnswer, ExampleSchema, ExamplesPage
from app.compreface.dependencies import SubjectsDependency
from app.compreface.requests import (
    MOST_ON_A_PAGE,
    CompreFaceImageIds,
    CompreFacePhoto,
    ImageId,
    LeastScore,
    Page,
    Size,
    Subject,
    SubjectFilter,
)
from app.compreface.routing import require_all_meant, router_at

router = router_at("recognition/faces", scope=Scope.MANAGE)


@router.post("", status_code=201, dependencies=[needs(Scope.ENROLL)])
async def add_example(
    subject: Subject,
    request: Annotated[CompreFacePhoto, Depends(FormBody(CompreFacePhoto))],
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
    is_exact: ExactDependency,
    det_prob_threshold: LeastScore = None,
) -> ExampleSchema:
    """Enroll the main face of a photo for a subject, which is created if new."""
    face_id = await workers.run(
        subjects.add_example,
        request.file,
        collection=collection,
        identity_id=subject,
        least_score=det_prob_threshold,
        is_exact=is_exact,
    )
    return ExampleSchema(image_id=face_id, subject=subject)


@router.get("")
async def list_examples(
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
    page: Page = 0,
    size: Size = 20,
    subject: SubjectFilter = "",
) -> ExamplesPage:
    """List faces, page by page."""
    size = min(size, MOST_ON_A_PAGE)
    found = await workers.run(subjects.examples, collection, start=page * size, limit=size, identity_id=subject or None)
    return ExamplesPage(
        faces=[ExampleSchema(image_id=each.face_id, subject=each.identity_id) for each in found.items],
        page_number=page,
        page_size=size,
        total_pages=-(-found.total // size),
        total_elements=found.total,
    )


@router.delete("")
async def delete_examples(
    request: Request,
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
    subject: Subject | None = None,
) -> DeletedAnswer:
    """Delete a subject with its faces; without any parameter delete all. An unknown subject counts 0."""
    if subject is None:
        require_all_meant(request)
        _, faces = await workers.run(subjects.clear, collection)
    else:
        faces = await workers.run(subjects.remove_if_any, collection, subject)
    return DeletedAnswer(deleted=faces)


@router.post("/delete")
async def delete_several_examples(
    request: Annotated[CompreFaceImageIds, Depends(JsonBody(CompreFaceImageIds))],
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
) -> list[ExampleSchema]:
    """Delete faces by their ids; unknown ids are ignored. The subjects stay."""
    gone = await workers.run(subjects.remove_examples, collection, request.root)
    return [ExampleSchema(image_id=each.face_id, subject=each.identity_id) for each in gone]


@router.delete("/{image_id}")
async def delete_example(
    image_id: ImageId, collection: CollectionDependency, subjects: SubjectsDependency, workers: WorkersDependency
) -> ExampleSchema:
    """Delete a face; its subject stays, even without faces."""
    gone = await workers.run(subjects.remove_example, collection, image_id)
    return ExampleSchema(image_id=gone.face_id, subject=gone.identity_id)
