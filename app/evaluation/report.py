"""Content of report.json; every figure has its interval. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from app.evaluation import hardest
from app.evaluation.all_pairs import HARDEST, AllPairsResult
from app.evaluation.bootstrap import Estimate
from app.evaluation.calibration_check import PromisedRate, check_content
from app.evaluation.curves import FARS, UNSUPPORTED, RocCurve, is_supported, label, threshold_at
from app.evaluation.discard import SHARES, figure_name, rejected_count, supported_far
from app.evaluation.identification import RANKS, IdentificationResult
from app.evaluation.values import EmbeddedPhotos, Pairs
from app.evaluation.verification import VerificationResult

UNSUPPORTED_SEARCHES = UNSUPPORTED.replace("pairs", "searches")
Report = dict[str, Any]


def of_pairs(pairs: Pairs, embedded: EmbeddedPhotos, verified: VerificationResult) -> Report:
    """Return the report on given pairs."""
    is_compared = np.isfinite(verified.similarities)
    genuine, impostor = int(pairs.is_same.sum()), int((~pairs.is_same).sum())
    compared = int((~pairs.is_same & is_compared).sum())
    accuracies = verified.folds.accuracies
    order = np.argsort(verified.similarities)  # NaN last
    order = order[: int(is_compared.sum())]
    pairs_by_similarity = [
        (float(verified.similarities[index]), int(one), int(two))
        for index in order
        for one, two in [pairs.places[index]]
    ]
    is_same = pairs.is_same[order]
    return {
        **_figures("accuracy", verified.estimates["accuracy"]),
        "accuracy_std": float(np.std(accuracies)),
        "accuracy_per_fold": accuracies.tolist(),
        "threshold_per_fold": verified.folds.thresholds.tolist(),
        **rates(verified.estimates, verified.curve, compared),
        "calibration_check": _check(verified.promises, verified.estimates, compared),
        "error_versus_discard": _discarded(verified.estimates, verified.curve, pairs=genuine, impostors=compared),
        **failures(embedded, verified.estimates),
        "pairs": {
            "genuine": genuine,
            "impostor": impostor,
            "not_compared": int((~is_compared).sum()),
            "folds": len(accuracies),
        },
        "hardest": {
            "genuine": hardest.of_pairs(
                embedded, [pair for pair, same in zip(pairs_by_similarity, is_same, strict=True) if same][:HARDEST]
            ),
            "impostor": hardest.of_pairs(
                embedded, [pair for pair, same in zip(pairs_by_similarity, is_same, strict=True) if not same][::-1]
            ),
        },
    }


def of_all_pairs(embedded: EmbeddedPhotos, compared: AllPairsResult) -> Report:
    """Return the report on all pairs of a folder; without folds, it has no accuracy."""
    genuine, impostor = int(compared.genuine.sum()), int(compared.impostor.sum())
    return {
        "accuracy": None,
        "accuracy_interval": None,
        "accuracy_std": None,
        **rates(compared.estimates, compared.curve, impostor),
        "calibration_check": _check(compared.promises, compared.estimates, impostor),
        "error_versus_discard": _discarded(
            compared.estimates, compared.curve, pairs=genuine + compared.prevented, impostors=impostor
        ),
        **failures(embedded, compared.estimates),
        "pairs": {"genuine": genuine, "impostor": impostor},
        "hardest": {
            "genuine": hardest.of_pairs(embedded, compared.hard_genuine),
            "impostor": hardest.of_pairs(embedded, compared.hard_impostor),
        },
    }


def of_searches(embedded: EmbeddedPhotos, identified: IdentificationResult, megaface: Mapping[str, Estimate]) -> Report:
    """Return the report on identification in a folder of people; `megaface` is empty without distractors."""
    estimates, roles = identified.estimates, identified.split
    searches = int(np.isfinite(identified.non_mated).sum())
    return {
        "rank": {str(k): _valued("rate", estimates[f"rank@{k}"]) for k in RANKS if f"rank@{k}" in estimates},
        "fnir_at_fpir": _at_false_acceptance(
            "fnir",
            lambda rate: estimates[f"fnir@{rate}"],
            identified.curve,
            searches,
            UNSUPPORTED_SEARCHES,
        ),
        "calibration_check": {"fpir": check_content(identified.promises, estimates, searches, UNSUPPORTED_SEARCHES)},
        "rank_1_at_distractors": {size: _valued("rate", estimate) for size, estimate in megaface.items()},
        **failures(embedded, estimates),
        "searches": {
            "gallery": len(roles.gallery),
            "mated": len(roles.probes),
            "non_mated": searches,
            "non_mated_are": "mated without their mates"
            if identified.split.is_leave_one_out
            else "people with one photo",
        },
        "hardest": {
            "mated": hardest.of_mated(embedded, identified),
            "non_mated": hardest.of_non_mated(embedded, identified),
        },
    }


def threshold_table(curve: RocCurve) -> list[tuple[float, float, float]]:
    """Return rows of threshold, FAR and FRR in steps of 0.05."""
    marks = np.arange(-10, 20) / 20
    indices = np.minimum(np.searchsorted(curve.thresholds, marks), len(curve.thresholds) - 1)
    return [
        (float(mark), float(curve.far[index]), float(1 - curve.tar[index]))
        for mark, index in zip(marks, indices, strict=True)
    ]


def to_json(value: Any) -> Any:
    """Replace NaN and infinity by None, because JSON cannot represent them."""
    if isinstance(value, dict):
        return {key: to_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figures(name: str, estimate: Estimate) -> Report:
    return {name: estimate.value, f"{name}_interval": estimate.interval}


def _valued(name: str, estimate: Estimate) -> Report:
    return {name: estimate.value, "interval": estimate.interval}


def rates(estimates: Mapping[str, Estimate], curve: RocCurve, impostors: int) -> Report:
    """Return EER, AUC and TAR at each FAR, by their names in `figures_of`."""
    tar = _at_false_acceptance("tar", lambda rate: estimates[f"tar@{rate}"], curve, impostors, UNSUPPORTED)
    return {**_figures("eer", estimates["eer"]), **_figures("auc", estimates["auc"]), "tar_at_far": tar}


def _check(promises: Sequence[PromisedRate], estimates: Mapping[str, Estimate], impostors: int) -> Report:
    return {"fmr": check_content(promises, estimates, impostors, UNSUPPORTED)}


def _at_false_acceptance(
    name: str, estimate: Callable[[str], Estimate], curve: RocCurve, impostors: int, note: str
) -> Report:
    """Return a figure at each rate of false acceptance; null if there are too few impostors to measure the rate."""
    return {
        label(far): {
            **_valued(name, estimate(label(far))),
            "threshold": float(curve.thresholds[threshold_at(curve, far)]),
        }
        if is_supported(far, impostors)
        else {name: None, "interval": None, "threshold": None, "note": note}
        for far in FARS
    }


def _discarded(estimates: Mapping[str, Estimate], curve: RocCurve, *, pairs: int, impostors: int) -> Report:
    """Return the FNMR after rejecting the worst pairs; each point has the number of remaining `pairs`."""
    far = supported_far(impostors)
    if far is None:
        return {"far": None, "threshold": None, "points": [], "note": UNSUPPORTED}
    return {
        "far": label(far),
        "threshold": float(curve.thresholds[threshold_at(curve, far)]),
        "points": [
            {
                "discarded": share,
                **_valued("fnmr", estimates[figure_name(share)]),
                "pairs": pairs - rejected_count(pairs, share),
            }
            for share in SHARES
        ],
    }


def failures(embedded: EmbeddedPhotos, estimates: Mapping[str, Estimate]) -> Report:
    """Return the failures to enroll, and the numbers of photos and people."""
    return {
        "failures_to_enroll": len(embedded.failures),
        **_figures("failures_to_enroll_rate", estimates["failures_to_enroll_rate"]),
        "failed_photos": [
            {"file": embedded.photos[index].name, "reason": code} for index, code in embedded.failures.items()
        ],
        "photos": len(embedded.photos),
        "people": len({photo.person for photo in embedded.photos}),
    }
