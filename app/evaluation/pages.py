"""Rendering of a report: rows for a terminal, and an HTML page with plots."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.evaluation import plots
from app.evaluation.all_pairs import AllPairsResult
from app.evaluation.blocks import bin_edges
from app.evaluation.curves import RocCurve
from app.evaluation.html import HtmlPage, Thumbnails
from app.evaluation.identification import IdentificationResult
from app.evaluation.report import Report, threshold_table
from app.evaluation.values import Pairs
from app.evaluation.verification import VerificationResult

HEADER = ("figure", "value", "95 % interval", "threshold")
_FIGURE_GROUPS = {"tar_at_far": ("TAR at FAR", "tar"), "fnir_at_fpir": ("FNIR at FPIR", "fnir")}
_FIGURE_GROUPS |= {"rank": ("rank", "rate"), "rank_1_at_distractors": ("rank-1 among distractors:", "rate")}
_SINGLE_FIGURES = {"accuracy": "accuracy", "eer": "EER", "auc": "AUC", "failures_to_enroll_rate": "failures to enroll"}


def rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the figures of a report as table rows."""
    lines = []
    for key, title in _SINGLE_FIGURES.items():
        if report.get(key) is not None:
            lines.append((title, number_text(report[key]), interval_text(report[f"{key}_interval"]), ""))
    for key, (title, name) in _FIGURE_GROUPS.items():
        for rate, figure in report.get(key, {}).items():
            if "note" in figure:
                lines.append((f"{title} {rate}", figure["note"], "", ""))
            else:
                threshold = number_text(figure["threshold"]) if "threshold" in figure else ""
                lines.append(
                    (f"{title} {rate}", number_text(figure[name]), interval_text(figure["interval"]), threshold)
                )
    return lines + _check_rows(report) + _discard_rows(report.get("error_versus_discard", {"points": []}))


def of_pairs(report: Report, pairs: Pairs, verified: VerificationResult, thumbnails: Thumbnails) -> str:
    """Return the page for given pairs."""
    ones = np.ones(len(pairs.is_same))
    sides = [(verified.similarities[side], ones[side]) for side in (pairs.is_same, ~pairs.is_same)]
    page = _start_page(report)
    page.heading("Folds")
    thresholds = zip(report["accuracy_per_fold"], report["threshold_per_fold"], strict=True)
    page.table(
        ("fold", "accuracy", "threshold of the other folds"),
        [
            (str(number), number_text(accuracy), number_text(threshold))
            for number, (accuracy, threshold) in enumerate(thresholds, 1)
        ],
    )
    histogram = plots.histogram(sides[0], sides[1], ("one person", "different people"))
    return _finish_page(page, report, verified.curve, histogram, thumbnails)


def of_all_pairs(report: Report, compared: AllPairsResult, thumbnails: Thumbnails) -> str:
    """Return the page for all pairs of a folder."""
    sides = (bin_edges(), compared.genuine), (bin_edges(), compared.impostor)
    histogram = plots.histogram(*sides, ("one person", "different people"))
    return _finish_page(_start_page(report), report, compared.curve, histogram, thumbnails)


def of_searches(report: Report, identified: IdentificationResult, thumbnails: Thumbnails) -> str:
    """Return the page for identification in a folder of people."""
    sides = [
        (similarities, np.ones(len(similarities))) for similarities in (identified.mated.mate, identified.non_mated)
    ]
    page = _start_page(report)
    if rates_by_size := report["rank_1_at_distractors"]:
        page.plot(
            "MegaFace",
            plots.over_distractors(
                [int(size) for size in rates_by_size], [figure["rate"] for figure in rates_by_size.values()]
            ),
        )
    histogram = plots.histogram(sides[0], sides[1], ("the mate", "the closest to a stranger"))
    return _finish_page(page, report, identified.curve, histogram, thumbnails, names=("FPIR", "FNIR"))


def _check_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the rates that the calibration promises, and those observed, as table rows."""
    return [
        (
            f"{kind.upper()} at the calibration's {asked}",
            rate.get("note") or f"{number_text(rate['observed'])} ({rate['over_asked']:.2g} times)",
            interval_text(rate["interval"]),
            number_text(rate["threshold"]),
        )
        for kind, rates in report.get("calibration_check", {}).items()
        for asked, rate in (rates or {}).items()
    ]


def _discard_rows(curve: Report) -> list[tuple[str, str, str, str]]:
    """Return the points of the error-versus-discard curve as table rows."""
    return [
        (
            f"FNMR without the worst {100 * point['discarded']:g} %",
            number_text(point["fnmr"]),
            interval_text(point["interval"]),
            number_text(curve["threshold"]),
        )
        for point in curve["points"]
    ]


def _start_page(report: Report) -> HtmlPage:
    page = HtmlPage(f"ArcID {report['kind']}: {report['setup']['pack']}")
    page.table(("set-up", ""), [(key, str(value)) for key, value in flatten(report["setup"])])
    counts = {**report.get("pairs", {}), **report.get("searches", {}), "photos": report["photos"]}
    page.table(("of", ""), [(key.replace("_", " "), str(value)) for key, value in counts.items()])
    page.heading("Figures")
    page.table(HEADER, rows(report))
    return page


def _finish_page(
    page: HtmlPage,
    report: Report,
    curve: RocCurve,
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
        shares, fnmr = (np.array([point[key] for point in points]) for key in ("discarded", "fnmr"))
        page.plot(
            f"Error versus discard (FAR {report['error_versus_discard']['far']})", plots.over_discarded(shares, fnmr)
        )
    page.heading("Thresholds")
    table = [(f"{threshold:.2f}", f"{far:.3e}", f"{frr:.3e}") for threshold, far, frr in threshold_table(curve)]
    page.table(("threshold", *names), table)
    for kind, hardest in report["hardest"].items():
        page.heading(f"Hardest: {kind.replace('_', '-')}")
        header = list(hardest[0]) if hardest else ["none"]
        page.table(header, [[_cell(value) for value in row.values()] for row in hardest], thumbnails)
    if report["failed_photos"]:
        page.heading("Failures to enroll")
        page.table(("file", "reason"), [(photo["file"], photo["reason"]) for photo in report["failed_photos"]])
    return str(page)


def flatten(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the members of a dictionary and of the dictionaries in it, with their names joined."""
    return [
        (f"{key} {name}".strip(), nested)
        for key, value in values.items()
        for name, nested in (value.items() if isinstance(value, dict) else [("", value)])
    ]


def _cell(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def number_text(value: float) -> str:
    """Return a figure as text."""
    return f"{value:.5f}"


def interval_text(ends: Sequence[float] | None) -> str:
    """Return an interval as text; empty without one."""
    return f"{ends[0]:.5f} .. {ends[1]:.5f}" if ends else ""
