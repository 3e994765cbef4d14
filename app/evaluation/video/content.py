"""Content of the report on tracks, and its rows and page. Pure."""

from app.evaluation import plots
from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import FARS, MIN_ABOVE, is_supported, label
from app.evaluation.html import HtmlPage
from app.evaluation.pages import HEADER, flatten, interval_text, number_text
from app.evaluation.report import UNSUPPORTED_SEARCHES, Report
from app.evaluation.values import EmbeddedPhotos
from app.evaluation.video.evaluation import UNITS, FilmedPeople, VideoResult
from app.evaluation.video.searches import ASKED

Row = tuple[str, str, str, str]

_OBSERVED = {
    "frame": "each frame for itself",
    "any_frame": "any frame of a track, each for itself",
    "last_look": "the last decision on a track",
    "track": "any decision on a track",
}


def of_video(embedded: EmbeddedPhotos, frames: int, filmed: FilmedPeople, result: VideoResult) -> Report:
    """Return the report."""
    tracks = len(filmed.people)
    return {
        "fnir_at_fpir": {unit: _fnir(unit, result, tracks) for unit in UNITS},
        "track_over_frame": {
            label(fpir): _estimate("ratio", result.estimates[f"ratio@{label(fpir)}"])
            for fpir in FARS
            if is_supported(fpir, tracks)
        },
        "observed_fpir": {label(asked): _observed(asked, result, tracks) for asked in ASKED},
        "tracks": {
            "enrolled_people": int((filmed.mates >= 0).sum()),
            "strangers": int((filmed.mates < 0).sum()),
            "frames_a_track": frames,
            "without_a_face": result.lost_tracks,
        },
        "failures_to_enroll": len(embedded.failures),
        "photos": len(embedded.photos),
    }


def rows(report: Report) -> list[Row]:
    """Return the figures as rows of a table."""
    lines: list[Row] = []
    for unit, by_rate in report["fnir_at_fpir"].items():
        lines += [
            (f"FNIR at FPIR {rate}, {unit}", number_text(each["fnir"]), interval_text(each["interval"]), "")
            for rate, each in by_rate.items()
            if each["fnir"] is not None
        ]
    lines += [
        (f"track / frame at FPIR {rate}", number_text(each["ratio"]), interval_text(each["interval"]), "")
        for rate, each in report["track_over_frame"].items()
    ]
    for asked, observed in report["observed_fpir"].items():
        lines += [
            (
                f"FPIR at the calibration's {asked}, {_OBSERVED[name]}",
                each.get("note") or f"{number_text(each['fpir'])} ({each['over_asked']:.2g} times)",
                interval_text(each["interval"]),
                "",
            )
            for name, each in observed.items()
            if name in _OBSERVED
        ]
        lines += [
            (
                f"FNIR at the calibration's {asked}, {unit}",
                number_text(each["fnir"]),
                interval_text(each["interval"]),
                "",
            )
            for unit, each in observed["missed"].items()
        ]
    return lines


def page_of(report: Report, result: VideoResult) -> str:
    """Return the page: configuration, counts, figures and curves."""
    page = HtmlPage(f"ArcID video: {report['setup']['pack']}")
    page.table(("set-up", ""), [(key, str(value)) for key, value in flatten(report["setup"])])
    page.table(("of", ""), [(key.replace("_", " "), str(value)) for key, value in report["tracks"].items()])
    page.heading("Figures")
    page.table(HEADER, rows(report))
    page.heading("Curves")
    for unit, curve in result.curves.items():
        page.plot(f"DET by {unit}", plots.det(curve, ("FPIR", "FNIR")))
    return str(page)


def _fnir(unit: str, result: VideoResult, tracks: int) -> Report:
    return {
        label(fpir): _estimate("fnir", result.estimates[f"{unit}_fnir@{label(fpir)}"])
        if is_supported(fpir, tracks)
        else {"fnir": None, "interval": None, "note": UNSUPPORTED_SEARCHES}
        for fpir in FARS
    }


def _observed(asked: float, result: VideoResult, tracks: int) -> Report:
    name = label(asked)
    rates = {kind: _rate(asked, result.estimates[f"{kind}_fpir@{name}"], tracks) for kind in _OBSERVED}
    missed = {unit: _estimate("fnir", result.estimates[f"{unit}_missed@{name}"]) for unit in UNITS}
    return {**rates, "missed": missed}


def _rate(asked: float, estimate: Estimate, tracks: int) -> Report:
    if not is_supported(asked, tracks) and estimate.value * tracks < MIN_ABOVE:
        return {"fpir": None, "interval": None, "over_asked": None, "note": UNSUPPORTED_SEARCHES}
    return {**_estimate("fpir", estimate), "over_asked": estimate.value / asked}


def _estimate(name: str, estimate: Estimate) -> Report:
    return {name: estimate.value, "interval": estimate.interval}
