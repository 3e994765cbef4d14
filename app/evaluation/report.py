"""What was found, as report.json has it; every figure stands beside its interval. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from app.evaluation.all_pairs import KEPT, AllCompared, Hard
from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import FARS, UNSUPPORTED, Curve, is_supported, label, threshold_at
from app.evaluation.identification import RANKS, Identified
from app.evaluation.values import Embedded, Pairs
from app.evaluation.verification import Verified

Report = dict[str, Any]


def of_pairs(pairs: Pairs, embedded: Embedded, verified: Verified) -> Report:
    """Report given pairs."""
    is_found = np.isfinite(verified.similarities)
    genuine, impostor = int(pairs.is_same.sum()), int((~pairs.is_same).sum())
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
        **_rates(verified.estimates, verified.curve, int((~pairs.is_same & is_found).sum())),
        **_failures(embedded, verified.estimates),
        "pairs": {
            "genuine": genuine,
            "impostor": impostor,
            "not_compared": int((~is_found).sum()),
            "folds": len(accuracies),
        },
        "hardest": {
            "genuine": _hardest(embedded, [each for each, same in zip(hard, is_same, strict=True) if same][:KEPT]),
            "impostor": _hardest(embedded, [each for each, same in zip(hard, is_same, strict=True) if not same][::-1]),
        },
    }


def of_all_pairs(embedded: Embedded, compared: AllCompared) -> Report:
    """Report every pair of a folder; there are no folds, hence no accuracy."""
    impostor = int(compared.impostor.sum())
    return {
        "accuracy": None,
        "accuracy_interval": None,
        "accuracy_std": None,
        **_rates(compared.estimates, compared.curve, impostor),
        **_failures(embedded, compared.estimates),
        "pairs": {"genuine": int(compared.genuine.sum()), "impostor": impostor},
        "hardest": {
            "genuine": _hardest(embedded, compared.hard_genuine),
            "impostor": _hardest(embedded, compared.hard_impostor),
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
        "hardest": {"mated": _missed(embedded, identified), "non_mated": _false_alarms(embedded, identified)},
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


def _failures(embedded: Embedded, found: Mapping[str, Estimate]) -> Report:
    failures = embedded.failures.items()
    return {
        "failures_to_enrol": len(embedded.failures),
        **_figures("failures_to_enrol_rate", found["failures_to_enrol_rate"]),
        "failed_photos": [{"file": embedded.photos[place].name, "reason": code} for place, code in failures],
        "photos": len(embedded.photos),
        "people": len({each.person for each in embedded.photos}),
    }


def _hardest(embedded: Embedded, hard: Iterable[Hard]) -> list[Report]:
    photos = embedded.photos
    named = ((similarity, photos[one].name, photos[two].name) for similarity, one, two in hard)
    return [{"similarity": similarity, "first": one, "second": two} for similarity, one, two in named][:KEPT]


def _missed(embedded: Embedded, identified: Identified) -> list[Report]:
    """Return the mated searches by how much closer somebody else was."""
    mated, roles, names = identified.mated, identified.split, [each.name for each in embedded.photos]
    compared = np.flatnonzero(np.isfinite(mated.mate) & np.isfinite(mated.other))
    order = compared[np.argsort(mated.mate[compared] - mated.other[compared])[:KEPT]]
    return [
        {
            "similarity": float(mated.mate[at]),
            "first": names[roles.probes[at]],
            "second": names[roles.gallery[roles.mates[at]]],
            "rank": int(mated.rank[at]),
            "closest_other": names[roles.gallery[mated.other_place[at]]],
            "similarity_of_other": float(mated.other[at]),
        }
        for at in order
    ]


def _false_alarms(embedded: Embedded, identified: Identified) -> list[Report]:
    roles = identified.split
    of = roles.probes if identified.is_leave_one_out else roles.strangers
    order = [at for at in np.argsort(-identified.non_mated)[:KEPT] if np.isfinite(identified.non_mated[at])]
    places = [(int(of[at]), int(roles.gallery[identified.non_mated_place[at]])) for at in order]
    return _hardest(
        embedded, [(float(identified.non_mated[at]), *pair) for at, pair in zip(order, places, strict=True)]
    )
