"""Readers of IJB-B's and IJB-C's lists, in the form that InsightFace distributes: faces, templates, pairs.

A folder holds three files, such as `ijbc_face_tid_mid.txt` (photo, template, media), `ijbc_name_5pts_score.txt` (photo,
ten coordinates of landmarks, detector's score) and `ijbc_template_pair_label.txt` (template, template, 1 or 0).
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import EvaluationInvalid
from app.evaluation.protocols import read_lines
from app.evaluation.values import Bools
from app.types import Floats

_FACES, _LANDMARKS, _PAIRS = "_face_tid_mid.txt", "_name_5pts_score.txt", "_template_pair_label.txt"

Ids = NDArray[np.int64]


class ListLine(NamedTuple):
    """A line of a list: its pattern, and the same in words."""

    pattern: str
    description: str


_ID, _NUMBER = r"\s+-?\d{1,18}", r"\s+[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
_FACE_LINE = ListLine(rf"\S+({_ID}){{2}}", "a photo and the whole numbers of its template and medium")
_POINTS_LINE = ListLine(rf"\S+(?i:{_NUMBER}){{11}}", "a photo, ten coordinates and a score")
_PAIR_LINE = ListLine(rf"-?\d{{1,18}}{_ID}\s+[01]", "the whole numbers of two templates, and 1 or 0")


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Faces, their templates, and the pairs of templates to compare.

    Args:
        names: File name of the photo of each face, n.
        templates: Template of each face (n,).
        media: Medium (photo or video) of each face (n,).
        landmarks: Five points of each face, in pixels of the photo (n, 5, 2).
        scores: Detection score of each face (n,).
        pairs: Two templates each (p, 2).
        is_same: Whether the two templates of a pair show one person (p,).
    """

    names: tuple[str, ...]
    templates: Ids
    media: Ids
    landmarks: Floats
    scores: Floats
    pairs: Ids
    is_same: Bools


def read_template_set(folder: Path) -> TemplateSet:
    """Read the three lists of a folder.

    Raises EvaluationInvalid if one is missing, has a line of another form, or does not fit the others.
    """
    faces, points, pairs = (_only(folder, suffix) for suffix in (_FACES, _LANDMARKS, _PAIRS))
    rows, landmarks = _rows(faces, _FACE_LINE), _rows(points, _POINTS_LINE)
    names = tuple(name for name, *_ in rows)
    if names != tuple(name for name, *_ in landmarks):
        raise EvaluationInvalid(f"{faces.name} and {points.name} do not list the same photos in the same order")
    templates, media = np.array([ids for _, *ids in rows], np.int64).T
    numbers = np.array([row[1:] for row in landmarks], np.float32)
    compared, is_same = _pairs(pairs)
    unknown = np.setdiff1d(compared, templates)
    if unknown.size:
        raise EvaluationInvalid(f"{pairs.name} compares the template {unknown[0]}, which {faces.name} does not have")
    return TemplateSet(names, templates, media, numbers[:, :10].reshape(-1, 5, 2), numbers[:, 10], compared, is_same)


def _only(folder: Path, suffix: str) -> Path:
    """Return the only file of a folder with a suffix."""
    files = sorted(folder.glob(f"*{suffix}"))
    if len(files) != 1:
        raise EvaluationInvalid(f"{folder} has {len(files)} files *{suffix}; it needs one, such as ijbc{suffix}")
    return files[0]


def _rows(file: Path, line: ListLine) -> list[list[str]]:
    """Return the words of the lines of a list, without blank lines.

    Raises EvaluationInvalid if a line has another form; the error names the first one.
    """
    rows = []
    for number, text in enumerate(read_lines(file), 1):
        if re.fullmatch(line.pattern, text.strip(), re.ASCII):
            rows.append(text.split())
        elif text.strip():
            raise EvaluationInvalid(f"{file}, line {number}: not {line.description}: {text.strip()}")
    if not rows:
        raise EvaluationInvalid(f"{file} is empty")
    return rows


def _pairs(file: Path) -> tuple[Ids, Bools]:
    """Return the pairs (p, 2) of a list and whether each is of one person (p,); IJB-C has 15.7 million."""
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of an empty file
            table = np.loadtxt(file, np.int64, comments=None, ndmin=2)
    except OSError as error:
        raise EvaluationInvalid.unreadable(file, error) from error
    except ValueError:
        table = np.empty((0, 0), np.int64)
    if not table.size or table.shape[1] != 3 or not np.isin(table[:, 2], (0, 1)).all():
        table = np.array(_rows(file, _PAIR_LINE), np.int64)  # slow, and names the wrong line
    return table[:, :2], table[:, 2] == 1
