"""`arcid watch`: follow people through a video, a stream or a camera of this machine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.api.schemas.cameras import SightingSchema
from app.api.schemas.fields import DEFAULT_COLLECTION
from app.cli.default_collection import ensure_default
from app.cli.output import Console
from app.cli.rates import rate_in_words
from app.cli.serve import prepare_database, use_one_arena
from app.config import Settings, read_settings
from app.container import Container
from app.errors import FileUnusable, SettingsInvalid
from app.notify.sighting import Sighting, SightingVerdict
from app.observability.counted import counted
from app.observability.printable import one_line
from app.recognition.decisions.stated_rates import LEAST_STATED, StatedRate
from app.watch.camera_tracks import CameraTracks, TrackOptions
from app.watch.decoding import DecodingOptions
from app.watch.frames import FrameSource
from app.watch.sources import device_source, operators_source

_CAMERA = "command line"


def watch(
    source: Annotated[
        str | None, typer.Argument(metavar="FILE|URL", help="A video file, or the URL of a stream, such as rtsp://...")
    ] = None,
    *,
    device: Annotated[int | None, typer.Option(min=0, help="A camera of this machine, such as 0.")] = None,
    collection: Annotated[str, typer.Option(help="Name of the collection.")] = DEFAULT_COLLECTION,
    fps: Annotated[float, typer.Option(min=0.01, max=30, help="Most frames a second that are searched.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document per decision.")] = False,
) -> None:
    """Show who is in a video or stream: one line for each decision on a track.

    Nothing is stored.
    """
    if (source is None) == (device is None):
        raise SettingsInvalid("name a file or URL, or a camera with --device")
    use_one_arena()
    settings = read_settings()
    opened = _opened(source, device, _decoding(settings, fps))
    prepare_database(settings)
    with Container(settings) as container:
        ensure_default(container, collection)
        container.gallery.require(collection)
        tracks = CameraTracks(_CAMERA, collection, container.track_identification, TrackOptions(has_pictures=False))
        seen = Summary()
        for found, start in _sightings(opened, tracks):
            seen.add(found)
            typer.echo(_json(found) if as_json else _line(found, start))
    if not as_json:
        Console(stderr=True).print(seen.text(), highlight=False, soft_wrap=True)


class Summary:
    """The last decision on each track."""

    def __init__(self) -> None:
        self._verdicts: dict[str, SightingVerdict] = {}

    def add(self, sighting: Sighting) -> None:
        """Add a decision."""
        self._verdicts[sighting.track_id] = sighting.verdict

    def text(self) -> str:
        """Return the number of tracks by verdict, in words."""
        counts = [(each.value, [*self._verdicts.values()].count(each)) for each in SightingVerdict]
        parts = ", ".join(f"{count} {name}" for name, count in counts if count)
        return f"tracks: {parts}" if parts else "no person was seen well enough for a decision"


def _opened(source: str | None, device: int | None, options: DecodingOptions) -> FrameSource:
    if source is None:
        return device_source(device or 0, options)
    if "://" in source:
        return operators_source(source, options)
    path = Path(source)
    if not path.is_file():
        raise FileUnusable(f"{source} is not a file")
    return operators_source(path, replace(options, is_threaded=True))


def _decoding(settings: Settings, fps: float) -> DecodingOptions:
    cameras = settings.cameras
    return DecodingOptions(fps, cameras.seconds, settings.limits.photo_pixels, cameras.decoder)


def _sightings(source: FrameSource, tracks: CameraTracks) -> Iterator[tuple[Sighting, datetime]]:
    """Yield the decisions, each with the time of the first frame. Ctrl-C ends the video, not the decisions."""
    start = None
    try:
        for frame in source.frames():
            start = start or frame.at
            for found in tracks.see(frame.image, frame.at):
                yield found, start
    except KeyboardInterrupt:
        pass
    if start is not None:
        for found in tracks.finish():
            yield found, start


def _json(sighting: Sighting) -> str:
    return SightingSchema.of(sighting).model_dump_json()


def _line(sighting: Sighting, start: datetime) -> str:
    """Return a decision as a line: the time from the first frame to the decision, the verdict, who it is."""
    times = "-".join(_clock((each - start).total_seconds()) for each in (sighting.first_seen, sighting.last_seen))
    verdict = f"{sighting.verdict.value}{' (revised)' if sighting.is_revised else ''}"
    parts = [times, f"{verdict:<9}", f"quality {sighting.quality:.2f}", counted(sighting.frames, "frame")]
    if sighting.identity_id is not None:
        name = sighting.name
        who = sighting.identity_id if name in {None, sighting.identity_id} else f"{name} ({sighting.identity_id})"
        parts.insert(2, who)
        parts.insert(3, f"similarity {sighting.similarity or 0.0:.2f}")
        if sighting.fpir is not None:
            parts.insert(4, f"chance of a stranger {_chance(sighting.fpir)}")
    return one_line("  ".join(parts))


def _chance(fpir: float) -> str:
    """Return a rate that is stated without its range, in words. The smallest one is an upper bound."""
    return rate_in_words(StatedRate(fpir, (0.0 if fpir <= LEAST_STATED else fpir, fpir)))


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{seconds % 60:04.1f}"
