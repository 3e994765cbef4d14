"""`arcid evaluate groups`: measure error rates by demographic group."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.evaluate import Aligned, Degrade, Detector, Flip, NoCache, Out, Pack, Replicates, SaveEmbeddings, cli
from app.cli.output import prepare_matplotlib
from app.errors import EvaluationInvalid
from app.evaluation import protocols
from app.evaluation.all_pairs import comparison_count
from app.evaluation.bootstrap import REPLICATES
from app.evaluation.groups.content import of_groups
from app.evaluation.groups.evaluation import GroupEvaluation
from app.evaluation.groups.group_table import GroupColumns, GroupedPhotos, Match, read_bands, read_groups
from app.evaluation.report import Report
from app.evaluation.values import EmbeddedPhotos

_MAX_FMRS = (1e-4, 1e-3)


@cli.command()
def groups(  # noqa: PLR0913 - the options of a command
    *,
    out: Out,
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of the photos, at any depth.")],
    csv: Annotated[Path, typer.Option(dir_okay=False, help="CSV with a header: one row per person or photo.")],
    by: Annotated[str, typer.Option(help="Columns, such as sex,ethnicity,sex+ethnicity; + crosses columns.")],
    bands: Annotated[list[str] | None, typer.Option(help="Bands of a numeric column: age:25,35; repeatable.")] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column that names the photos or their people; default: the first.")
    ] = None,
    match: Annotated[
        Match | None, typer.Option(help="Part of a photo's path that the id names; default: the only one that fits.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="Column of the person, if each photo has a row.")] = None,
    max_fmr: Annotated[list[float] | None, typer.Option(help="Tolerated FMR; repeatable (1e-4 and 1e-3).")] = None,
    pack: Pack = None,
    detector: Detector = None,
    flip: Flip = None,
    aligned: Aligned = False,
    degrade: Degrade = False,
    save_embeddings: SaveEmbeddings = None,
    no_cache: NoCache = False,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Compare error rates between demographic groups: FMR and FNMR by group, worst over mean, within and across."""
    rates = _checked(max_fmr or _MAX_FMRS)
    columns = GroupColumns(tuple(name.strip() for name in by.split(",")), read_bands(bands or ()), id_column, person)
    grouped = read_groups(csv, protocols.read_photos(images), columns, match)
    out.mkdir(parents=True, exist_ok=True)
    settings = bench.settings_with(pack, detector, flip=flip)
    prepare_matplotlib(settings.data_dir)
    from app.evaluation.groups import group_page  # noqa: PLC0415 - Matplotlib takes a second that no other command should wait

    with bench.open_bench(settings, is_aligned=aligned, is_degraded=degrade, is_cached=not no_cache) as opened:
        embedded = opened.embed(grouped.photos, save_embeddings)
        content = {"kind": "groups", **_compare(opened, grouped, embedded, rates, bootstrap), "setup": opened.setup}
    bench.write(content, group_page.page_of(content), out, group_page.terminal_rows(content))


def _compare(
    opened: bench.Bench, grouped: GroupedPhotos, embedded: EmbeddedPhotos, rates: list[float], replicates: int
) -> Report:
    with counting("comparisons", 2 * comparison_count(embedded)) as advance:
        evaluation = GroupEvaluation(
            embedded, max_fmrs=rates, calibration=opened.calibration, replicates=replicates, advance=advance
        )
    return of_groups(grouped, embedded, evaluation, opened.calibration)


def _checked(rates: list[float] | tuple[float, ...]) -> list[float]:
    if not all(0 < rate < 1 for rate in rates):
        raise EvaluationInvalid("--max-fmr is a rate between 0 and 1, such as 1e-4")
    return sorted(set(rates))
