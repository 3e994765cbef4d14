"""The calls behind `arcid identify` and its likes, on the data of this machine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from app.api.routes.analyse import DetectAnswer, DetectedFaceSchema
from app.api.schemas.answers import EnrollAnswer, VerifyAnswer
from app.api.schemas.identify_answers import IdentifyAnswer
from app.api.schemas.resources import IdentitiesPage
from app.cli.default_collection import ensure_default
from app.cli.serve import prepare_database, use_one_arena
from app.config import read_settings
from app.container import Container
from app.gallery.store.records import IdentityOrder


class FaceCalls(Protocol):
    """Calls of the API, with its answers."""

    def identify(self, photo: bytes, *, collection: str, top_k: int) -> IdentifyAnswer:
        """Search a collection for every face of a photo."""

    def verify(
        self, probe: bytes, *, reference: bytes | None, identity_id: str | None, collection: str
    ) -> VerifyAnswer:
        """Compare a photo with a reference photo, or with an enrolled person."""

    def detect(self, photo: bytes) -> DetectAnswer:
        """Find the faces of a photo."""

    def enroll(
        self, photos: Sequence[bytes], *, identity_id: str | None, name: str | None, collection: str
    ) -> EnrollAnswer:
        """Enroll a person; raises NothingEnrolled if every photo was refused."""

    def people(self, *, collection: str, text: str | None, limit: int) -> IdentitiesPage:
        """List the first people of a collection."""


class LocalCalls:
    """Calls on the data of this machine, also while a service uses it."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def identify(self, photo: bytes, *, collection: str, top_k: int) -> IdentifyAnswer:
        """See `FaceCalls`."""
        return IdentifyAnswer.of(self._container.identification.identify(photo, collection=collection, top_k=top_k))

    def verify(
        self, probe: bytes, *, reference: bytes | None, identity_id: str | None, collection: str
    ) -> VerifyAnswer:
        """See `FaceCalls`."""
        service = self._container.verification
        if reference is not None:
            return VerifyAnswer.of(service.verify_photo([probe], reference, collection=collection))
        return VerifyAnswer.of(service.verify_identity([probe], identity_id or "", collection=collection))

    def detect(self, photo: bytes) -> DetectAnswer:
        """See `FaceCalls`."""
        seen = self._container.examination.examine(photo)
        faces = [DetectedFaceSchema.of(each) for each in seen.faces]
        return DetectAnswer(faces=faces, faces_truncated=seen.is_truncated)

    def enroll(
        self, photos: Sequence[bytes], *, identity_id: str | None, name: str | None, collection: str
    ) -> EnrollAnswer:
        """See `FaceCalls`."""
        return EnrollAnswer.of(
            self._container.enrollment.enroll(photos, collection=collection, identity_id=identity_id, name=name)
        )

    def people(self, *, collection: str, text: str | None, limit: int) -> IdentitiesPage:
        """See `FaceCalls`."""
        page = self._container.people.page
        return IdentitiesPage.of(page(collection, after=0, limit=limit, text=text, order=IdentityOrder.OLDEST))


@contextmanager
def local_calls() -> Iterator[LocalCalls]:
    """Open the data of this machine, and create the default collection if it is missing."""
    use_one_arena()
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        ensure_default(container)
        yield LocalCalls(container)
