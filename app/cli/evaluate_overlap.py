"""`arcid evaluate overlap`: name people who are in two folders under any name."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.evaluate import Aligned, Detector, Flip, NoCache, Pack, cli
from app.cli.output import Console, show
from app.errors import EvaluationInvalid
from app.evaluation.overlap import by_chance, find_duplicates, find_shared
from app.evaluation.overlap_report import Overlap, write_overlap
from app.evaluation.protocols import read_people_or_photos
from app.observability.counted import counted
from app.recognition.decisions.calibration.error_rates import Calibration

_SHOWN = 50  # rows of the table


@cli.command()
def overlap(  # noqa: PLR0913 - the options of a command
    first: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of people, or of photos.")],
    second: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of people, or of photos.")],
    *,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for overlap.json, overlap.csv, exclude.txt.")
    ] = None,
    max_fmr: Annotated[
        float | None, typer.Option(help="FMR of the threshold; default: one pair of photos is expected by chance.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Similarity instead of the one for --max-fmr.")
    ] = None,
    pack: Pack = None,
    detector: Detector = None,
    flip: Flip = None,
    aligned: Aligned = False,
    no_cache: NoCache = False,
) -> None:
    """Name people who are in two folders under any name: leaks between training and test, or among distractors."""
    photos = read_people_or_photos(first), read_people_or_photos(second)
    settings = bench.settings_with(pack, detector, flip=flip)
    with bench.open_bench(settings, is_aligned=aligned, is_degraded=False, is_cached=not no_cache) as opened:
        _check(opened.calibration, max_fmr, threshold)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        with counting("files", sum(map(len, photos))) as advance:
            duplicates = find_duplicates(*photos, advance)
        ours, theirs = opened.embed(photos[0]), opened.embed(photos[1])
        comparisons = int(ours.has_face.sum()) * int(theirs.has_face.sum())
        rate, limit = _threshold(opened.calibration, max_fmr or by_chance(comparisons), threshold)
        with counting("comparisons", comparisons) as advance:
            shared = find_shared(ours, theirs, limit, duplicates, advance)
    found = Overlap(ours, theirs, limit, rate, shared, duplicates)
    if out is not None:
        write_overlap(found, opened.setup, out)
    _print(found, out)


def _check(calibration: Calibration | None, max_fmr: float | None, threshold: float | None) -> None:
    """Raise EvaluationInvalid before photos are embedded if neither gives a threshold."""
    if max_fmr is not None and not 0 < max_fmr < 1:
        raise EvaluationInvalid(f"--max-fmr is a rate between 0 and 1, such as 1e-6, not {max_fmr:g}")
    if calibration is None and threshold is None:
        raise EvaluationInvalid("no calibration ships for this network and detector; set a similarity with --threshold")


def _threshold(calibration: Calibration | None, max_fmr: float, threshold: float | None) -> tuple[float | None, float]:
    """Return the FMR, None for a given threshold, and the threshold."""
    if threshold is not None or calibration is None:
        return None, threshold or 0.0
    return max_fmr, calibration.threshold(max_fmr)


def _print(overlap: Overlap, out: Path | None) -> None:
    table = Table("first", "second", "similarity", "pairs", "identical files", box=None)
    for person in overlap.shared[:_SHOWN]:
        similarity = f"{person.similarity:.3f}" if person.pairs else ""
        table.add_row(person.first, person.second, similarity, str(person.pairs), str(person.duplicates))
    if overlap.shared:
        show(table)
    console = Console()
    if len(overlap.shared) > _SHOWN:
        console.print(f"... and {len(overlap.shared) - _SHOWN:,} more", highlight=False)
    renamed = sum(not person.is_same_name for person in overlap.shared)
    expected = overlap.expected_false_pairs
    promise = "" if expected is None else f"; pairs of photos expected above it by chance: {expected:.2g}"
    written = "; --out FOLDER writes all of them, and the photos to exclude" if out is None else f"; {out}"
    console.print(
        f"{counted(len(overlap.shared), 'person is', 'people are')} in both, {renamed:,} of them under another name; "
        f"threshold {overlap.threshold:.3f}{promise}{written}",
        highlight=False,
        soft_wrap=True,
    )
