"""A path to the data set that is there, whatever its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.training.config import Data
from app.training.data.aligning import Cutter
from app.training.data.chosen import Chosen, in_memory
from app.training.data.folder import read_folder
from app.training.data.recordio import Records
from app.training.data.shards import Shards, files_of
from app.training.data.values import Source

OpenCutter = Callable[[], Cutter]
"""Opens the networks that align photos; called only where photos are no crops."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set, and the error code of each photo that it lacks for want of a face."""

    source: Source
    failures: Mapping[str, str] = field(default_factory=dict)


def open_data(data: Data, open_cutter: OpenCutter, advance: Advance = lambda _: None) -> Opened:
    """Open what a configuration names: photos aligned, lists applied, crops in memory if they fit.

    Raises TrainingInvalid, and NetworkError's children when photos must be aligned and cannot.
    """
    opened = open_path(data.path, open_cutter, is_aligned=data.aligned, advance=advance)
    excluded = read_list(data.exclude) if data.exclude is not None else frozenset()
    chosen = Chosen(opened.source, excluded=excluded, least=data.least_photos)
    return Opened(in_memory(chosen, int(data.memory_gb * 1e9)), opened.failures)


def open_path(path: Path, open_cutter: OpenCutter, *, is_aligned: bool, advance: Advance = lambda _: None) -> Opened:
    """Open all of a data set, by the kind of its file or folder; raises as `open_data`."""
    if path.suffix == ".rec":
        return Opened(Records(path))
    if shards := files_of(path):
        return Opened(Shards(shards))
    if not path.is_dir():
        raise TrainingInvalid(f"{path} is neither a folder person/photo.jpg nor a .rec, .arrow or .parquet file")
    folder = read_folder(path, None if is_aligned else open_cutter(), advance)
    return Opened(folder, folder.failures)


def read_list(file: Path) -> frozenset[str]:
    """Read a list of photos: a name to each line, up to a tab; raises TrainingInvalid."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrainingInvalid(f"{file} is no text in UTF-8") from error
    return frozenset(line.split("\t")[0] for line in lines if line.strip())
