"""The files that import jobs read: uploaded ones, and those in the import folder."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import ImportFolderForbidden, ImportInvalid
from app.jobs.uploads import Uploads
from app.transfer.archive_reader import open_archive
from app.transfer.file_signatures import format_named
from app.transfer.job_kinds import ArchiveImportParameters, ImportParameters, SourceParameters
from app.transfer.photo_folders import Source
from app.transfer.photo_sources import open_source


@dataclass(frozen=True, slots=True)
class JobSources:
    """Resolves the source of an import to a path. `import_dir` is the import folder; None disables imports from it."""

    uploads: Uploads
    import_dir: Path | None

    def path(self, parameters: SourceParameters) -> Path:
        """Return the file or folder that a job imports; raises ImportFolderForbidden."""
        if parameters.upload is not None:
            return self.uploads.path(parameters.upload)
        return _in_import_dir(self.import_dir, parameters.path or "")

    def open_photos(self, parameters: ImportParameters) -> Source:
        """Open the photos that a job imports; raises ImportInvalid, EncodingUnknown, ImportFolderForbidden."""
        inside = None if parameters.upload else self.import_dir
        path = self.path(parameters)
        return open_source(path, is_flat=parameters.flat, inside=inside, encoding=parameters.encoding)


def check_upload(parameters: SourceParameters, path: Path) -> None:
    """Open an uploaded file as its job will; raises ImportInvalid or a child of ArchiveRefused if that fails."""
    if isinstance(parameters, ArchiveImportParameters):
        with open_archive(path):
            return
    if isinstance(parameters, ImportParameters):
        with path.open("rb") as file:
            head = file.read(16)
        if not head.startswith(b"PK"):
            kind = format_named(head) or "another file"
            raise ImportInvalid(f"the file must be a ZIP of photos, with their CSV list if there is one, not {kind}")
        with open_source(path, is_flat=parameters.flat, encoding=parameters.encoding):
            return


def _in_import_dir(import_dir: Path | None, path: str) -> Path:
    """Return a path in the import folder; raises ImportFolderForbidden.

    Links are resolved first, so that none leads out of the folder. The error does not reveal whether a path outside
    exists.
    """
    if import_dir is None:
        raise ImportFolderForbidden("imports from the server's own folders are disabled; see ARCID_JOBS__IMPORT_DIR")
    refused = ImportFolderForbidden("the import folder has no file or folder of that name")
    try:
        root = import_dir.resolve(strict=True)
        resolved = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise refused from error
    if not resolved.is_relative_to(root):
        raise refused
    return resolved
