"""Rendering of the report on groups: rows for a terminal, and an HTML page with plots."""

from collections.abc import Iterator, Sequence
from typing import Any

from app.evaluation.groups import drawings
from app.evaluation.html import HtmlPage
from app.evaluation.pages import HEADER, flatten
from app.evaluation.report import Report

Row = tuple[str, str, str, str]
_MEASURES = {
    "worst_over_geometric_mean": "worst / geometric mean",
    "worst_over_best": "worst / best",
    "gini": "Gini coefficient",
}


def terminal_rows(report: Report) -> list[Row]:
    """Return the rates at the thresholds of the calibration; without a calibration, at those of the set."""
    origin = "calibration" if report["calibration"] else "set"
    points = [point for point in report["operating_points"] if point["threshold_from"] == origin]
    return [row for point in points for row in _point_rows(point)] + list(_search_rows(report["identification"]))


def page_of(report: Report) -> str:
    """Return the page: for each operating point, a table, and two plots for each grouping."""
    page = HtmlPage(f"ArcID groups: {report['setup']['pack']}")
    page.table(("set-up", ""), [(key, str(value)) for key, value in flatten(report["setup"])])
    calibration = report["calibration"] or {"calibration": "none ships for this network and detector"}
    page.table(("calibration", ""), [(key, str(value)) for key, value in calibration.items()])
    for grouping, members in report["groups"].items():
        page.heading(f"Groups: {grouping}")
        rows = [*members["groups"].items(), ("not stated", members["not_stated"])]
        page.table(
            ("group", "people", "photos", "failures to enroll"),
            [(name, *(str(count) for count in counts.values())) for name, counts in rows],
        )
    for point in report["operating_points"]:
        _add_point(page, point)
    if report["identification"]:
        page.heading(f"Identification among {report['identification']['gallery']:,} people")
        page.table(HEADER, list(_search_rows(report["identification"])))
    if report["failed_photos"]:
        page.heading("Failures to enroll")
        page.table(("file", "reason"), [(photo["file"], photo["reason"]) for photo in report["failed_photos"]])
    return str(page)


def _add_point(page: HtmlPage, point: Report) -> None:
    page.heading(f"FMR {point['max_fmr']:g}, threshold of the {point['threshold_from']}")
    page.table(HEADER, list(_point_rows(point)))
    for grouping, rates in point.get("by", {}).items():
        by_name = {name: group["fmr"] for name, group in rates["groups"].items()}
        shown = {"all": point["all"]["fmr"], "within groups": rates["within"], "across groups": rates["across"]}
        page.plot(f"FMR by {grouping}", drawings.rates_by_group(by_name | shown, point["max_fmr"]))
        page.plot(
            f"FMR within and between {grouping}", drawings.matrix(list(by_name), rates["matrix"], point["max_fmr"])
        )


def _point_rows(point: Report) -> Iterator[Row]:
    title = f"{point['max_fmr']:g}"
    if "note" in point:
        yield f"FMR {title}", point["note"], "", ""
        return
    threshold = f"{point['threshold']:.3f}"
    for kind in ("fmr", "fnmr"):
        yield _rate_row(f"{kind.upper()} at {title}: all", point["all"][kind], threshold)
    for grouping, rates in point["by"].items():
        yield from _grouping_rows(f"at {title}, {grouping}", rates, threshold)


def _search_rows(searches: Report | None) -> Iterator[Row]:
    """Yield the rates of identification by group."""
    if searches is None:
        return
    title, threshold = f"{searches['max_fpir']:g}", f"{searches['threshold']:.3f}"
    for kind in ("fpir", "fnir"):
        yield _rate_row(f"{kind.upper()} at {title}: all", searches["all"][kind], threshold)
        for grouping, groups in searches["by"].items():
            for name, rates in groups.items():
                yield _rate_row(f"{kind.upper()} at {title}, {grouping}: {name}", rates[kind], threshold)


def _grouping_rows(title: str, rates: Report, threshold: str) -> Iterator[Row]:
    for kind in ("fmr", "fnmr"):
        for name, group in rates["groups"].items():
            yield _rate_row(f"{kind.upper()} {title}: {name}", group[kind], threshold)
        if kind == "fmr":
            yield _rate_row(f"FMR {title}: within groups", rates["within"], threshold)
            yield _rate_row(f"FMR {title}: across groups", rates["across"], threshold)
        yield from _measure_rows(f"{kind.upper()} {title}", rates["differential"][kind], threshold)


def _measure_rows(title: str, differential: Report, threshold: str) -> Iterator[Row]:
    if "note" in differential:
        yield f"{title}: differential", differential["note"], "", threshold
        return
    for key, name in _MEASURES.items():
        figure = differential[key]
        chance = figure["by_chance"]
        by_chance = f" (by chance up to {_number(chance['upper'])}, p {chance['p_value']:.2g})" if chance else ""
        yield f"{title}: {name}", _number(figure["value"]) + by_chance, _interval(figure["interval"]), threshold


def _rate_row(title: str, rate: Report, threshold: str) -> Row:
    source = f", from {rate['errors_from']}" if rate["errors"] else ""
    counts = f"{rate['errors']:,} of {rate['pairs']:,}{source}"
    bound = f", at most {_number(rate['upper'])}" if "upper" in rate else ""
    if rate["rate"] is None:
        return title, f"{counts}; {rate['note']}{bound}", "", threshold
    return title, f"{_number(rate['rate'])} ({counts}{bound})", _interval(rate["interval"]), threshold


def _number(value: float | None) -> str:
    return "unbounded" if value is None or value == float("inf") else f"{value:.2g}"


def _interval(interval: Sequence[Any] | None) -> str:
    return f"{_number(interval[0])} .. {_number(interval[1])}" if interval else ""
