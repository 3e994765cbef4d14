"""The hint that a collection is empty, so that everybody is unknown in it."""

from app.api.schemas.fields import DEFAULT_COLLECTION
from app.api.schemas.identify_answers import IdentifyAnswer
from app.cli.face_calls import FaceCalls
from app.cli.output import Console
from app.errors import ServiceRefused


def say_nobody(collection: str) -> None:
    """Say on standard error that nobody is enrolled, and how to enroll somebody."""
    option = "" if collection == DEFAULT_COLLECTION else f" --collection {collection}"
    hint = f"nobody is enrolled in collection {collection!r} yet; to enroll somebody: arcid enroll ID PHOTO...{option}"
    Console(stderr=True).print(hint, highlight=False, soft_wrap=True)


class EmptyGalleryHint:
    """Report once that nobody is enrolled, if a face has no candidates for this reason."""

    def __init__(self, calls: FaceCalls, collection: str) -> None:
        self._calls = calls
        self._collection = collection
        self._is_checked = False

    def after(self, answer: IdentifyAnswer) -> IdentifyAnswer:
        """Return the answer, after the hint if it applies."""
        if answer.faces and not self._is_checked and not any(each.candidates for each in answer.faces):
            self._is_checked = True
            if self._is_empty():
                say_nobody(self._collection)
        return answer

    def _is_empty(self) -> bool:
        try:
            return self._calls.people(collection=self._collection, text=None, limit=1).total == 0
        except ServiceRefused:  # an API key for recognition alone may not list people
            return False
