"""Shared parts of the commands of `arcid evaluate`: the pipeline and the report."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from rich.table import Table

from app.cli.counting import counting
from app.cli.output import Console, show
from app.config import Settings, read_settings
from app.evaluation.embeddings import EmbeddingCache, PhotoEmbedder, save_embeddings
from app.evaluation.pipeline import Pipeline
from app.evaluation.report import Report, to_json
from app.evaluation.values import EmbeddedPhotos, Photo
from app.recognition.decisions.calibration.error_rates import Calibration, scoring_of
from app.vision.imaging.decode import Limits, decode
from app.wiring.batching import threads_of
from app.wiring.evaluation import open_pipeline, open_video_pipelines

_THUMBNAIL = 96  # pixels of the shorter side

Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Bench:
    """An open pipeline: the embedder of photos, its configuration and its calibration."""

    embeddings: PhotoEmbedder
    setup: dict[str, Any]
    calibration: Calibration | None

    def embed(self, photos: Sequence[Photo], save_to: Path | None = None) -> EmbeddedPhotos:
        """Embed photos; write the embeddings to a file, if given."""
        with counting("photos", len(photos)) as advance:
            embedded = self.embeddings.embed(photos, advance)
        if save_to is not None:
            save_embeddings(embedded, save_to)
        return embedded


def settings_with(pack: str | None, detector: str | None, *, flip: bool | None) -> Settings:
    """Read the settings; options of the command line override them."""
    settings = read_settings()
    overrides = {name: value for name, value in (("pack", pack), ("detector", detector)) if value is not None}
    inference = settings.inference if flip is None else settings.inference.model_copy(update={"flip": flip})
    return settings.model_copy(update={**overrides, "inference": inference})


@contextmanager
def open_bench(settings: Settings, *, is_aligned: bool, is_degraded: bool, is_cached: bool) -> Iterator[Bench]:
    """Open the networks and the cache."""
    yield _bench(settings, open_pipeline(settings, is_aligned=is_aligned, is_degraded=is_degraded), is_cached=is_cached)


@contextmanager
def open_video_bench(settings: Settings, *, is_cached: bool) -> Iterator[tuple[Bench, Bench]]:
    """Open the networks and the caches: for photos, and for frames of a camera."""
    photos, frames = (_bench(settings, each, is_cached=is_cached) for each in open_video_pipelines(settings))
    yield photos, frames


def _bench(settings: Settings, pipeline: Pipeline, *, is_cached: bool) -> Bench:
    cache = EmbeddingCache(settings.data_dir / "evaluation" / pipeline.key) if is_cached else None
    embedder = PhotoEmbedder(
        pipeline.enroll, threads=threads_of(settings), cache=cache, scoring=scoring_of(pipeline.calibration)
    )
    return Bench(embedder, pipeline.setup, pipeline.calibration)


def thumbnails(report: Report, embedded: EmbeddedPhotos) -> dict[str, bytes]:
    """Return thumbnails of the hardest photos in the report, by name."""
    rows = [row for hardest in report["hardest"].values() for row in hardest]
    names = {row[key] for row in rows for key in ("first", "second", "closest_other") if key in row}
    pictures = {}
    for photo in (photo for photo in embedded.photos if photo.name in names):
        pixels = decode(photo.read(), Limits(), enough=_THUMBNAIL).pixels
        factor = _THUMBNAIL / min(pixels.shape[:2])
        small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        pictures[photo.name] = cv2.imencode(".jpg", small[:, :, ::-1])[1].tobytes()
    return pictures


def write(report: Report, page: str, out: Path, rows: Sequence[Row]) -> None:
    """Write both reports and print the figures."""
    (out / "report.json").write_text(json.dumps(to_json(report), indent=1, allow_nan=False), "utf-8")
    (out / "report.html").write_text(page, "utf-8")
    table = Table("figure", "value", "95 % interval", "threshold", box=None)
    for row in rows:
        table.add_row(*row)
    show(table)
    failed = f"{report['failures_to_enroll']} of {report['photos']} photos without a face"
    Console().print(f"{failed}; {out / 'report.html'}", highlight=False, soft_wrap=True)
