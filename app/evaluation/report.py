"""What was found, as report.json has it; every figure stands beside its interval. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from app.evaluation import hardest
from app.evaluation.all_pairs import KEPT, AllCompared
from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import FARS, UNSUPPORTED, Curve, is_supported, label, threshold_at
from app.evaluation.discard import SHARES, far_of, name_of, rejected
from app.evaluation.identification import RANKS, Identified
from app.evaluation.values import Embedded, Pairs
from app.evaluation.verification import Verified

Report = dict[str, Any]


def of_pairs(pairs: Pairs, embedded: Embedded, verified: Verified) -> Report:
    """Report given pairs."""
    is_found = np.isfinite(verified.similarities)
    genuine, impostor = int(pairs.is_same.sum()), int((~pairs.is_same).sum())
    compared = int((~pairs.is_same & is_found).sum())
    accuracies = verified.folds.accuracies
    order = np.argsort(verified.similarities)  # NaN last
    order = order[: int(is_found.sum())]
    hard = [(float(verified.similarities[at]), int(one), int(two)) for at in order for one, two in [pairs.places[at]]]
    is_same = pairs.is_same[order]
    return {
        **_figures("accuracy", verified.estimates["accuracy"]),
        "accuracy_std": float(np.std(accuracies)),
        "accuracy_per_fold": accuracies.tolist(),
        "threshold_per_fold": verified.folds.thresholds.tolist(),
        **_rates(verified.estimates, verified.curve, compared),
        "error_versus_discard": _discarded(verified.estimates, verified.curve, pairs=genuine, impostors=compared),
        **_failures(embedded, verified.estimates),
        "pairs": {
            "genuine": genuine,
            "impostor": impostor,
            "not_compared": int((~is_found).sum()),
            "folds": len(accuracies),
        },
        "hardest": {
            "genuine": hardest.of_pairs(
                embedded, [each for each, same in zip(hard, is_same, strict=True) if same][:KEPT]
            ),
            "impostor": hardest.of_pairs(
                embedded, [each for each, same in zip(hard, is_same, strict=True) if not same][::-1]
            ),
        },
    }


def of_all_pairs(embedded: Embedded, compared: AllCompared) -> Report:
    """Report every pair of a folder; there are no folds, hence no accuracy."""
    genuine, impostor = int(compared.genuine.sum()), int(compared.impostor.sum())
    return {
        "accuracy": None,
        "accuracy_interval": None,
        "accuracy_std": None,
        **_rates(compared.estimates, compared.curve, impostor),
        "error_versus_discard": _discarded(
            compared.estimates, compared.curve, pairs=genuine + compared.prevented, impostors=impostor
        ),
        **_failures(embedded, compared.estimates),
        "pairs": {"genuine": genuine, "impostor": impostor},
        "hardest": {
            "genuine": hardest.of_pairs(embedded, compared.hard_genuine),
            "impostor": hardest.of_pairs(embedded, compared.hard_impostor),
        },
    }


def of_searches(embedded: Embedded, identified: Identified, megaface: Mapping[str, Estimate]) -> Report:
    """Report a folder of people; `megaface` is empty without distractors."""
    found, roles = identified.estimates, identified.split
    searches = int(np.isfinite(identified.non_mated).sum())
    return {
        "rank": {str(k): _valued("rate", found[f"rank@{k}"]) for k in RANKS if f"rank@{k}" in found},
        "fnir_at_fpir": _at_rates(
            "fnir",
            lambda rate: found[f"fnir@{rate}"],
            identified.curve,
            searches,
            UNSUPPORTED.replace("pairs", "searches"),
        ),
        "rank_1_at_distractors": {size: _valued("rate", estimate) for size, estimate in megaface.items()},
        **_failures(embedded, found),
        "searches": {
            "gallery": len(roles.gallery),
            "mated": len(roles.probes),
            "non_mated": searches,
            "non_mated_are": "mated without their mates" if identified.is_leave_one_out else "people with one photo",
        },
        "hardest": {
            "mated": hardest.of_mated(embedded, identified),
            "non_mated": hardest.of_non_mated(embedded, identified),
        },
    }


def threshold_table(curve: Curve) -> list[tuple[float, float, float]]:
    """Return rows of threshold, FAR and FRR, every 0.05 over where the rates change."""
    marks = np.arange(-10, 20) / 20
    places = np.minimum(np.searchsorted(curve.thresholds, marks), len(curve.thresholds) - 1)
    return [
        (float(mark), float(curve.far[at]), float(1 - curve.tar[at])) for mark, at in zip(marks, places, strict=True)
    ]


def plain(value: Any) -> Any:
    """Return the value with null for what is no number, as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figures(name: str, estimate: Estimate) -> Report:
    return {name: estimate.value, f"{name}_interval": estimate.interval}


def _valued(name: str, estimate: Estimate) -> Report:
    return {name: estimate.value, "interval": estimate.interval}


def _rates(found: Mapping[str, Estimate], curve: Curve, impostors: int) -> Report:
    tar = _at_rates("tar", lambda rate: found[f"tar@{rate}"], curve, impostors, UNSUPPORTED)
    return {**_figures("eer", found["eer"]), **_figures("auc", found["auc"]), "tar_at_far": tar}


def _at_rates(name: str, estimate: Callable[[str], Estimate], curve: Curve, impostors: int, note: str) -> Report:
    """Return a figure at each rate of false acceptance, null where there are too few impostors to tell."""
    return {
        label(far): {
            **_valued(name, estimate(label(far))),
            "threshold": float(curve.thresholds[threshold_at(curve, far)]),
        }
        if is_supported(far, impostors)
        else {name: None, "interval": None, "threshold": None, "note": note}
        for far in FARS
    }


def _discarded(found: Mapping[str, Estimate], curve: Curve, *, pairs: int, impostors: int) -> Report:
    """Return FNMR as the worst pairs are rejected; `pairs` of each point are those left."""
    far = far_of(impostors)
    if far is None:
        return {"far": None, "threshold": None, "points": [], "note": UNSUPPORTED}
    return {
        "far": label(far),
        "threshold": float(curve.thresholds[threshold_at(curve, far)]),
        "points": [
            {
                "discarded": share,
                **_valued("fnmr", found[name_of(share)]),
                "pairs": pairs - rejected(pairs, share),
            }
            for share in SHARES
        ],
    }


def _failures(embedded: Embedded, found: Mapping[str, Estimate]) -> Report:
    failures = embedded.failures.items()
    return {
        "failures_to_enroll": len(embedded.failures),
        **_figures("failures_to_enroll_rate", found["failures_to_enroll_rate"]),
        "failed_photos": [{"file": embedded.photos[place].name, "reason": code} for place, code in failures],
        "photos": len(embedded.photos),
        "people": len({each.person for each in embedded.photos}),
    }
