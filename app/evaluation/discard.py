"""Error versus discard: how FNMR falls as the pairs with the poorest faces are rejected. Pure.

A quality that means something rejects the pairs that would be in error (Grother and Tabassi, "Performance of biometric
quality measures", PAMI 2007). A pair is as good as the poorer of its two faces.
"""

from collections.abc import Callable, Sequence

import numpy as np

from app.evaluation.blocks import Faces, binned, genuine_blocks
from app.evaluation.bootstrap import Figures
from app.evaluation.curves import Curve, is_supported, threshold_at
from app.evaluation.values import Doubles
from app.types import Floats

SHARES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50)
_FARS = (1e-3, 1e-2)  # lower ones would ask ruined faces, which resemble each other, for a threshold
_ROUNDING = 1e-9  # of a number of pairs: 0.15 of 100 are 15


def far_of(impostors: int) -> float | None:
    """Return the lowest of two FARs that so many impostor comparisons support."""
    return next((far for far in _FARS if is_supported(far, impostors)), None)


def name_of(share: float) -> str:
    """Return what the FNMR is called among the figures when this share is rejected."""
    return f"fnmr@{share}"


def rejected(pairs: float, share: float) -> int:
    """Return how many of so many pairs are rejected, rounded down."""
    return int(pairs * share + _ROUNDING)


def ideal(fnmr: float, shares: Doubles) -> Doubles:
    """Return what becomes of FNMR as shares (n,) are rejected, if the errors are the first to go."""
    left: Doubles = np.maximum(fnmr - shares, 0)
    return left / (1 - shares)


def poorer(first: Floats | Doubles, second: Floats | Doubles) -> Doubles:
    """Return the quality of pairs (n,) from that of their faces; -inf where one was not found (NaN)."""
    lower: Doubles = np.minimum(first, second).astype(np.float64)
    lower[np.isnan(lower)] = -np.inf
    return lower


class Discard:
    """Genuine pairs in groups of equal quality (g,), -inf for those that could not be compared."""

    def __init__(self, quality: Doubles) -> None:
        distinct, self._places = np.unique(quality, return_inverse=True)
        self._distinct = len(distinct)

    def fnmr(self, pairs: Doubles, errors: Doubles) -> dict[str, float]:
        """Return FNMR for each of `SHARES`, by name, from each group's pairs (g,) and those among them in error (g,).

        Of equally good pairs those without an error are rejected first, so that a tie never flatters; NaN for no pairs.
        """
        total, wrong = (np.bincount(self._places, each, self._distinct) for each in (pairs, errors))
        steps = np.stack([total - wrong, wrong], axis=1).ravel()  # of each quality: first those without an error
        passed = np.append(0, steps.cumsum())
        wrong_passed = np.append(0, np.stack([np.zeros_like(wrong), wrong], axis=1).ravel().cumsum())
        all_pairs, all_errors = passed[-1], wrong_passed[-1]
        gone = np.array([rejected(all_pairs, share) for share in SHARES])
        left = all_errors - np.interp(gone, passed, wrong_passed)
        rates = left / np.where(all_pairs > 0, all_pairs - gone, np.nan)
        return {name_of(share): float(rate) for share, rate in zip(SHARES, rates, strict=True)}


def fnmr_of(similarities: Doubles, quality: Doubles, far: float | None) -> Callable[[Curve, Doubles], Figures]:
    """Return FNMR at each share, as a function of the curve that gives the threshold and of the pairs' weights (n,).

    The pairs are genuine: `similarities` (n,), NaN where a face was not found, and `quality` (n,). No FAR, no figures.
    """
    discard = Discard(quality)

    def fnmr(curve: Curve, weights: Doubles) -> Figures:
        if far is None:
            return {}
        is_error = ~(similarities >= curve.thresholds[threshold_at(curve, far)])
        return discard.fnmr(weights, weights * is_error)

    return fnmr


def fnmr_of_folder(
    faces: Faces, missing: Doubles, drawn: Doubles, curves: Sequence[Curve], far: float | None
) -> list[Figures]:
    """Return FNMR at each share for every pair of a folder, for each row of `drawn` (m, people) and its binned curve.

    `missing` (people,) counts the pairs that could not be compared. Pairs are grouped by their poorer face: it decides
    when they are rejected, its person how often they are drawn. So memory grows with the faces alone.
    """
    if far is None:
        return [{} for _ in curves]
    bars = np.array([threshold_at(curve, far) for curve in curves])  # numbers of bins; below it a pair is an error
    ascending, rank = np.unique(bars, return_inverse=True)
    counted = np.zeros((len(faces.people), len(ascending) + 1))
    for pairs in genuine_blocks(faces):
        np.add.at(counted, (pairs.poorer, np.searchsorted(ascending, binned(pairs.cosines), "right")), 1)
    below = counted.cumsum(axis=1)  # each bar; the last column has all pairs
    discard = Discard(np.append(faces.quality, np.full(len(missing), -np.inf)))

    def fnmr(times: Doubles, bar: int) -> Figures:
        weights, lost = times[faces.people], times * missing
        return discard.fnmr(np.append(weights * below[:, -1], lost), np.append(weights * below[:, bar], lost))

    return [fnmr(times, bar) for times, bar in zip(drawn, rank, strict=True)]
