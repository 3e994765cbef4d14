"""`arcid calibrate liveness`: choose the thresholds of liveness for the camera of a collection, and store them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli.calibrate import cli
from app.cli.default_collection import ensure_default
from app.cli.evaluate_liveness import Live, MaxApcer, MaxBpcer, read_limits, score_sets
from app.cli.output import Console, show
from app.config import read_settings
from app.container import Container
from app.errors import EvaluationInvalid
from app.evaluation.liveness.error_bounds import ErrorRate
from app.evaluation.liveness.liveness_choice import ChosenThresholds, choose_for_camera
from app.evaluation.liveness.liveness_evaluation import RateLimits
from app.evaluation.liveness.presentations import read_attacks, read_live
from app.gallery.store.liveness_calibrations import LivenessCalibration, MeasuredRate
from app.wiring.batching import threads_of
from app.wiring.evaluation import open_liveness_pipeline


@cli.command("liveness")
def calibrate_liveness(
    *,
    live: Live,
    collection: Annotated[str, typer.Option(help="Collection whose requests come from this camera.")],
    attacks: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder of attacks: a folder for each kind, such as print/."),
    ] = None,
    max_bpcer: MaxBpcer = None,
    max_apcer: MaxApcer = None,
) -> None:
    """Choose the thresholds of liveness from photos of a collection's camera; all replicas use them at once."""
    limits = read_limits(max_bpcer, max_apcer)
    if limits is None:
        raise EvaluationInvalid("give --max-bpcer, --max-apcer or both")
    sets = [read_live(live), *(read_attacks(attacks) if attacks is not None else ())]
    with Container(read_settings()) as container:
        ensure_default(container, collection)
        detector = container.registry.detector_of(container.store.collection(collection))
        pipeline = open_liveness_pipeline(container.settings, container.models, detector)
        people, *kinds = score_sets(pipeline, sets, threads_of(container.settings))
        chosen = choose_for_camera(people, kinds, limits)
        loader = container.models.liveness
        made = _calibration(chosen, limits, detector, loader.fingerprint, loader.sha256s)
        stored = container.liveness_calibrations.write(collection, made)
    _print(collection, stored)


def _calibration(
    chosen: ChosenThresholds, limits: RateLimits, detector: str, fingerprint: str, sha256s: dict[str, str]
) -> LivenessCalibration:
    return LivenessCalibration(
        at=datetime.now(UTC),
        fingerprint=fingerprint,
        sha256s=sha256s,
        detector=detector,
        live_from=chosen.thresholds.live_from,
        attack_below=chosen.thresholds.attack_below,
        max_bpcer=limits.max_bpcer,
        max_apcer=limits.max_apcer,
        bpcer=_measured(chosen.bpcer),
        apcer={name: _measured(rate) for name, rate in chosen.apcer.items()},
    )


def _measured(rate: ErrorRate) -> MeasuredRate:
    count, estimate = rate.count, rate.estimate
    return MeasuredRate(
        count.errors,
        count.photos,
        count.people,
        None if estimate is None else estimate.value,
        None if estimate is None else estimate.interval,
        count.at_most if estimate is None else None,
    )


def _print(collection: str, stored: LivenessCalibration) -> None:
    Console().print(
        f"{collection}: calibration {stored.version} of liveness; live from {stored.live_from:.4g}, attack below "
        f"{stored.attack_below:.4g}. Chosen on these photos, so their rates here are optimistic",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("photos of", "photos", "people", "rate", "95 % interval", box=None)
    rates = {"live people": ("BPCER", stored.bpcer)} | {name: ("APCER", rate) for name, rate in stored.apcer.items()}
    for name, (error, rate) in rates.items():
        value = f"at most {rate.at_most:.0%}" if rate.rate is None else f"{rate.rate:.1%}"
        interval = f"{rate.interval[0]:.1%} .. {rate.interval[1]:.1%}" if rate.interval else ""
        table.add_row(name, str(rate.photos), str(rate.people), f"{error} {value}", interval)
    show(table)
