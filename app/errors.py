"""The domain's error tree. Every class has a stable `code`; HTTP status codes are mapped in `app/api/errors.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


class ArcidError(Exception):
    """Something the caller or the operator can act on; the message is safe to show to a client.

    `reason`, where there is one, is a library's own words: for the operator and the log, never for a client.
    """

    code: ClassVar[str] = "internal_error"
    reason: str = ""


# Photos


class PhotoRefused(ArcidError):
    """A photo that cannot be used; the reason is the code."""


class NotAnImage(PhotoRefused):
    """The bytes are no image of a supported format."""

    code = "not_an_image"


class ImageDamaged(PhotoRefused):
    """The photo begins as an image of a supported format, but is cut short or damaged."""

    code = "image_damaged"


class TooManyBytes(PhotoRefused):
    """The photo has more bytes than the service accepts."""

    code = "too_many_bytes"


class TooManyPixels(PhotoRefused):
    """The photo has more pixels than the service accepts; said before any pixel is decoded."""

    code = "too_many_pixels"


class NoFace(PhotoRefused):
    """No face was found in the photo."""

    code = "no_face"


class SeveralFaces(PhotoRefused):
    """The photo shows several faces and the caller did not choose one."""

    code = "several_faces"


class LowQuality(PhotoRefused):
    """The face is too poor to be enrolled; the message says why."""

    code = "low_quality"


# Networks


class NetworkError(ArcidError):
    """A network that cannot be used, with what to do about it."""


class NetworkMissing(NetworkError):
    """A network's file is not in the data folder; `arcid models pull` brings it."""

    code = "network_missing"


class NetworkCorrupt(NetworkError):
    """A file's SHA-256 differs from the pinned one."""

    code = "network_corrupt"


class NetworkInvalid(NetworkError):
    """A file is no network of the kind that its manifest says."""

    code = "network_invalid"


class ProviderUnavailable(NetworkError):
    """The execution provider that was asked for does not work on this machine."""

    code = "provider_unavailable"


class PackUnknown(NetworkError):
    """No manifest has this name."""

    code = "pack_unknown"


class ManifestInvalid(NetworkError):
    """A manifest does not say what a manifest must say."""

    code = "manifest_invalid"


class ArchiveUnavailable(NetworkError):
    """The package that carries a network could not be downloaded or read."""

    code = "archive_unavailable"


class LicenceNotAccepted(NetworkError):
    """The pack may not be used commercially, and nobody has said that this is understood."""

    code = "licence_not_accepted"


# Requests and the gallery


class RequestInvalid(ArcidError):
    """The request does not fit its schema; `fields` says where and why."""

    code = "request_invalid"

    def __init__(self, message: str, fields: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = list(fields)


class BodyEmpty(ArcidError):
    """The request has no body."""

    code = "body_empty"


class BodyMalformed(ArcidError):
    """The body is not what its content type says."""

    code = "body_malformed"


class BodyTooLarge(ArcidError):
    """The body has more bytes than the service accepts; the rest was not read."""

    code = "body_too_large"


class BodyTooSlow(ArcidError):
    """The body took too long to arrive; the rest was not read."""

    code = "body_too_slow"


class ContentTypeUnsupported(ArcidError):
    """The body is neither multipart/form-data nor JSON."""

    code = "content_type_unsupported"


class CollectionUnknown(ArcidError):
    """There is no collection of this name."""

    code = "collection_unknown"


class CollectionExists(ArcidError):
    """There is a collection of this name already."""

    code = "collection_exists"


class CollectionNotEmpty(ArcidError):
    """What was asked for can be changed only while nobody is enrolled in the collection."""

    code = "collection_not_empty"


class IdentityUnknown(ArcidError):
    """Nobody is enrolled under this identity id in the collection."""

    code = "identity_unknown"


class FaceUnknown(ArcidError):
    """There is no face of this id in the collection."""

    code = "face_unknown"


class PreconditionFailed(ArcidError):
    """What was to be changed is not what the caller has seen: it was changed meanwhile."""

    code = "precondition_failed"


class ModelMismatch(ArcidError):
    """The collection's templates are of another network than the one that is running."""

    code = "model_mismatch"


class IdempotencyConflict(ArcidError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_conflict"


# Who may do what


class KeyMissing(ArcidError):
    """The service has API keys, and the request brings none."""

    code = "key_missing"


class KeyInvalid(ArcidError):
    """The API key is not known, has expired or was revoked."""

    code = "key_invalid"


class ScopeMissing(ArcidError):
    """The API key may not be used for this."""

    code = "scope_missing"


class CollectionForbidden(ArcidError):
    """The API key is restricted to other collections."""

    code = "collection_forbidden"


class KeyExists(ArcidError):
    """There is a key of this name already."""

    code = "key_exists"


class KeyUnknown(ArcidError):
    """There is no key of this name or id that could be revoked."""

    code = "key_unknown"


class KeysRequired(ArcidError):
    """The service would listen to other machines without asking for keys."""

    code = "keys_required"


class TrailBroken(ArcidError):
    """The audit trail is not the one that was written."""

    code = "trail_broken"


# Enrolments of which nothing was left


@dataclass(frozen=True, slots=True)
class RejectedPhoto:
    """A photo of an enrolment that was refused and why (an error code); `photo` counts from 0."""

    photo: int
    code: str
    detail: str


class NothingEnrolled(ArcidError):
    """Every photo of an enrolment was refused; `rejected` says why, photo by photo."""

    code = "nothing_enrolled"

    def __init__(self, message: str, rejected: Sequence[RejectedPhoto]) -> None:
        super().__init__(message)
        self.rejected = list(rejected)


class IndexUnusable(ArcidError):
    """A saved index is damaged or of another kind; the database can rebuild it."""

    code = "index_unusable"


class IndexUnavailable(ArcidError):
    """The distributed engine that holds the index does not answer."""

    code = "index_unavailable"


class SchemaOutdated(ArcidError):
    """The database's schema is not the one that this version needs."""

    code = "schema_outdated"


class CalibrationTooSmall(ArcidError):
    """There are too few pairs of different people to calibrate with."""

    code = "calibration_too_small"


class CalibrationInvalid(ArcidError):
    """A calibration file is damaged or of another version."""

    code = "calibration_invalid"


class CalibrationMissing(ArcidError):
    """An error rate was asked for, but the network in use was never calibrated."""

    code = "calibration_missing"


class DatabaseError(ArcidError):
    """The database cannot do its work now; nothing that was acknowledged is lost."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class DatabaseUnavailable(DatabaseError):
    """The database does not answer, or is busy for too long; it may be tried again."""

    code = "database_unavailable"


class DatabaseNotWritable(DatabaseError):
    """The database's disk is full or its file is read-only: an operator has to act. Reading goes on."""

    code = "database_not_writable"


class Overloaded(ArcidError):
    """As many requests wait as may wait; nothing was done with this one."""

    code = "overloaded"


class DeadlineExceeded(ArcidError):
    """The request waited too long for its turn; nothing was done with it."""

    code = "deadline_exceeded"


class ShuttingDown(ArcidError):
    """The service is about to stop."""

    code = "shutting_down"


class SettingsInvalid(ArcidError):
    """A setting has a value, or an environment variable a name, that does not exist."""

    code = "settings_invalid"


class DemoPhotoMissing(ArcidError):
    """A package that carries a photo of the demo is not installed."""

    code = "demo_photo_missing"


class EvaluationInvalid(ArcidError):
    """A pairs file, a set or a folder of an evaluation is not what it must be."""

    code = "evaluation_invalid"
