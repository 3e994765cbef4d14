"""The kinds of jobs and the parameters of each, as requests give them and as the queue stores them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from app.recognition.face_choice import FaceChoice
from app.transfer.text_encodings import Encoding


class JobKind(StrEnum):
    """A kind of job, as the queue and the API name it."""

    IMPORT = "import"
    IMPORT_ARCHIVE = "import_archive"
    IMPORT_EMBEDDINGS = "import_embeddings"
    EXPORT = "export"
    CALIBRATE = "calibrate"
    GROUP = "group"
    REEMBED = "reembed"
    BACKUP = "backup"


IMPORTS = (JobKind.IMPORT.value, JobKind.IMPORT_ARCHIVE.value, JobKind.IMPORT_EMBEDDINGS.value)
"""The kinds that read personal data from a source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportParameters:
    """Parameters of an import of photos. `upload` is the id of an uploaded file, `path` a path in the import folder.

    With `unknown`, nobody is enrolled: faces that match nobody are kept.
    """

    collection: str
    face: FaceChoice
    flat: bool
    unknown: bool | None = None
    encoding: Encoding | None = None
    upload: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveImportParameters:
    """Parameters of an import of an archive; the source as in `ImportParameters`."""

    collection: str
    new_face_ids: bool
    upload: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsImportParameters:
    """Parameters of an import of embeddings; the source as in `ImportParameters`."""

    collection: str
    model: str
    upload: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportParameters:
    """Parameters of an export. `archive` is the id of the file that it writes."""

    collection: str
    archive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationParameters:
    """Parameters of a calibration."""

    collection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingParameters:
    """Parameters of a grouping of unknown faces."""

    collection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationParameters:
    """Parameters of a model migration. `on_missing`: the treatment of faces without a crop."""

    collection: str
    model: str
    on_missing: Literal["refuse", "drop"]
    switch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupParameters:
    """Parameters of a backup: the name of its file. It is of all collections."""

    name: str
    collection: None = None


SourceParameters = ImportParameters | ArchiveImportParameters | EmbeddingsImportParameters
JobParameters = (
    SourceParameters
    | ExportParameters
    | CalibrationParameters
    | GroupingParameters
    | MigrationParameters
    | BackupParameters
)
P = TypeVar("P", bound=JobParameters)

SOURCE_PARAMETERS: Mapping[JobKind, type[SourceParameters]] = {
    JobKind.IMPORT: ImportParameters,
    JobKind.IMPORT_ARCHIVE: ArchiveImportParameters,
    JobKind.IMPORT_EMBEDDINGS: EmbeddingsImportParameters,
}


def read_parameters(kind: type[P], parameters: Mapping[str, Any]) -> P:
    """Return the parameters of a class from their JSON."""
    return TypeAdapter(kind).validate_python(parameters)


def parameters_json(parameters: JobParameters) -> dict[str, Any]:
    """Return parameters as JSON, without those that are not set."""
    json: dict[str, Any] = TypeAdapter(type(parameters)).dump_python(parameters, mode="json", exclude_none=True)
    return json
