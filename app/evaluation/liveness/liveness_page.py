"""Rendering of the report on presentation attack detection as an HTML page with the DET."""

from app.evaluation import plots
from app.evaluation.html import HtmlPage
from app.evaluation.liveness.liveness_evaluation import LivenessEvaluation
from app.evaluation.liveness.liveness_tables import (
    FIGURE_HEADER,
    TITLES,
    VERDICT_HEADER,
    figure_rows,
    threshold_line,
    verdict_rows,
)
from app.evaluation.pages import flatten
from app.evaluation.report import Report

_NAMES = ("APCER of the worst kind", "BPCER")


def page_of(report: Report, evaluations: dict[str, LivenessEvaluation]) -> str:
    """Return the page; `evaluations` are those of the sections of the report."""
    page = HtmlPage("ArcID liveness")
    page.table(("set-up", ""), [(key, str(value)) for key, value in flatten(report["setup"])])
    for key, title in TITLES.items():
        if report[key] is not None:
            _add_section(page, title, report[key], evaluations[key])
    return str(page)


def _add_section(page: HtmlPage, title: str, section: Report, evaluation: LivenessEvaluation) -> None:
    page.heading(title)
    if "note" in section:
        page.text(section["note"])
    page.text(threshold_line(section))
    page.table(VERDICT_HEADER, verdict_rows(section))
    page.table(FIGURE_HEADER, figure_rows(section))
    if section["det"] and evaluation.curve is not None:
        page.plot("DET", plots.det(evaluation.curve, _NAMES))
        table = [tuple(f"{value:.4f}" for value in point) for point in section["det"]]
        page.table(("threshold", *_NAMES), table)
