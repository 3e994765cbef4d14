"""Readers of IJB-B's and IJB-C's lists, in the form that InsightFace distributes: faces, templates, pairs.

A folder holds three files, such as `ijbc_face_tid_mid.txt` (photo, template, media), `ijbc_name_5pts_score.txt` (photo,
ten coordinates of landmarks, detector's score) and `ijbc_template_pair_label.txt` (template, template, 1 or 0).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import EvaluationInvalid
from app.evaluation.protocols import read_lines
from app.evaluation.values import Bools
from app.types import Floats

_FACES, _LANDMARKS, _PAIRS = "_face_tid_mid.txt", "_name_5pts_score.txt", "_template_pair_label.txt"

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Faces, their templates, and the pairs of templates to compare.

    Args:
        names: Photos of the faces, n.
        templates: Template of each face (n,).
        media: Medium (photo or video) of each face (n,).
        landmarks: In pixels of the photo (n, 5, 2).
        scores: Of the detector (n,).
        pairs: Templates (p, 2).
        is_same: Whether a pair shows one person (p,).
    """

    names: tuple[str, ...]
    templates: Ids
    media: Ids
    landmarks: Floats
    scores: Floats
    pairs: Ids
    is_same: Bools


def read_template_set(folder: Path) -> TemplateSet:
    """Read the three lists of a folder; raises EvaluationInvalid if one is missing or they do not fit together."""
    faces, points, pairs = (_only(folder, suffix) for suffix in (_FACES, _LANDMARKS, _PAIRS))
    names, ids = _table(faces, 3)
    landmark_names, numbers = _table(points, 12)
    if names != landmark_names:
        raise EvaluationInvalid(f"{faces.name} and {points.name} do not list the same photos in the same order")
    templates, media = ids.astype(np.int64).T
    compared, is_same = _pairs(pairs)
    unknown = np.setdiff1d(compared, templates)
    if unknown.size:
        raise EvaluationInvalid(f"{pairs.name} compares the template {unknown[0]}, which {faces.name} does not have")
    landmarks = numbers[:, :10].reshape(-1, 5, 2).astype(np.float32)
    return TemplateSet(names, templates, media, landmarks, numbers[:, 10].astype(np.float32), compared, is_same)


def _only(folder: Path, suffix: str) -> Path:
    """Return the only file of a folder with a suffix."""
    files = sorted(folder.glob(f"*{suffix}"))
    if len(files) != 1:
        raise EvaluationInvalid(f"{folder} has {len(files)} files *{suffix}; it needs one, such as ijbc{suffix}")
    return files[0]


def _table(file: Path, columns: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the first column of a list, names, and the other ones, numbers (n, columns - 1)."""
    rows = [line.split() for line in read_lines(file) if line.strip()]
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != columns), None)
    if wrong is not None:
        raise EvaluationInvalid(f"{file}, line {wrong}: not a photo and {columns - 1} numbers")
    try:
        numbers = np.array([row[1:] for row in rows], np.float64)
    except ValueError as error:
        raise EvaluationInvalid(f"{file}: {error}") from error
    return tuple(row[0] for row in rows), numbers


def _pairs(file: Path) -> tuple[Ids, Bools]:
    """Return the pairs (p, 2) of a list and whether each is of one person (p,); IJB-C has 15.7 million."""
    try:
        table = np.loadtxt(file, np.int64, ndmin=2)
    except OSError as error:
        raise EvaluationInvalid.unreadable(file, error) from error
    except ValueError as error:
        raise EvaluationInvalid(f"{file}: {error}") from error
    if table.shape[1] != 3 or not np.isin(table[:, 2], (0, 1)).all():
        raise EvaluationInvalid(f"{file}: each line must be two templates and 1 or 0")
    return table[:, :2], table[:, 2] == 1
