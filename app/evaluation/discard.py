"""Error versus discard: FNMR when the pairs with the lowest quality are rejected. Pure.

A useful quality measure rejects the pairs that cause errors (Grother and Tabassi, "Performance of biometric quality
measures", PAMI 2007). The quality of a pair is the lower quality of its two faces.
"""

from collections.abc import Callable, Sequence

import numpy as np

from app.evaluation.blocks import FaceSet, bin_indices, genuine_blocks
from app.evaluation.bootstrap import Figures
from app.evaluation.curves import RocCurve, is_supported, threshold_at
from app.evaluation.values import Doubles
from app.types import Floats

SHARES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50)
_FARS = (1e-3, 1e-2)  # at lower rates, degraded faces, which resemble each other, would determine the threshold
_ROUNDING = 1e-9  # tolerance of a number of pairs: 0.15 of 100 are 15


def supported_far(impostors: int) -> float | None:
    """Return the lowest FAR that this number of impostor comparisons supports; None if no rate is supported."""
    return next((far for far in _FARS if is_supported(far, impostors)), None)


def figure_name(share: float) -> str:
    """Return the name of the FNMR figure for a rejected share."""
    return f"fnmr@{share}"


def rejected_count(pairs: float, share: float) -> int:
    """Return the number of rejected pairs for a share, rounded down."""
    return int(pairs * share + _ROUNDING)


def ideal_fnmr(fnmr: float, shares: Doubles) -> Doubles:
    """Return the FNMR at rejected shares (n,) of an ideal quality measure, which rejects errors first."""
    left: Doubles = np.maximum(fnmr - shares, 0)
    return left / (1 - shares)


def pair_quality(first: Floats | Doubles, second: Floats | Doubles) -> Doubles:
    """Return the quality of pairs (n,) from the qualities of their faces; -inf if one is NaN (no face)."""
    quality: Doubles = np.minimum(first, second).astype(np.float64)
    quality[np.isnan(quality)] = -np.inf
    return quality


class DiscardCurve:
    """Error-versus-discard curve of groups of genuine pairs with quality (g,); -inf marks pairs without two faces."""

    def __init__(self, quality: Doubles) -> None:
        distinct, self._groups = np.unique(quality, return_inverse=True)
        self._distinct = len(distinct)

    def fnmr(self, pairs: Doubles, errors: Doubles) -> dict[str, float]:
        """Return the FNMR at each of `SHARES`, by name, from the pairs (g,) and errors (g,) of each group.

        Among pairs of equal quality, correct ones are rejected first, so ties never improve the result. Without pairs,
        the FNMR is NaN.
        """
        total, wrong = (np.bincount(self._groups, values, self._distinct) for values in (pairs, errors))
        all_by_quality = np.stack([total - wrong, wrong], axis=1).ravel()  # correct pairs of each quality first
        wrong_by_quality = np.stack([np.zeros_like(wrong), wrong], axis=1).ravel()
        cumulative, cumulative_errors = (np.append(0, values.cumsum()) for values in (all_by_quality, wrong_by_quality))
        all_pairs, all_errors = cumulative[-1], cumulative_errors[-1]
        discarded = np.array([rejected_count(all_pairs, share) for share in SHARES])
        left = all_errors - np.interp(discarded, cumulative, cumulative_errors)
        rates = left / np.where(all_pairs > 0, all_pairs - discarded, np.nan)
        return {figure_name(share): float(rate) for share, rate in zip(SHARES, rates, strict=True)}


def fnmr_of(similarities: Doubles, quality: Doubles, far: float | None) -> Callable[[RocCurve, Doubles], Figures]:
    """Return a function: curve and weights of the pairs (n,) -> FNMR at each share.

    Args:
        similarities: Of the genuine pairs (n,); NaN without two faces.
        quality: Of the same pairs (n,).
        far: The FAR that determines the threshold on the curve; without one, there are no figures.
    """
    discard = DiscardCurve(quality)

    def fnmr(curve: RocCurve, weights: Doubles) -> Figures:
        if far is None:
            return {}
        is_error = ~(similarities >= curve.thresholds[threshold_at(curve, far)])
        return discard.fnmr(weights, weights * is_error)

    return fnmr


def folder_fnmr(
    faces: FaceSet, missing: Doubles, multiplicities: Doubles, curves: Sequence[RocCurve], far: float | None
) -> list[Figures]:
    """Return the FNMR at each share over all pairs of a folder, for each row of multiplicities and its binned curve.

    Args:
        faces: The faces of the folder.
        missing: Number of pairs of each person (people,) that lack a face.
        multiplicities: One row for each result (m, people).
        curves: One curve for each row.
        far: See `fnmr_of`.

    Pairs are grouped by the face with the lower quality, which determines when they are rejected; its person determines
    their weight. Therefore memory grows only with the number of faces.
    """
    if far is None:
        return [{} for _ in curves]
    bins = np.array([threshold_at(curve, far) for curve in curves])  # a pair in a lower bin is an error
    ascending, rank = np.unique(bins, return_inverse=True)
    counts = np.zeros((len(faces.people), len(ascending) + 1))
    for pairs in genuine_blocks(faces):
        np.add.at(counts, (pairs.poorer, np.searchsorted(ascending, bin_indices(pairs.cosines), "right")), 1)
    below = counts.cumsum(axis=1)  # per threshold; the last column contains all pairs
    discard = DiscardCurve(np.append(faces.quality, np.full(len(missing), -np.inf)))

    def fnmr(person_weights: Doubles, bin_index: int) -> Figures:
        weights, missing_pairs = person_weights[faces.people], person_weights * missing
        return discard.fnmr(
            np.append(weights * below[:, -1], missing_pairs), np.append(weights * below[:, bin_index], missing_pairs)
        )

    return [fnmr(person_weights, bin_index) for person_weights, bin_index in zip(multiplicities, rank, strict=True)]
