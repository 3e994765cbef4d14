"""LFW's protocols against a running service: View 2 pairs, and closed-set identification."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray

PEOPLE_PER_FOLD = 600


def photo(folder: Path, name: str, number: str | int) -> bytes:
    """Return one photo of a person."""
    return (folder / "images" / name / f"{name}_{int(number):04d}.jpg").read_bytes()


def pairs(folder: Path) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return the pairs of pairs.txt in order: 300 matched and 300 mismatched for each fold."""
    rows = [line.split("\t") for line in (folder / "pairs.txt").read_text().splitlines()[1:]]
    return [((row[0], row[1]), (row[0], row[2]) if len(row) == 3 else (row[2], row[3])) for row in rows]


def embedded(
    client: httpx2.Client, folder: Path, wanted: Iterable[Any], calibration: dict[str, Any]
) -> list[float | None]:
    """Return each pair's similarity, with each photo embedded once; None if a face was not found.

    `calibration` is the file that ships for the network; similarities are computed as docs/thresholds.md describes.
    """
    wanted = list(wanted)

    def embed(one: tuple[str, str]) -> Any:
        faces = client.post("/embed", files={"photo": photo(folder, *one)}).json()["faces"]
        return compared(np.array(faces[0]["embedding"]), faces[0]["norm"], calibration) if faces else None

    photos = sorted({one for pair in wanted for one in pair})
    found = dict(zip(photos, in_parallel(embed, photos), strict=True))
    both = [(found[first], found[second]) for first, second in wanted]
    return [None if first is None or second is None else min(float(first @ second), 1) for first, second in both]


def compared(embedding: NDArray[np.float64], norm: float, calibration: dict[str, Any]) -> NDArray[np.float64]:
    """Return the vector of which dot products are similarities."""
    centred = embedding - np.array(calibration["mean"])
    relative = np.clip(norm / calibration["typical_norm"], 0.8, 1.2)
    return np.asarray(centred / np.linalg.norm(centred) * relative**-0.25)


def verified(client: httpx2.Client, folder: Path, wanted: Iterable[Any]) -> list[float | None]:
    """Return the answer of POST /verify for each pair; None if a face was not found."""

    def verify(pair: tuple[tuple[str, str], tuple[str, str]]) -> float | None:
        files = {"probe": photo(folder, *pair[0]), "reference": photo(folder, *pair[1])}
        answer = client.post("/verify", files=files)
        return answer.json()["similarity"] if answer.status_code == 200 else None

    return in_parallel(verify, wanted)


def accuracy(found: list[float | None], is_same: list[bool]) -> float:
    """Return the mean accuracy over folds, each with the threshold that is best on the others; None is an error."""
    scores = np.array([-2.0 if each is None else each for each in found])
    same = np.array(is_same)
    fold = np.arange(len(scores)) // PEOPLE_PER_FOLD
    is_error = scores == -2
    results = []
    for held in range(fold.max() + 1):
        rest = (fold != held) & ~is_error
        grid = np.linspace(-1, 1, 2001)
        right = [((scores[rest] >= threshold) == same[rest]).mean() for threshold in grid]
        threshold = grid[np.flatnonzero(right == np.max(right))].mean()
        mine = fold == held
        results.append((((scores >= threshold) == same) & ~is_error)[mine].mean())
    return float(np.mean(results))


def people(folder: Path) -> dict[str, list[Path]]:
    """Return the photos of everyone with two or more."""
    found = {each.name: sorted(each.glob("*.jpg")) for each in sorted((folder / "images").iterdir())}
    return {name: photos for name, photos in found.items() if len(photos) > 1}


def in_parallel(function: Callable[[Any], Any], items: Iterable[Any], threads: int = 4) -> list[Any]:
    """Apply a function with a few threads; results in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
