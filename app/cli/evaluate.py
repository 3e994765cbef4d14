"""`arcid evaluate`: measure a pack's accuracy on your photos."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.output import prepare_matplotlib
from app.errors import EvaluationInvalid
from app.evaluation import identification, protocols, report
from app.evaluation.all_pairs import AllPairsResult, compare_all, comparison_count
from app.evaluation.bootstrap import REPLICATES, Estimate
from app.evaluation.values import EmbeddedPhotos, Pairs, Photo
from app.evaluation.verification import VerificationResult, verify

Vectors = NDArray[np.floating[Any]]

cli = typer.Typer(help="Measure a pack on photos of known people.", no_args_is_help=True)

Images = Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of the photos.")]
Out = Annotated[Path, typer.Option(file_okay=False, help="Folder for report.json and report.html.")]
Pack = Annotated[str | None, typer.Option(help="Pack instead of ARCID_PACK.")]
Detector = Annotated[str | None, typer.Option(help="Detector instead of ARCID_DETECTOR.")]
Flip = Annotated[bool | None, typer.Option("--flip/--no-flip", help="Average each embedding with its mirror image's.")]
Aligned = Annotated[bool, typer.Option("--aligned", help="The photos are aligned 112x112 crops: skip detection.")]
SaveEmbeddings = Annotated[Path | None, typer.Option(dir_okay=False, help="File (.npz) for the embeddings.")]
Degrade = Annotated[bool, typer.Option("--degrade", help="Degrade every photo first, reproducibly.")]
Thumbnails = Annotated[bool, typer.Option("--thumbnails", help="Show the hardest photos in report.html.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Embed every photo again.")]
Replicates = Annotated[
    int, typer.Option("--bootstrap", min=0, help="Bootstrap samples for the intervals; 0: no intervals.")
]


@cli.command()
def verification(  # noqa: PLR0913 - the options of a command
    *,
    out: Out,
    pairs: Annotated[Path | None, typer.Option(dir_okay=False, help="Pairs file in LFW's format.")] = None,
    bin_set: Annotated[Path | None, typer.Option("--bin", dir_okay=False, help="InsightFace's .bin set.")] = None,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="CSV of pairs: photo, photo, 1 or 0.")] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare all pairs of photos in --images (person/photo).")
    ] = False,
    images: Images = None,
    pack: Pack = None,
    detector: Detector = None,
    flip: Flip = None,
    aligned: Aligned = False,
    degrade: Degrade = False,
    save_embeddings: SaveEmbeddings = None,
    thumbnails: Thumbnails = False,
    no_cache: NoCache = False,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Compare pairs (1:1): accuracy over folds, ROC, EER, AUC, TAR at FAR."""
    source = _read_source(pairs=pairs, bin_set=bin_set, csv=csv, images=images, is_all=all_pairs)
    out.mkdir(parents=True, exist_ok=True)
    settings = bench.settings_with(pack, detector, flip=flip)
    prepare_matplotlib(settings.data_dir)
    from app.evaluation import pages  # noqa: PLC0415 - Matplotlib takes a second that no other command should wait

    with bench.open_bench(settings, is_aligned=aligned, is_degraded=degrade, is_cached=not no_cache) as opened:
        embedded = opened.embed(source.photos if isinstance(source, Pairs) else source, save_embeddings)
        if isinstance(source, Pairs):
            verified = _verify(opened, source, embedded, bootstrap)
            content = report.of_pairs(source, embedded, verified)
            page = partial(pages.of_pairs, pairs=source, verified=verified)
        else:
            compared = _compare_all(opened, embedded, bootstrap)
            content = report.of_all_pairs(embedded, compared)
            page = partial(pages.of_all_pairs, compared=compared)
    content = {"kind": "verification", **content, "setup": opened.setup}
    pictures = bench.thumbnails(content, embedded) if thumbnails else {}
    bench.write(content, page(content, thumbnails=pictures), out, pages.rows(content))


@cli.command("identification")
def identify(  # noqa: PLR0913 - the options of a command
    *,
    out: Out,
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of people: person/photo.jpg.")],
    distractors: Annotated[
        Path | None, typer.Option(exists=True, help="Folder of strangers' photos, or their embeddings (.npy).")
    ] = None,
    pack: Pack = None,
    detector: Detector = None,
    flip: Flip = None,
    aligned: Aligned = False,
    degrade: Degrade = False,
    save_embeddings: SaveEmbeddings = None,
    thumbnails: Thumbnails = False,
    no_cache: NoCache = False,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Search people (1:N), closed and open set: rank-k, FNIR at FPIR, and rank-1 among distractors."""
    photos = protocols.read_people(images)
    strangers = _read_distractors(distractors) if distractors is not None else None
    out.mkdir(parents=True, exist_ok=True)
    settings = bench.settings_with(pack, detector, flip=flip)
    prepare_matplotlib(settings.data_dir)
    from app.evaluation import pages  # noqa: PLC0415 - Matplotlib takes a second that no other command should wait

    with bench.open_bench(settings, is_aligned=aligned, is_degraded=degrade, is_cached=not no_cache) as opened:
        embedded = opened.embed(photos, save_embeddings)
        vectors = _embed_distractors(opened, strangers) if strangers is not None else None
        with counting("resamplings", bootstrap) as advance:
            identified = identification.identify(
                embedded, calibration=opened.calibration, replicates=bootstrap, advance=advance
            )
        megaface = _rank_1(embedded, vectors, bootstrap) if vectors is not None else {}
    content = {"kind": "identification", **report.of_searches(embedded, identified, megaface), "setup": opened.setup}
    page = pages.of_searches(content, identified, bench.thumbnails(content, embedded) if thumbnails else {})
    bench.write(content, page, out, pages.rows(content))


def _verify(opened: bench.Bench, pairs: Pairs, embedded: EmbeddedPhotos, replicates: int) -> VerificationResult:
    with counting("resamplings", replicates) as advance:
        return verify(pairs, embedded, calibration=opened.calibration, replicates=replicates, advance=advance)


def _compare_all(opened: bench.Bench, embedded: EmbeddedPhotos, replicates: int) -> AllPairsResult:
    with counting("comparisons", comparison_count(embedded)) as advance:
        return compare_all(embedded, calibration=opened.calibration, replicates=replicates, advance=advance)


def _read_distractors(source: Path) -> tuple[Photo, ...] | Vectors:
    return protocols.read_photos(source) if source.is_dir() else _array(source)


def _embed_distractors(opened: bench.Bench, strangers: tuple[Photo, ...] | Vectors) -> Vectors:
    if not isinstance(strangers, tuple):
        return strangers
    embedded = opened.embed(strangers)
    return embedded.embeddings[embedded.has_face]


def _rank_1(embedded: EmbeddedPhotos, distractors: Vectors, replicates: int) -> dict[str, Estimate]:
    """Return the rank-1 rates for growing numbers of distractors."""
    sizes = identification.distractor_counts(len(distractors))
    with counting("distractors", len(distractors)) as advance:
        hardest = identification.hardest_distractors(embedded, distractors, sizes, advance)
    return identification.rank_1_with_distractors(embedded, hardest, sizes, replicates=replicates)


def _read_source(
    *, pairs: Path | None, bin_set: Path | None, csv: Path | None, images: Path | None, is_all: bool
) -> Pairs | tuple[Photo, ...]:
    """Read the given source of pairs; only photos if all pairs are compared."""
    if sum([pairs is not None, bin_set is not None, csv is not None, is_all]) != 1:
        raise EvaluationInvalid("name one source of pairs: --pairs, --bin, --csv or --all-pairs")
    if bin_set is not None:
        return protocols.read_bin_set(bin_set)
    if csv is not None:
        return protocols.read_csv(csv, images or csv.parent)
    if images is None:
        raise EvaluationInvalid("--images is missing: the folder of the photos")
    return protocols.read_people(images) if pairs is None else protocols.read_lfw(pairs, images)


def _array(file: Path) -> Vectors:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EvaluationInvalid(f"{file} is not an .npy file of embeddings: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
        raise EvaluationInvalid(f"{file} does not contain floating-point embeddings")
    return array
