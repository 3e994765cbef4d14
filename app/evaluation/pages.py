"""A report as rows for a terminal and as a page with plots."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.evaluation import plots
from app.evaluation.all_pairs import AllCompared
from app.evaluation.blocks import edges
from app.evaluation.curves import Curve
from app.evaluation.html import Page, Thumbnails
from app.evaluation.identification import Identified
from app.evaluation.report import Report, threshold_table
from app.evaluation.values import Pairs
from app.evaluation.verification import Verified

HEADER = ("figure", "value", "95 % interval", "threshold")
_SEVERAL = {"tar_at_far": ("TAR at FAR", "tar"), "fnir_at_fpir": ("FNIR at FPIR", "fnir")}
_SEVERAL |= {"rank": ("rank", "rate"), "rank_1_at_distractors": ("rank-1 among distractors:", "rate")}
_SINGLE = {"accuracy": "accuracy", "eer": "EER", "auc": "AUC", "failures_to_enroll_rate": "failures to enroll"}


def rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the figures of a report, a line each."""
    lines = []
    for key, title in _SINGLE.items():
        if report.get(key) is not None:
            lines.append((title, _number(report[key]), _interval(report[f"{key}_interval"]), ""))
    for key, (title, name) in _SEVERAL.items():
        for mark, found in report.get(key, {}).items():
            if "note" in found:
                lines.append((f"{title} {mark}", found["note"], "", ""))
            else:
                threshold = _number(found["threshold"]) if "threshold" in found else ""
                lines.append((f"{title} {mark}", _number(found[name]), _interval(found["interval"]), threshold))
    return lines + _discarding(report.get("error_versus_discard", {"points": []}))


def of_pairs(report: Report, pairs: Pairs, verified: Verified, thumbnails: Thumbnails) -> str:
    """Return the page of given pairs."""
    ones = np.ones(len(pairs.is_same))
    sides = [(verified.similarities[side], ones[side]) for side in (pairs.is_same, ~pairs.is_same)]
    page = _begun(report)
    page.heading("Folds")
    thresholds = zip(report["accuracy_per_fold"], report["threshold_per_fold"], strict=True)
    page.table(
        ("fold", "accuracy", "threshold of the other folds"),
        [(str(number), _number(accuracy), _number(at)) for number, (accuracy, at) in enumerate(thresholds, 1)],
    )
    histogram = plots.histogram(sides[0], sides[1], ("one person", "different people"))
    return _ended(page, report, verified.curve, histogram, thumbnails)


def of_all_pairs(report: Report, compared: AllCompared, thumbnails: Thumbnails) -> str:
    """Return the page of every pair of a folder."""
    sides = (edges(), compared.genuine), (edges(), compared.impostor)
    histogram = plots.histogram(*sides, ("one person", "different people"))
    return _ended(_begun(report), report, compared.curve, histogram, thumbnails)


def of_searches(report: Report, identified: Identified, thumbnails: Thumbnails) -> str:
    """Return the page of a folder of people."""
    sides = [(each, np.ones(len(each))) for each in (identified.mated.mate, identified.non_mated)]
    page = _begun(report)
    if among := report["rank_1_at_distractors"]:
        page.plot(
            "MegaFace", plots.over_distractors([int(size) for size in among], [x["rate"] for x in among.values()])
        )
    histogram = plots.histogram(sides[0], sides[1], ("the mate", "the closest to a stranger"))
    return _ended(page, report, identified.curve, histogram, thumbnails, names=("FPIR", "FNIR"))


def _discarding(found: Report) -> list[tuple[str, str, str, str]]:
    """Return the error-versus-discard curve, a line for each point."""
    return [
        (
            f"FNMR without the worst {100 * each['discarded']:g} %",
            _number(each["fnmr"]),
            _interval(each["interval"]),
            _number(found["threshold"]),
        )
        for each in found["points"]
    ]


def _begun(report: Report) -> Page:
    page = Page(f"ArcID {report['kind']}: {report['setup']['pack']}")
    page.table(("set-up", ""), [(key, str(value)) for key, value in _flat(report["setup"])])
    counted = {**report.get("pairs", {}), **report.get("searches", {}), "photos": report["photos"]}
    page.table(("of", ""), [(key.replace("_", " "), str(value)) for key, value in counted.items()])
    page.heading("Figures")
    page.table(HEADER, rows(report))
    return page


def _ended(
    page: Page,
    report: Report,
    curve: Curve,
    histogram: bytes,
    thumbnails: Thumbnails,
    *,
    names: tuple[str, str] = ("FAR", "FRR"),
) -> str:
    page.heading("Curves")
    page.plot("ROC", plots.roc(curve, (names[0], "TAR" if names[1] == "FRR" else "1 - FNIR")))
    page.plot("DET", plots.det(curve, names))
    page.plot("Similarities", histogram)
    if points := report.get("error_versus_discard", {"points": []})["points"]:
        shares, fnmr = (np.array([each[key] for each in points]) for key in ("discarded", "fnmr"))
        page.plot(
            f"Error versus discard (FAR {report['error_versus_discard']['far']})", plots.over_discarded(shares, fnmr)
        )
    page.heading("Thresholds")
    table = [(f"{at:.2f}", f"{far:.3e}", f"{frr:.3e}") for at, far, frr in threshold_table(curve)]
    page.table(("threshold", *names), table)
    for kind, hardest in report["hardest"].items():
        page.heading(f"Hardest: {kind.replace('_', '-')}")
        header = list(hardest[0]) if hardest else ["none"]
        page.table(header, [[_cell(value) for value in each.values()] for each in hardest], thumbnails)
    if report["failed_photos"]:
        page.heading("Failures to enroll")
        page.table(("file", "reason"), [(each["file"], each["reason"]) for each in report["failed_photos"]])
    return str(page)


def _flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (f"{key} {name}".strip(), each)
        for key, value in values.items()
        for name, each in (value.items() if isinstance(value, dict) else [("", value)])
    ]


def _cell(value: Any) -> str:
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.5f}"


def _interval(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.5f} .. {interval[1]:.5f}" if interval else ""
