"""Data sets of photos without names, for distillation."""

import numpy as np

from app.errors import EvaluationInvalid, TrainingInvalid
from app.evaluation.protocols import read_photos
from app.evaluation.values import Advance
from app.training.config import DataConfig
from app.training.data.filtering import FilteredSource, in_memory
from app.training.data.folder import crop_photos
from app.training.data.opening import Dataset, OpenCropper, open_path, read_list
from app.training.data.shards import files_of
from app.training.data.source import CropSource, Labels
from app.types import Pixels


class UnlabelledSource:
    """A data set without people, for distillation: the label of each crop is its index."""

    classes: tuple[str, ...] = ()

    def __init__(self, source: CropSource) -> None:
        self._source = source
        self.labels: Labels = np.arange(len(source.labels), dtype=np.int64)

    def name(self, index: int) -> str:
        """Return the name of a crop, as used in lists."""
        return self._source.name(index)

    def crop(self, index: int) -> Pixels:
        """Return a crop (112, 112, 3), RGB uint8; raises TrainingInvalid if it is damaged."""
        return self._source.crop(index)

    def encoded(self, index: int) -> bytes:
        """Return a crop as it is stored, a JPEG or PNG; raises TrainingInvalid if it cannot be read."""
        return self._source.encoded(index)


def open_unlabelled(data: DataConfig, open_cropper: OpenCropper, advance: Advance = lambda _: None) -> Dataset:
    """Open a data set without its people; of a folder, photos at any depth.

    Photos are aligned, left out and kept in memory as by `open_data`. Raises TrainingInvalid if no photo has a face.
    """
    excluded = read_list(data.exclude) if data.exclude is not None else frozenset()
    opened = _open_photos(data, open_cropper, advance)
    filtered = FilteredSource(opened.source, excluded=excluded)
    failures, damaged = opened.omitted(excluded)
    return Dataset(UnlabelledSource(in_memory(filtered, int(data.memory_gb * 1e9))), failures, damaged=damaged)


def _open_photos(data: DataConfig, open_cropper: OpenCropper, advance: Advance) -> Dataset:
    if not data.path.is_dir() or files_of(data.path):
        return open_path(data.path, open_cropper, is_aligned=data.aligned, advance=advance)
    try:
        photos = read_photos(data.path)
    except EvaluationInvalid as error:
        raise TrainingInvalid(str(error)) from error
    folder = crop_photos(photos, data.path, None if data.aligned else open_cropper(), advance)
    return Dataset(folder, folder.failures, damaged=folder.damaged)
