"""report.html of the template protocol."""

from app.evaluation import plots
from app.evaluation.html import HtmlPage
from app.evaluation.ijb import TemplateResult
from app.evaluation.pages import HEADER, flatten, rows
from app.evaluation.report import Report


def page_of(report: Report, result: TemplateResult) -> str:
    """Return the page: configuration, counts, figures and curves."""
    page = HtmlPage(f"ArcID templates (IJB): {report['setup']['pack']}")
    page.table(("set-up", ""), [(key, str(value)) for key, value in flatten(report["setup"])])
    counts = {**report["pairs"], **{key: report[key] for key in ("people", "templates", "media", "photos")}}
    page.table(("of", ""), [(key.replace("_", " "), str(value)) for key, value in counts.items()])
    page.heading("Figures")
    page.table(HEADER, rows(report))
    page.heading("Curves")
    page.plot("ROC", plots.roc(result.curve))
    page.plot("DET", plots.det(result.curve, ("FAR", "FRR")))
    return str(page)
