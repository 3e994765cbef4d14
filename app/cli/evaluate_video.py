"""`arcid evaluate video`: compare single frames of a camera with tracks of them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.evaluate import Detector, Flip, NoCache, Out, Pack, Replicates, cli
from app.cli.output import prepare_matplotlib
from app.errors import EvaluationInvalid
from app.evaluation import protocols
from app.evaluation.bootstrap import REPLICATES
from app.evaluation.values import EmbeddedPhotos, number_names
from app.evaluation.video.evaluation import FilmedPeople, compare
from app.evaluation.video.track_set import CastPhotos, cast_photos, film
from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.calibration.error_rates import scoring_of
from app.recognition.decisions.policy import Policy
from app.recognition.tracks.shots import MOST_SHOTS

_PROBE_QUALITY = CollectionSettings().probe_quality


@cli.command()
def video(  # noqa: PLR0913 - the options of a command
    *,
    out: Out,
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of people: person/photo.jpg.")],
    frames: Annotated[int, typer.Option(min=1, max=MOST_SHOTS, help="Frames of a track.")] = 10,
    tracks: Annotated[int, typer.Option(min=1, help="Most tracks of enrolled people, and of strangers.")] = 1000,
    probe_quality: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum quality of a match, as of a collection.")
    ] = _PROBE_QUALITY,
    pack: Pack = None,
    detector: Detector = None,
    flip: Flip = None,
    no_cache: NoCache = False,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Film photos by a simulated camera: FNIR and FPIR of single frames, and of tracks of them."""
    cast = cast_photos(protocols.read_people(images), tracks)
    out.mkdir(parents=True, exist_ok=True)
    settings = bench.settings_with(pack, detector, flip=flip)
    prepare_matplotlib(settings.data_dir)
    from app.evaluation.video import content as video_content  # noqa: PLC0415 - Matplotlib takes a second that no other command should wait

    with bench.open_video_bench(settings, is_cached=not no_cache) as (photos, camera):
        if camera.calibration is None:
            raise EvaluationInvalid(f"pack {settings.pack!r} has no calibration, which decides on tracks")
        policy = Policy(
            camera.calibration, 0.0, probe_quality=probe_quality, scoring=scoring_of(camera.calibration)
        ).for_probes()
        embedded = photos.embed(cast.photos)
        filmed = camera.embed(film(cast, embedded, frames))
        people = _people(cast, embedded)
        with counting("resamplings", bootstrap) as advance:
            result = compare(filmed, frames, people, policy, replicates=bootstrap, advance=advance)
    report = {
        "kind": "video",
        **video_content.of_video(filmed, frames, people, result),
        "setup": {**camera.setup, "probe_quality": probe_quality},
    }
    bench.write(report, video_content.page_of(report, result), out, video_content.rows(report))


def _people(cast: CastPhotos, embedded: EmbeddedPhotos) -> FilmedPeople:
    """Return the gallery and the people of the tracks: one for each filmed photo with a face."""
    start, mates = len(cast.enrolled), range(len(cast.filmed))
    places = [place for place in range(start, len(embedded.photos)) if place not in embedded.failures]
    names = [embedded.photos[place].person for place in places]
    own = np.array([place - start if place - start in mates else -1 for place in places], np.intp)
    return FilmedPeople(embedded.vectors[:start].astype(np.float32), number_names(names), own)
