"""Arrow and Parquet files of crops, with the columns `image` (JPEG or PNG bytes) and `label` (number or text).

Arrow files, as written by `arcid train pack`, are memory-mapped and may be of any size. Parquet files are loaded into
memory with their crops still encoded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.training.data.decoding import decode_crop
from app.training.data.source import CropSource, Labels, index_labels
from app.training.run_folder import make_run_folder, storage_errors
from app.types import Pixels

SUFFIXES = (".arrow", ".parquet")
CROPS_PER_SHARD = 20_000
_SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.string()), ("name", pa.string())])
_ROWS = 256  # per record batch


@dataclass(frozen=True, slots=True)
class _Shard:
    file: Path
    images: Any  # a chunked array of bytes
    names: Any | None


class ShardSource:
    """The crops of one or several files, sorted by file name."""

    def __init__(self, files: list[Path]) -> None:
        """Open the files and read the labels.

        Raises TrainingInvalid if a file is not valid or no file has a crop.
        """
        tables = [(file, _table(file)) for file in files]
        self._shards = [
            _Shard(file, table["image"], table["name"] if "name" in table.column_names else None)
            for file, table in tables
        ]
        self._starts = np.cumsum([0, *(len(shard.images) for shard in self._shards)])
        values = [value for _, table in tables for value in table["label"].to_pylist()]
        if not values:
            raise TrainingInvalid(f"{files[0]} contains no crops")
        if len({type(value) for value in values}) > 1 or not isinstance(values[0], int | str):
            raise TrainingInvalid(f"the labels in {files[0].parent} must be either all integers or all text")
        is_text = isinstance(values[0], str)
        self.classes, self.labels = index_labels([value if is_text else f"{value:07d}" for value in values])

    def name(self, index: int) -> str:
        """Return the name of a crop in the file; without one, the file name and the row."""
        shard, row = self._locate(index)
        return f"{shard.file.name}:{row}" if shard.names is None else str(shard.names[row].as_py())

    def crop(self, index: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid if it is damaged or of another size."""
        shard, row = self._locate(index)
        return decode_crop(self.encoded(index), f"row {row} of {shard.file}")

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        shard, row = self._locate(index)
        return shard.images[row].as_py() or b""

    def _locate(self, index: int) -> tuple[_Shard, int]:
        number = int(np.searchsorted(self._starts, index, "right")) - 1
        return self._shards[number], int(index - self._starts[number])


def files_of(path: Path) -> list[Path]:
    """Return the shards at a path: the file itself, or the files of a folder; the list may be empty."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    return [path] if path.suffix in SUFFIXES else []


def pack(
    source: CropSource, folder: Path, advance: Advance = lambda _: None, *, per_shard: int = CROPS_PER_SHARD
) -> list[Path]:
    """Write all crops of a data set, as they are stored, to Arrow files; return the files.

    Raises TrainingInvalid if the folder is not empty, and StorageNotWritable if the disk is full.
    """
    require_empty(folder)
    files = []
    for number, indices in enumerate(_slices(range(len(source.labels)), per_shard)):
        file = folder / f"{number:05d}.arrow"
        temporary = file.with_name(f".{file.name}")
        with storage_errors(file):
            try:
                _write(source, indices, temporary, advance)
                temporary.replace(file)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        files.append(file)
    return files


def require_empty(folder: Path) -> None:
    """Create a folder for shards.

    Raises TrainingInvalid if it is not empty, and StorageNotWritable if it takes no files.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise TrainingInvalid(f"{folder} is not empty; choose another folder")
    make_run_folder(folder)


def _write(source: CropSource, indices: range, file: Path, advance: Advance) -> None:
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, _SCHEMA) as writer:
        for batch in _record_batches(source, indices):
            writer.write_batch(batch)
            advance(len(batch))


def _record_batches(source: CropSource, indices: range) -> Iterator[Any]:
    labels: Labels = source.labels
    for rows in _slices(indices, _ROWS):
        columns = [
            [source.encoded(index) for index in rows],
            [source.classes[labels[index]] for index in rows],
            [source.name(index) for index in rows],
        ]
        yield pa.record_batch(columns, schema=_SCHEMA)


def _slices(indices: range, size: int) -> Iterator[range]:
    return (indices[start : start + size] for start in range(0, len(indices), size))


def _table(file: Path) -> Any:
    try:
        if file.suffix == ".parquet":
            table = pa.parquet.read_table(file)
        else:
            with pa.memory_map(str(file)) as mapped:
                table = pa.ipc.open_file(mapped).read_all()
        if not {"image", "label"} <= set(table.column_names):
            raise TrainingInvalid(f"{file} lacks the columns image and label")
        if not (pa.types.is_binary(table["image"].type) or pa.types.is_large_binary(table["image"].type)):
            raise TrainingInvalid(f"{file}: the column image does not contain bytes")
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise TrainingInvalid(f"{file} cannot be read as {file.suffix[1:]}: {error}") from error
    return table
