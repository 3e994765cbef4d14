"""`arcid train`: train a network, pack its data, clean its data."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import train_options as options
from app.cli.counting import counting
from app.cli.output import Console
from app.cli.train_run import announce, cropper_opener, run_training
from app.config import read_settings
from app.errors import PackUnknown, TrainingUnavailable
from app.observability.counted import counted
from app.types import Floats, Pixels

cli = typer.Typer(
    help="Train your own network; see docs/training.md.", invoke_without_command=True, no_args_is_help=True
)

REFINING_RATE = 0.02  # maximum learning rate of a run with --from


@cli.callback()
def train(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    config: options.ConfigFile = None,
    out: options.Out = None,
    resume: options.Resume = False,
    check: options.Check = False,
    start: options.Start = None,
    data: options.Data = None,
    aligned: options.Aligned = None,
    loss: options.Loss = None,
    backbone: options.Backbone = None,
    recipe: options.Recipe = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    seed: options.Seed = None,
    device: options.Device = None,
    assignments: options.Assignments = None,
) -> None:
    """Train a network. Options win over the file of --config, which wins over --recipe and the defaults.

    Exit status 130 if the run was stopped; --resume continues it.
    """
    if context.invoked_subcommand is not None:
        return
    require_training()
    given = options.by_key(
        assignments, recipe=recipe, data=data, aligned=aligned, loss=loss, backbone=backbone, epochs=epochs,
        batch_size=batch_size, learning_rate=learning_rate, seed=seed, device=device,
    )  # fmt: skip
    values = options.values_of(config, out, given, is_resumed=resume, is_check=check)
    announce(values)
    if start is not None and out is not None and not check:
        values = _start_from(start, out, values, is_resumed=resume)
        options.put_all(values, given)
    run_training(values, out, is_resumed=resume, is_check=check)


@cli.command()
def pack(
    folder: Annotated[Path, typer.Argument(exists=True, help="Data to pack: the same kinds as --data.")],
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the .arrow files.")],
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are 112x112 crops already.")] = False,
    exclude: Annotated[Path | None, typer.Option(help="List of photos to leave out.")] = None,
) -> None:
    """Align photos and pack the crops into Arrow files, which are fast to read in any order."""
    require_training()
    from app.training.checking import find_damaged  # noqa: PLC0415 - PyTorch takes seconds
    from app.training.data.filtering import FilteredSource  # noqa: PLC0415 - as above
    from app.training.data.opening import open_path, read_list  # noqa: PLC0415 - as above
    from app.training.data.shards import pack as write  # noqa: PLC0415 - as above
    from app.training.data.shards import require_empty  # noqa: PLC0415 - as above

    excluded = read_list(exclude) if exclude is not None else frozenset()
    require_empty(out)
    with counting("photos") as advance:
        opened = open_path(folder, cropper_opener(), is_aligned=aligned, advance=advance)
    with counting("reading crops", len(opened.source.labels)) as advance:
        damaged = find_damaged(opened.source, 1, advance)
    source = FilteredSource(opened.source, excluded=excluded | damaged.keys())
    with counting("crops", len(source.labels)) as advance:
        files = write(source, out, advance)
    console = Console()
    for text in [
        *(f"{name}: {code}" for name, code in opened.failures.items()),
        *opened.damaged.values(),
        *damaged.values(),
    ]:
        console.print(text, highlight=False, soft_wrap=True)
    console.print(
        f"{counted(len(source.labels), 'crop')} of {counted(len(source.classes), 'person', 'people')} in "
        f"{counted(len(files), 'file')}: {out}",
        highlight=False,
        soft_wrap=True,
    )


@cli.command()
def clean(
    folder: Annotated[Path, typer.Argument(exists=True, help="Data to clean: the same kinds as --data.")],
    *,
    out: Annotated[Path, typer.Option(dir_okay=False, help="File for the list of photos to leave out.")],
    threshold: Annotated[float, typer.Option(min=-1, max=1, help="Minimum cosine to the person's other photos.")],
    least: Annotated[int, typer.Option(min=1, help="People with fewer photos left are left out.")] = 1,
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are 112x112 crops already.")] = False,
    trained: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of a run, instead of ARCID_PACK.")
    ] = None,
) -> None:
    """List photos that seem to carry a wrong name: unlike their person's other photos. Nothing is deleted."""
    require_training()
    from app.training.data.cleaning import embed_source, find_outliers, write_list  # noqa: PLC0415 - as above
    from app.training.data.opening import open_path  # noqa: PLC0415 - as above
    from app.training.run_folder import make_run_folder  # noqa: PLC0415 - as above

    make_run_folder(out.parent)
    with counting("photos") as advance:
        dataset = open_path(folder, cropper_opener(), is_aligned=aligned, advance=advance)
    source = dataset.source
    with counting("crops", len(source.labels)) as advance:
        embeddings = embed_source(source, _embed_of(trained), advance)
    outliers = find_outliers(embeddings, source.labels, threshold, least)
    write_list(source, outliers, threshold, out, dataset.damaged)
    undecided = int(outliers.is_undecided.sum())
    pairs = f"; {counted(undecided // 2, 'person has', 'people have')} two that differ, so both are listed"
    dropped = int(outliers.is_dropped.sum()) + len(dataset.damaged)
    text = f"{dropped:,} of {counted(dataset.photos, 'photo')} {'is' if dropped == 1 else 'are'} to be left out"
    Console().print(
        f"{text}{pairs if undecided else ''}; --set data.exclude={out}",
        highlight=False,
        soft_wrap=True,
    )


def require_training() -> None:
    """Raise TrainingUnavailable, with the remedy, if PyTorch is not installed."""
    missing = [name for name in ("torch", "pyarrow") if find_spec(name) is None]
    if missing:
        raise TrainingUnavailable(f"training needs {' and '.join(missing)}, not installed here; run: make training")


def _embed_of(trained: Path | None) -> Callable[[Pixels], Floats]:
    """Return a function that embeds crops, with a network trained here or the service's."""
    from app.training.checkpoint import load_trained  # noqa: PLC0415 - as above
    from app.training.evaluating import embed  # noqa: PLC0415 - as above
    from app.wiring.training import open_embed  # noqa: PLC0415 - as above

    return open_embed(read_settings()) if trained is None else partial(embed, load_trained(trained).backbone)


def _start_from(start: str, out: Path, values: dict[str, Any], *, is_resumed: bool) -> dict[str, Any]:
    """Return the configuration of a new run that starts from another run or a pack, with a lower learning rate."""
    from app.training.checkpoint import LAST, require_new_run  # noqa: PLC0415 - PyTorch takes seconds
    from app.training.finetune.continuing import start_from_run  # noqa: PLC0415 - as above
    from app.wiring.teaching import copy_network  # noqa: PLC0415 - as above

    if is_resumed and (out / LAST).exists():
        return values
    require_new_run(out)
    if (Path(start) / LAST).exists():
        sections = start_from_run(Path(start), out)
    else:
        try:
            sections = {"start": copy_network(read_settings(pack=start), out / "start.onnx").model_dump()}
        except PackUnknown as error:
            raise PackUnknown(f"--from {start}: {start}/{LAST} does not exist, and {error}") from error
    schedule = {"learning_rate": REFINING_RATE, **values.get("schedule", {})}
    return {**values, "schedule": schedule, **sections}
