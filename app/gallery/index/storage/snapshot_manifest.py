"""The manifest of a snapshot: the content of its files. It is written last."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from app.errors import IndexUnusable
from app.gallery.index.storage.block import BLOCK_ROWS
from app.gallery.index.storage.files import MANIFEST, digest_of, write_whole

# 10 million templates take 40 KB; larger files are not read.
_MOST_BYTES = 64 << 20

_Key = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_File = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}\.(segment|codec)$")]  # no path leaves the folder
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _ManifestPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Segment(_ManifestPart):
    """One block in a file: keys and owners (int64), then vectors (float16); nothing else."""

    file: _File
    sha256: _Sha256
    first: _Key
    last: _Key
    rows: Annotated[int, Field(ge=1, le=BLOCK_ROWS)]
    data_key_id: int | None = None
    """The key that seals the file; null: not encrypted."""


class CodecFile(_ManifestPart):
    """The codec of the index (see `Codec.parts`)."""

    file: _File
    sha256: _Sha256
    groups: Annotated[int, Field(ge=2, le=4096)]
    data_key_id: int | None = None


class SnapshotManifest(_ManifestPart):
    """The manifest of a snapshot."""

    format: Literal[2] = 2
    kind: str
    model: str
    collection: str
    dimension: Annotated[int, Field(ge=1, le=65_536)]
    revision: int
    codec: CodecFile | None = None
    segments: Annotated[list[Segment], Field(max_length=1_000_000)]
    checksum: str = ""
    """SHA-256 of the manifest without it: one wrong digit in `revision` would lose changes."""

    @model_validator(mode="after")
    def _is_whole(self) -> "SnapshotManifest":
        if self.checksum and self.checksum != self._digest():
            raise ValueError("the checksum is another")
        return self

    @property
    def is_plain(self) -> bool:
        """Whether any file is not encrypted."""
        return any(each.data_key_id is None for each in (*self.segments, *([self.codec] if self.codec else ())))

    @property
    def files(self) -> set[str]:
        """Names of all files of the snapshot."""
        codec = {self.codec.file} if self.codec else set()
        return {MANIFEST} | codec | {segment.file for segment in self.segments}

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest by this one."""
        whole = self.model_copy(update={"checksum": self._digest()})
        write_whole(folder / MANIFEST, [whole.model_dump_json(indent=1).encode()])

    def _digest(self) -> str:
        return digest_of([self.model_dump_json(exclude={"checksum"}).encode()])


def read_manifest(folder: Path) -> SnapshotManifest:
    """Return the manifest of a snapshot; raises IndexUnusable if it is missing or damaged."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
        manifest = SnapshotManifest.model_validate_json(text)
    except OSError as error:
        raise IndexUnusable(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise IndexUnusable(f"{path} is damaged, or not a manifest of this version") from error
    if not manifest.checksum:
        raise IndexUnusable(f"{path} has no checksum")
    return manifest
