"""/api/v1/recognition/subjects. A name may have slashes, so it takes the rest of a path."""

from typing import Annotated

from fastapi import Depends, Request

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import CollectionDependency, WorkersDependency
from app.api.http.permissions import needs
from app.compreface.answers import DeletedAnswer, SubjectAnswer, SubjectsAnswer, UpdatedAnswer
from app.compreface.dependencies import SubjectsDependency
from app.compreface.requests import CompreFaceSubject, SubjectPath
from app.compreface.routing import require_all_meant, require_whole_name, router_at

router = router_at("recognition/subjects", scope=Scope.MANAGE)


@router.post("", status_code=201, dependencies=[needs(Scope.ENROLL)])
async def add_subject(
    request: Annotated[CompreFaceSubject, Depends(JsonBody(CompreFaceSubject))],
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
) -> SubjectAnswer:
    """Create a subject without a face."""
    await workers.run(subjects.create, collection, request.subject)
    return SubjectAnswer(subject=request.subject)


@router.get("")
async def list_subjects(
    collection: CollectionDependency, subjects: SubjectsDependency, workers: WorkersDependency
) -> SubjectsAnswer:
    """List all subjects."""
    return SubjectsAnswer(subjects=await workers.run(subjects.ids, collection))


@router.put("/{subject:path}", dependencies=[Depends(require_whole_name)])
async def rename_subject(
    subject: SubjectPath,
    request: Annotated[CompreFaceSubject, Depends(JsonBody(CompreFaceSubject))],
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
) -> UpdatedAnswer:
    """Rename a subject; if the new name exists, all faces move to that subject."""
    updated = await workers.run(subjects.rename, collection, subject, request.subject)
    return UpdatedAnswer(updated=updated)


@router.delete("")
async def delete_all_subjects(
    request: Request, collection: CollectionDependency, subjects: SubjectsDependency, workers: WorkersDependency
) -> DeletedAnswer:
    """Delete all subjects with all faces; parameters are refused, because they could name a single subject."""
    require_all_meant(request)
    deleted, _ = await workers.run(subjects.clear, collection)
    return DeletedAnswer(deleted=deleted)


@router.delete("/{subject:path}", dependencies=[Depends(require_whole_name)])
async def delete_subject(
    subject: SubjectPath, collection: CollectionDependency, subjects: SubjectsDependency, workers: WorkersDependency
) -> SubjectAnswer:
    """Delete a subject with all faces."""
    await workers.run(subjects.remove, collection, subject)
    return SubjectAnswer(subject=subject)
