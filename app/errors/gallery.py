"""Collections, identities and faces; enrollments that were refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors.base import ArcidError


class CollectionUnknown(ArcidError):
    """There is no collection of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no collection {name!r}")


class CollectionExists(ArcidError):
    """A collection of this name already exists."""


class CollectionNotEmpty(ArcidError):
    """The setting can be changed only while the collection has no faces."""


class CollectionSwitched(ArcidError):
    """The collection moved to another network, or changed otherwise, during the request; try again."""


class IdentityUnknown(ArcidError):
    """There is no identity of this id in the collection."""


class IdentityExists(ArcidError):
    """An identity of this id already exists in the collection."""


class IdentityErased(ArcidError):
    """The person was erased after the job was created that would enroll them again."""


class FaceUnknown(ArcidError):
    """There is no face of this id in the collection."""


class FaceExists(ArcidError):
    """Another collection of the database has a face of this id."""


class FaceImageUnknown(ArcidError):
    """The face has no image, because its collection kept no crops when it was enrolled."""


class ModelMismatch(ArcidError):
    """The collection's templates come from another network than the one that is needed."""


class TemplatesMissing(ArcidError):
    """A collection cannot move to another network: faces lack a template of it. `faces` has (face, identity) ids."""

    def __init__(self, message: str, faces: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.faces = list(faces)


class NoWayBack(ArcidError):
    """The collection has no templates of a previous network."""


class ReviewUnknown(ArcidError):
    """The collection has no review of this id, or the review has no image of its probe."""


class ReviewClosed(ArcidError):
    """The review is decided already, or has expired."""


class ReviewerRepeated(ArcidError):
    """The caller has decided this review already; another person has to agree."""


class ConsentMissing(ArcidError):
    """The collection requires recorded, unexpired consent."""


class EncryptionRequired(ArcidError):
    """Crops of faces are stored encrypted or not at all, and encryption is not set up."""

    message = "crops are stored encrypted or not at all, and encryption is not set up: see ARCID_ENCRYPTION__KEY_FILE"


@dataclass(frozen=True, slots=True)
class RejectedPhoto:
    """Refused photo of an enrollment: its place from 0, the error's code and its message."""

    photo: int
    code: str
    detail: str


class UnknownFacesOff(ArcidError):
    """The collection does not remember unknown faces."""


class GroupUnknown(ArcidError):
    """The collection has no group of unknown faces with this id."""


class NothingEnrolled(ArcidError):
    """Every photo of an enrollment was refused; `rejected` has the reason for each."""

    def __init__(self, message: str, rejected: Sequence[RejectedPhoto]) -> None:
        super().__init__(message)
        self.rejected = list(rejected)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another identity of the collection that faces of an enrollment resemble.

    `photo` (from 0) shows the most similar face; `face_id` is the other identity's nearest face, `faces` how many it
    has. `fpir` is the chance that any photo of a stranger is as similar to anyone in this gallery, and `fpir_range` the
    range in which the true chance lies; None if the network has no calibration.
    """

    photo: int
    identity_id: str
    face_id: str
    faces: int
    similarity: float
    fpir: float | None
    fpir_range: tuple[float, float] | None = None


class DuplicateIdentity(ArcidError):
    """Faces of an enrollment look like another identity, and the collection refuses that; `duplicates` lists them."""

    def __init__(self, duplicates: Sequence[Duplicate]) -> None:
        names = ", ".join(f"{each.identity_id!r} (similarity {each.similarity:.2f})" for each in duplicates)
        super().__init__(
            f"this looks like {names}, who is enrolled already; enroll it as that identity_id, or send "
            "on_duplicate=allow if they are different people"
        )
        self.duplicates = list(duplicates)
