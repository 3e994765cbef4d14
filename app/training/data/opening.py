"""Opening of data sets in all supported formats."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.training.config import DataConfig
from app.training.data.cropping import FaceCropper
from app.training.data.filtering import FilteredSource, in_memory
from app.training.data.folder import read_folder
from app.training.data.recordio import RecordIOSource
from app.training.data.shards import ShardSource, files_of
from app.training.data.source import CropSource

OpenCropper = Callable[[], FaceCropper]
"""Opens the networks that align photos; called only if the photos are not crops."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set, and the photos that it omits.

    `failures` maps photos without a face to their error code, and `damaged` photos that cannot be read to the reason.
    `warnings` are sentences on what is probably not intended.
    """

    source: CropSource
    failures: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def photos(self) -> int:
        """Return the number of photos, with those that are omitted."""
        return len(self.source.labels) + len(self.failures) + len(self.damaged)

    def omitted(self, excluded: Container[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return `failures` and `damaged` without the photos of a list of photos to leave out."""
        failures, damaged = (
            {name: reason for name, reason in photos.items() if name not in excluded}
            for photos in (self.failures, self.damaged)
        )
        return failures, damaged


def open_data(data: DataConfig, open_cropper: OpenCropper, advance: Advance = lambda _: None) -> Dataset:
    """Open the data of a configuration: align photos, apply the filters, and cache the crops in memory if they fit.

    Raises TrainingInvalid, and NetworkError's children if photos must be aligned and the networks cannot be loaded.
    """
    excluded = read_list(data.exclude) if data.exclude is not None else frozenset()
    dataset = open_path(data.path, open_cropper, is_aligned=data.aligned, advance=advance)
    filtered = FilteredSource(dataset.source, excluded=excluded, min_photos=data.least_photos)
    failures, damaged = dataset.omitted(excluded)
    left = len(filtered.labels) + len(failures) + len(damaged)
    warnings = _unused(data, excluded, left=left, photos=dataset.photos)
    return Dataset(in_memory(filtered, int(data.memory_gb * 1e9)), failures, warnings, damaged)


def open_path(path: Path, open_cropper: OpenCropper, *, is_aligned: bool, advance: Advance = lambda _: None) -> Dataset:
    """Open a complete data set, detecting its format; raises the same errors as `open_data`."""
    if path.suffix == ".rec":
        return Dataset(RecordIOSource(path))
    if shards := files_of(path):
        return Dataset(ShardSource(shards))
    if not path.exists():
        raise TrainingInvalid(f"{path} does not exist")
    if not path.is_dir():
        raise TrainingInvalid(f"{path} is neither a folder person/photo.jpg nor a .rec, .arrow or .parquet file")
    folder = read_folder(path, None if is_aligned else open_cropper(), advance)
    return Dataset(folder, folder.failures, damaged=folder.damaged)


def _unused(data: DataConfig, excluded: frozenset[str], *, left: int, photos: int) -> tuple[str, ...]:
    """Return a warning if the list of photos to leave out names none of the photos."""
    if not excluded or left < photos or data.least_photos > 1:
        return ()
    return (f"data.exclude: none of the {len(excluded)} names in {data.exclude} is a photo of {data.path}",)


def read_list(file: Path) -> frozenset[str]:
    """Read a list of photos, one per line; text after a tab is ignored.

    Raises TrainingInvalid if the file is unreadable or not UTF-8.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise TrainingInvalid(f"{file} is not UTF-8 text") from error
    return frozenset(line.split("\t")[0] for line in lines if line.strip())
