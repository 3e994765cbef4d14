"""Arrow and Parquet files of crops: a column `image` (bytes of a JPEG or PNG), a column `label` (number or text).

Arrow files (`arcid train pack` writes them) are mapped into memory and read crop by crop, however large they are;
Parquet files are read into memory as they are, encoded.
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
from app.faces import Pixels
from app.imaging.lossless import encode_png
from app.training.data.crops import decoded
from app.training.data.values import Labels, Source, numbered

SUFFIXES = (".arrow", ".parquet")
CROPS_PER_SHARD = 20_000
_SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.string()), ("name", pa.string())])
_ROWS = 256  # written at once


@dataclass(frozen=True, slots=True)
class _Shard:
    file: Path
    images: Any  # a chunked array of bytes
    names: Any | None


class Shards:
    """The crops of one or several files, in the order of the files' names."""

    def __init__(self, files: list[Path]) -> None:
        """Open the files and read the labels; raises TrainingInvalid."""
        tables = [(file, _table(file)) for file in files]
        self._shards = [
            _Shard(file, table["image"], table["name"] if "name" in table.column_names else None)
            for file, table in tables
        ]
        self._starts = np.cumsum([0, *(len(each.images) for each in self._shards)])
        values = [value for _, table in tables for value in table["label"].to_pylist()]
        if not values:
            raise TrainingInvalid(f"{files[0]} holds no crops")
        if len({type(value) for value in values}) > 1 or not isinstance(values[0], int | str):
            raise TrainingInvalid(f"the labels of {files[0].parent} are neither all whole numbers nor all text")
        is_text = isinstance(values[0], str)
        self.classes, self.labels = numbered([value if is_text else f"{value:07d}" for value in values])

    def name(self, place: int) -> str:
        """Return what the file calls a crop, else the file's name and the row."""
        shard, row = self._find(place)
        return f"{shard.file.name}:{row}" if shard.names is None else str(shard.names[row].as_py())

    def crop(self, place: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid."""
        shard, row = self._find(place)
        return decoded(shard.images[row].as_py() or b"", f"row {row} of {shard.file}")

    def _find(self, place: int) -> tuple[_Shard, int]:
        number = int(np.searchsorted(self._starts, place, "right")) - 1
        return self._shards[number], int(place - self._starts[number])


def files_of(path: Path) -> list[Path]:
    """Return the shards that a path stands for: the file, or those in a folder; none is an empty list."""
    if path.is_dir():
        return sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
    return [path] if path.suffix in SUFFIXES else []


def pack(source: Source, folder: Path, advance: Advance = lambda _: None, *, each: int = CROPS_PER_SHARD) -> list[Path]:
    """Write all crops of a data set as Arrow files, losslessly; return the files. Raises TrainingInvalid."""
    if folder.exists() and any(folder.iterdir()):
        raise TrainingInvalid(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, places in enumerate(_cut(range(len(source.labels)), each)):
        file = folder / f"{number:05d}.arrow"
        coming = file.with_name(f".{file.name}")
        with pa.OSFile(str(coming), "wb") as out, pa.ipc.new_file(out, _SCHEMA) as writer:
            for part in _parts(source, places):
                writer.write_batch(part)
                advance(len(part))
        coming.replace(file)
        files.append(file)
    return files


def _parts(source: Source, places: range) -> Iterator[Any]:
    labels: Labels = source.labels
    for rows in _cut(places, _ROWS):
        columns = [
            [encode_png(source.crop(place)) for place in rows],
            [source.classes[labels[place]] for place in rows],
            [source.name(place) for place in rows],
        ]
        yield pa.record_batch(columns, schema=_SCHEMA)


def _cut(places: range, size: int) -> Iterator[range]:
    return (places[start : start + size] for start in range(0, len(places), size))


def _table(file: Path) -> Any:
    try:
        if file.suffix == ".parquet":
            table = pa.parquet.read_table(file)
        else:
            with pa.memory_map(str(file)) as mapped:
                table = pa.ipc.open_file(mapped).read_all()
        if not {"image", "label"} <= set(table.column_names):
            raise TrainingInvalid(f"{file} has no columns image and label")
        if not (pa.types.is_binary(table["image"].type) or pa.types.is_large_binary(table["image"].type)):
            raise TrainingInvalid(f"{file}: the column image does not hold bytes")
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise TrainingInvalid(f"{file} cannot be read as {file.suffix[1:]}: {error}") from error
    return table
