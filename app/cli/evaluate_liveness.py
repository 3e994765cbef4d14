"""`arcid evaluate liveness`: measure the error rates of presentation attack detection."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.evaluate import Detector, Replicates, cli
from app.cli.output import Console, prepare_matplotlib, show
from app.container import Container
from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import REPLICATES
from app.evaluation.liveness.liveness_evaluation import LivenessEvaluation, RateLimits, evaluate_liveness
from app.evaluation.liveness.liveness_report import of_liveness
from app.evaluation.liveness.liveness_tables import (
    FIGURE_HEADER,
    VERDICT_HEADER,
    figure_rows,
    sections,
    threshold_line,
    verdict_rows,
)
from app.evaluation.liveness.photo_scoring import LivenessPipeline
from app.evaluation.liveness.presentations import PhotoSet, Presentations, read_attacks, read_live, score_photos
from app.evaluation.report import Report, to_json
from app.recognition.liveness.thresholds import LivenessThresholds
from app.wiring.batching import threads_of
from app.wiring.evaluation import open_liveness_pipeline

Live = Annotated[
    Path, typer.Option(exists=True, file_okay=False, help="Folder of photos of live people: person/photo.jpg.")
]
Attacks = Annotated[
    Path, typer.Option(exists=True, file_okay=False, help="Folder of attacks: a folder for each kind, such as print/.")
]
MaxBpcer = Annotated[float | None, typer.Option(help="Tolerated share of live people taken for attacks, such as 0.05.")]
MaxApcer = Annotated[
    float | None, typer.Option(help="Tolerated share of attacks of the worst kind taken for live, such as 0.1.")
]


@cli.command("liveness")
def evaluate(  # noqa: PLR0913 - the options of a command
    *,
    live: Live,
    attacks: Attacks,
    max_bpcer: MaxBpcer = None,
    max_apcer: MaxApcer = None,
    collection: Annotated[
        str | None, typer.Option(help="Use the detector and the stored calibration of this collection.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for report.json and report.html, with the DET.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,
    detector: Detector = None,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Measure presentation attack detection: APCER by kind of attack, BPCER, ACER, AUC, with intervals by person."""
    limits = read_limits(max_bpcer, max_apcer)
    people, kinds = read_live(live), read_attacks(attacks)
    settings = bench.settings_with(None, detector, flip=None)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        prepare_matplotlib(settings.data_dir)
    with Container(settings) as container:
        pipeline, thresholds = _open(container, collection, detector)
        scored = score_sets(pipeline, [people, *kinds], threads_of(settings))
    evaluations = _evaluate(scored[0], scored[1:], limits or thresholds, bootstrap)
    content = of_liveness(evaluations.get("real"), evaluations.get("simulated"), limits)
    report = {"kind": "liveness", **content, "setup": pipeline.setup}
    if out is not None:
        _write(report, evaluations, out)
    if as_json:
        typer.echo(json.dumps(to_json(report), indent=1, allow_nan=False))
    else:
        _print(report)


def read_limits(max_bpcer: float | None, max_apcer: float | None) -> RateLimits | None:
    """Return the tolerated rates, None without any; raises EvaluationInvalid for one that is not between 0 and 1."""
    for name, rate in (("--max-bpcer", max_bpcer), ("--max-apcer", max_apcer)):
        if rate is not None and not 0 < rate < 1:
            raise EvaluationInvalid(f"{name} is a rate between 0 and 1, such as 0.05, not {rate:g}")
    return None if max_bpcer is None and max_apcer is None else RateLimits(max_bpcer, max_apcer)


def score_sets(pipeline: LivenessPipeline, sets: Sequence[PhotoSet], threads: int) -> list[Presentations]:
    """Score the photos of all sets, with progress."""
    with counting("photos", sum(len(each.photos) for each in sets)) as advance:
        return [score_photos(each, pipeline.score, threads=threads, advance=advance) for each in sets]


def _open(
    container: Container, collection: str | None, detector: str | None
) -> tuple[LivenessPipeline, LivenessThresholds]:
    """Return the pipeline and the thresholds of a collection, or of the settings."""
    if collection is None:
        pipeline = open_liveness_pipeline(container.settings, container.models, detector)
        return pipeline, container.models.liveness.thresholds()
    found = container.store.collection(collection)
    if detector not in {None, container.registry.detector_of(found)}:
        raise EvaluationInvalid(f"collection {collection!r} has its own detector; leave out --detector")
    pipeline = open_liveness_pipeline(container.settings, container.models, container.registry.detector_of(found))
    return pipeline, container.liveness_thresholds(found)


def _evaluate(
    live: Presentations, attacks: Sequence[Presentations], thresholds: LivenessThresholds | RateLimits, replicates: int
) -> dict[str, LivenessEvaluation]:
    """Evaluate real and simulated attacks apart; against simulated photos of live people, no attack is real."""
    kinds: dict[str, list[Presentations]] = {"real": [], "simulated": []}
    for each in attacks:
        kinds["simulated" if each.is_simulated or live.is_simulated else "real"].append(each)
    with counting("resamplings", replicates * sum(map(bool, kinds.values()))) as advance:
        return {
            key: evaluate_liveness(live, species, thresholds, replicates=replicates, advance=advance)
            for key, species in kinds.items()
            if species
        }


def _write(report: Report, evaluations: dict[str, LivenessEvaluation], out: Path) -> None:
    from app.evaluation.liveness import liveness_page  # noqa: PLC0415 - Matplotlib takes a second that only --out needs

    (out / "report.json").write_text(json.dumps(to_json(report), indent=1, allow_nan=False), "utf-8")
    (out / "report.html").write_text(liveness_page.page_of(report, evaluations), "utf-8")


def _print(report: Report) -> None:
    for title, section in sections(report):
        Console().print(f"{title}; {threshold_line(section)}", highlight=False, soft_wrap=True)
        if "note" in section:
            Console().print(section["note"], highlight=False, soft_wrap=True)
        for header, rows in ((VERDICT_HEADER, verdict_rows(section)), (FIGURE_HEADER, figure_rows(section))):
            table = Table(*header, box=None)
            for row in rows:
                table.add_row(*row)
            show(table)
