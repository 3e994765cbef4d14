"""Jobs, imports, archives and backups."""

from app.errors.base import ArcidError


class JobUnknown(ArcidError):
    """There is no job of this id, or its collection is not one of the key's."""


class JobUnderWay(ArcidError):
    """A job of the same kind waits or runs for the collection."""


class JobFinished(ArcidError):
    """The job has ended and can no longer be cancelled."""


class JobUnfinished(ArcidError):
    """The job has not written its archive yet, or has ended without one."""


class JobCancelled(ArcidError):
    """The running job was asked to stop: it was cancelled, or its process stops."""


class JobInterrupted(ArcidError):
    """Several processes in a row died while they ran this job, without progress."""


class ArchiveUnknown(ArcidError):
    """A job of this kind has no archive."""


class ExportGone(ArcidError):
    """The job's archive is not on this machine: deleted a day after the job's end, or stored by another process."""


class ImportInvalid(ArcidError):
    """The import's source cannot be read as a whole; the message gives the reason."""


class EncodingUnknown(ImportInvalid):
    """The encoding of the names to import is ambiguous; the caller has to set it."""


class ImportFolderForbidden(ArcidError):
    """A path on the server is outside the import folder, or there is no import folder."""


class ItemInvalid(ArcidError):
    """A file or line of an import cannot be used, for example because it cannot be read."""


class UploadUnknown(ArcidError):
    """No upload on this machine has this id, or it belongs to another key or has expired."""


class UploadConflict(ArcidError):
    """The upload is at another offset, or another request writes to it."""


class UploadUnfinished(ArcidError):
    """Parts of the upload are missing."""


class UploadTooLarge(ArcidError):
    """The upload has more bytes than the service accepts, or than it was created for."""


class TusVersionUnsupported(ArcidError):
    """The client uses another version of the tus protocol."""


class ArchiveRefused(ArcidError, has_own_code=False):
    """An archive or a backup is not accepted. Nothing was written."""


class ArchiveInvalid(ArchiveRefused):
    """It is not an archive of this kind, or its content is not valid."""


class ArchiveDamaged(ArchiveRefused):
    """The file is truncated, or a checksum does not match."""


class ArchiveTooNew(ArchiveRefused):
    """A later version of ArcID wrote it."""


class BackupUnknown(ArcidError):
    """No backup has this name."""


class BackupImpossible(ArcidError):
    """This command or job cannot back up or restore the database; the message names the one that can."""
