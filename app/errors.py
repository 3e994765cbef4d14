"""The domain's error tree. Every class has a stable `code`; HTTP status codes are mapped in `app/api/errors.py`."""

import errno
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


class ImageUnsupported(PhotoRefused):
    """The photo is of a kind that is known by name, but not decoded: HEIC, JPEG of 12 bits, floating-point TIFF."""

    code = "image_unsupported"


class ImageTooCostly(PhotoRefused):
    """Decoding the photo would take too long for what it shows; said before any pixel is decoded."""

    code = "image_too_costly"


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


class FaceMismatch(PhotoRefused):
    """The face does not look like the identity's other faces, and the collection refuses such photos."""

    code = "face_mismatch"


class UrlNotAllowed(PhotoRefused):
    """The address of a photo is none that the service may fetch from, as it is written."""

    code = "url_not_allowed"


class UrlUnreachable(PhotoRefused):
    """No photo came from the address; why is said to the operator only, in `reason`."""

    code = "url_unreachable"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


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


class ContentEncodingUnsupported(ArcidError):
    """The body is compressed."""

    code = "content_encoding_unsupported"


class UrlsDisabled(ArcidError):
    """Photos by URL are switched off."""

    code = "urls_disabled"


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


class IdentityExists(ArcidError):
    """Somebody has this identity id in the collection already."""

    code = "identity_exists"


class ImageNotKept(ArcidError):
    """The photo of a face was asked for; photos are not stored."""

    code = "image_not_kept"


class FaceUnknown(ArcidError):
    """There is no face of this id in the collection."""

    code = "face_unknown"


class PreconditionFailed(ArcidError):
    """What was to be changed is not what the caller has seen: it was changed meanwhile."""

    code = "precondition_failed"


class ModelMismatch(ArcidError):
    """The collection's templates are of a network that is not served, or not of the one that was meant."""

    code = "model_mismatch"


class CollectionSwitched(ArcidError):
    """The collection moved to another network, or changed otherwise, while it was used; try again."""

    code = "collection_switched"


class TemplatesMissing(ArcidError):
    """A collection cannot go over to another network: faces lack a template of it. `faces` has (face, identity) ids."""

    code = "templates_missing"

    def __init__(self, message: str, faces: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.faces = list(faces)


class NoWayBack(ArcidError):
    """A collection was never of another network, or its templates of that time are discarded."""

    code = "no_way_back"


class JobUnderWay(ArcidError):
    """A job of the same kind waits or runs for the collection."""

    code = "job_under_way"


class EncryptionRequired(ArcidError):
    """Crops of faces are stored encrypted or not at all, and no encryption is set up."""

    code = "encryption_required"


class FaceExists(ArcidError):
    """Another collection of the database has a face of this id."""

    code = "face_exists"


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


class HostForbidden(ArcidError):
    """There are no API keys, and the request names a host that is not this machine."""

    code = "host_forbidden"


class OriginForbidden(ArcidError):
    """The request comes from a web page of another site, which may not call this service."""

    code = "origin_forbidden"


class WhereForbidden(ArcidError):
    """The API key may not filter by this member of people's metadata."""

    code = "where_forbidden"


class KeyExists(ArcidError):
    """There is a key of this name already."""

    code = "key_exists"


class KeyUnknown(ArcidError):
    """There is no key of this name or id that could be revoked."""

    code = "key_unknown"


class KeysRequired(ArcidError):
    """The service would listen to other machines without asking for keys."""

    code = "keys_required"


class RateExceeded(ArcidError):
    """More requests came than the rate allows; the next one is served `retry_after_s` seconds later."""

    code = "rate_exceeded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExceeded(RateExceeded):
    """The API key's quota is used up; the next request is served `retry_after_s` seconds later."""

    code = "quota_exceeded"


class RatesUnavailable(ArcidError):
    """What counts the requests of all replicas does not answer, and nothing is served uncounted."""

    code = "rates_unavailable"


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


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Somebody else in the collection whom faces of an enrolment look like.

    `photo` (from 0) shows the face that is most similar, `face_id` is theirs that is nearest to it, `faces` how many
    they have. `fpir` is the chance that any of a stranger's photos is as similar to anyone in this gallery, None where
    the network is not calibrated.
    """

    photo: int
    identity_id: str
    face_id: str
    faces: int
    similarity: float
    fpir: float | None


class DuplicateIdentity(ArcidError):
    """Faces of an enrolment look like somebody else, and the collection refuses that; `duplicates` says whom."""

    code = "duplicate_identity"

    def __init__(self, message: str, duplicates: Sequence[Duplicate]) -> None:
        super().__init__(message)
        self.duplicates = list(duplicates)


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


_DISK = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "the disk is full; make room on it, then try again"),
    errno.EROFS: "the disk is read-only; mount it writable, then try again",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM), "a file cannot be written; make its folder writable for the user that runs this"
    ),
}


class StorageNotWritable(ArcidError):
    """A file cannot be written: its disk is full or read-only, or its folder is another user's. Reading goes on."""

    code = "storage_not_writable"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason

    @classmethod
    def of(cls, error: OSError) -> "StorageNotWritable | None":
        """Return what the operator can do about a failed write, None where the error is of another kind."""
        message = _DISK.get(error.errno or 0)
        return cls(message, str(error)) if message is not None else None


class Overloaded(ArcidError):
    """As many requests wait as may wait; nothing was done with this one."""

    code = "overloaded"


class DeadlineExceeded(ArcidError):
    """The request waited too long for its turn; nothing was done with it."""

    code = "deadline_exceeded"


class ShuttingDown(ArcidError):
    """The service is about to stop."""

    code = "shutting_down"


# Jobs


class JobUnknown(ArcidError):
    """There is no job of this id, or it is of a collection that the key is not for."""

    code = "job_unknown"


class JobFinished(ArcidError):
    """The job has ended and cannot be cancelled any more."""

    code = "job_finished"


class JobUnfinished(ArcidError):
    """The job has not made its archive yet, or has ended without one."""

    code = "job_unfinished"


class ArchiveUnknown(ArcidError):
    """The job is of a kind that makes no archive."""

    code = "archive_unknown"


class ExportGone(ArcidError):
    """The job's archive is not here: it was deleted a day after the job's end, or lies with another process."""

    code = "export_gone"


class JobCancelled(ArcidError):
    """The end of the work that is under way was asked for: it was cancelled, or its process stops."""

    code = "job_cancelled"


class JobInterrupted(ArcidError):
    """Several processes died in succession while they did this job, and got nowhere."""

    code = "job_interrupted"


class ImportInvalid(ArcidError):
    """What is to be imported cannot be read as a whole; its message says why."""

    code = "import_invalid"


class EncodingUnknown(ImportInvalid):
    """Names to import are in an encoding that cannot be told from others; the caller has to name it."""

    code = "encoding_unknown"


class ImportFolderForbidden(ArcidError):
    """A path on the server lies outside the folder that imports may read, or there is no such folder."""

    code = "import_folder_forbidden"


class ItemInvalid(ArcidError):
    """A file or line of an import cannot be used for what it is, not for what it shows."""

    code = "item_invalid"


# Archives and backups


class FileUnusable(ArcidError):
    """A file that was named cannot be read or written."""

    code = "file_unusable"

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ArchiveRefused(ArcidError):
    """An archive or backup that cannot be taken; nothing was written."""


class ArchiveInvalid(ArchiveRefused):
    """It is no archive of this kind, or what it holds is not what it must be."""

    code = "archive_invalid"


class ArchiveDamaged(ArchiveRefused):
    """It is cut short, or a checksum is another."""

    code = "archive_damaged"


class ArchiveTooNew(ArchiveRefused):
    """It was made by a later version."""

    code = "archive_too_new"


class BackupImpossible(ArcidError):
    """The database is not one that this command can back up or restore; the message says how it is done."""

    code = "backup_impossible"


class DatabaseInUse(ArcidError):
    """A service or a command uses the database that should be replaced."""

    code = "database_in_use"


class EncryptionError(ArcidError):
    """What is encrypted cannot be used as things are; an operator has to act."""


class MasterKeyMissing(EncryptionError):
    """The database holds encrypted templates, and no setting names the master key."""

    code = "master_key_missing"


class MasterKeyInvalid(EncryptionError):
    """The master key is none: not 32 bytes in base64, or its file cannot be read."""

    code = "master_key_invalid"


class MasterKeyWrong(EncryptionError):
    """The master key is not the one that the database's data keys were wrapped with."""

    code = "master_key_wrong"


class SealBroken(EncryptionError):
    """Encrypted bytes were changed, are in another place than they were written to, or their key is gone."""

    code = "seal_broken"


class DataKeyGone(SealBroken):
    """Encrypted bytes are of a data key that the database does not have; for the caller as any broken seal."""


class PlainIndexRefused(EncryptionError):
    """Templates are to be encrypted, and an index would hold them in plain outside this service."""

    code = "plain_index_refused"


class IdentityErased(ArcidError):
    """The person was erased after the job was created that would enroll them again."""

    code = "identity_erased"


class ConsentMissing(ArcidError):
    """The collection takes nobody without consent that is noted, and has not ended."""

    code = "consent_missing"


class SettingsInvalid(ArcidError):
    """A setting has a value, or an environment variable a name, that does not exist."""

    code = "settings_invalid"


class TracingUnavailable(ArcidError):
    """Traces are asked for, but the libraries for them are not installed."""

    code = "tracing_unavailable"


class DemoPhotoMissing(ArcidError):
    """A package that carries a photo of the demo is not installed."""

    code = "demo_photo_missing"


class EvaluationInvalid(ArcidError):
    """A pairs file, a set or a folder of an evaluation is not what it must be."""

    code = "evaluation_invalid"


# Training


class TrainingError(ArcidError):
    """Something about a training run that its operator can mend."""


class TrainingUnavailable(TrainingError):
    """The libraries for training are not installed, or the device that was asked for is not there."""

    code = "training_unavailable"


class TrainingInvalid(TrainingError):
    """A configuration, a data set or a folder of a run is not what it must be."""

    code = "training_invalid"


class CheckpointMismatch(TrainingError):
    """A run cannot go on from its checkpoint: it was made with another configuration, other data or other processes."""

    code = "checkpoint_mismatch"


class TrainingDiverged(TrainingError):
    """The loss is no number any more: the learning rate or the scale is too high."""

    code = "training_diverged"
