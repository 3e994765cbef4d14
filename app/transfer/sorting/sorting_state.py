"""The file from which a sorting continues: the faces of photos, and their groups. It contains templates."""

import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from app.errors import SortingInvalid
from app.recognition.clustering.face_groups import NO_GROUP
from app.types import Box, Floats

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class SortedFace:
    """A face of a photo: box in pixels, unit vector (d,), raw feature norm, quality 0..1, and its group (0: none)."""

    box: Box
    vector: Floats
    norm: float
    quality: float
    group: int = 0


@dataclass(slots=True)
class SortingState:
    """The faces of each photo, by the SHA-256 of its bytes, as embedded by `network`; the highest id of a group."""

    network: str
    faces: dict[str, tuple[SortedFace, ...]] = field(default_factory=dict)
    last_id: int = 0

    def merge(self, kept: int, gone: int) -> None:
        """Put the faces of the group `gone` into the group `kept`; raises SortingInvalid if either has no faces."""
        groups = {face.group for found in self.faces.values() for face in found}
        for each in (kept, gone):
            if each not in groups or each == NO_GROUP:
                raise SortingInvalid(f"no person has the number {each}; the numbers are in faces.csv")
        for photo, found in self.faces.items():
            if any(face.group == gone for face in found):
                self.faces[photo] = tuple(replace(face, group=kept) if face.group == gone else face for face in found)


def read_state(file: Path, network: str) -> SortingState:
    """Read the state of an earlier run; without a file, nothing is sorted yet.

    Raises SortingInvalid if the file is damaged, or made with another network or detector.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            saved = {name: arrays[name] for name in arrays.files}
        state = _state_of(saved)
    except FileNotFoundError:
        return SortingState(network)
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise SortingInvalid(f"{file} is damaged; delete it to sort all photos again, with new numbers") from error
    if state is None or state.network != network:
        raise SortingInvalid(
            f"{file} was made with another network, detector or version; use these, or another folder for --out"
        )
    return state


def write_state(state: SortingState, file: Path) -> None:
    """Write the state in one step, readable only by its owner."""
    faces = [face for found in state.faces.values() for face in found]
    dimension = len(faces[0].vector) if faces else 0
    buffer = io.BytesIO()
    np.savez(
        buffer,
        format=np.array(_FORMAT),
        network=np.array(state.network),
        last_id=np.array(state.last_id),
        photos=np.array(list(state.faces), np.str_),
        counts=np.array([len(found) for found in state.faces.values()], np.int64),
        boxes=np.array([face.box for face in faces], np.float64).reshape(-1, 4),
        vectors=np.array([face.vector for face in faces], np.float32).reshape(len(faces), dimension),
        norms=np.array([face.norm for face in faces], np.float64),
        qualities=np.array([face.quality for face in faces], np.float64),
        groups=np.array([face.group for face in faces], np.int64),
    )
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as part:
        try:
            part.write(buffer.getbuffer())
            part.flush()
            os.fsync(part.fileno())
            part.close()  # Windows does not rename open files
            Path(part.name).replace(file)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise


def _state_of(saved: Mapping[str, np.ndarray]) -> SortingState | None:
    """Return the state of a file's arrays; None for another format."""
    if int(saved["format"]) != _FORMAT:
        return None
    columns = [saved[name].tolist() for name in ("boxes", "norms", "qualities", "groups")]
    faces = [
        SortedFace((box[0], box[1], box[2], box[3]), vector, norm, quality, group)
        for vector, box, norm, quality, group in zip(saved["vectors"], *columns, strict=True)
    ]
    bounds = [0, *np.cumsum(saved["counts"]).tolist()]
    photos = saved["photos"].tolist()
    found = {photo: tuple(faces[start:stop]) for photo, (start, stop) in zip(photos, pairwise(bounds), strict=True)}
    return SortingState(str(saved["network"]), found, int(saved["last_id"]))
