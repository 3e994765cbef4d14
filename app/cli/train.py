"""`arcid train`: train a network, pack its data, clean its data."""

import signal
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from app.cli.counting import counting
from app.cli.output import Console
from app.config import Settings, read_settings
from app.errors import TrainingInvalid, TrainingUnavailable
from app.observability.counted import counted
from app.types import Floats, Pixels

cli = typer.Typer(
    help="Train your own network; see docs/training.md.", invoke_without_command=True, no_args_is_help=True
)

Start = Annotated[str | None, typer.Option("--from", help="Folder of a run, or a pack: start from its network.")]

STOPPED = 130
REFINING_RATE = 0.02  # maximum learning rate of a run with --from


@cli.callback()
def train(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="TOML file of a run.")] = None,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for checkpoints and figures.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, if there is one.")] = False,
    start: Start = None,
    data: Annotated[Path | None, typer.Option(exists=True, help="Folder person/photo.jpg, .rec, .arrow, ...")] = None,
    aligned: Annotated[bool | None, typer.Option("--aligned", help="The photos are 112x112 crops already.")] = None,
    loss: Annotated[str | None, typer.Option(help="arcface, cosface, sphereface, softmax, ...")] = None,
    backbone: Annotated[str | None, typer.Option(help="iresnet18, 34, 50, 100 or mobilefacenet.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of passes over all photos.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Photos per iteration in each process.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key of docs/training.md, such as seed=3; repeatable.")
    ] = None,
) -> None:
    """Train a network. Options win over the file of --config, which wins over the defaults.

    Exit status 130 if the run was stopped; --resume continues it.
    """
    if context.invoked_subcommand is not None:
        return
    require_training()
    if out is None:
        raise TrainingInvalid("--out is missing: the folder for checkpoints and figures")
    values = _start_from(start, out, _file_values(config, out, is_resumed=resume), is_resumed=resume)
    options = {
        "data.path": data,
        "data.aligned": aligned,
        "loss.name": loss,
        "backbone.name": backbone,
        "schedule.epochs": epochs,
        "schedule.batch_size": batch_size,
        "machine.device": device,
        **dict(map(parse_assignment, assignments or [])),
    }
    put_all(values, options)
    run_training(values, out, is_resumed=resume)


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
    from app.training.data.filtering import FilteredSource  # noqa: PLC0415 - as above
    from app.training.data.opening import open_path, read_list  # noqa: PLC0415 - as above
    from app.training.data.shards import pack as write  # noqa: PLC0415 - as above

    with counting("photos") as advance:
        opened = open_path(folder, cropper_opener(), is_aligned=aligned, advance=advance)
    source = FilteredSource(opened.source, excluded=read_list(exclude) if exclude is not None else ())
    with counting("crops", len(source.labels)) as advance:
        files = write(source, out, advance)
    console = Console()
    for name, code in opened.failures.items():
        console.print(f"{name}: {code}", highlight=False, soft_wrap=True)
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
    threshold: Annotated[float, typer.Option(min=-1, max=1, help="Minimum cosine of a photo to its person's centre.")],
    least: Annotated[int, typer.Option(min=1, help="People with fewer photos left are left out.")] = 1,
    aligned: Annotated[bool, typer.Option("--aligned", help="The photos are 112x112 crops already.")] = False,
    trained: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of a run, instead of ARCID_PACK.")
    ] = None,
) -> None:
    """List photos that seem to carry a wrong name: far from the centre of their person. Nothing is deleted."""
    require_training()
    from app.training.data.cleaning import select_outliers, similarities_to_centre, write_list  # noqa: PLC0415 - as above
    from app.training.data.opening import open_path  # noqa: PLC0415 - as above

    with counting("photos") as advance:
        source = open_path(folder, cropper_opener(), is_aligned=aligned, advance=advance).source
    with counting("crops", len(source.labels)) as advance:
        cosines = similarities_to_centre(source, _embed_of(trained), advance)
    is_dropped = select_outliers(cosines, source.labels, threshold, least)
    write_list(source, cosines, is_dropped, out)
    Console().print(
        f"{is_dropped.sum()} of {len(is_dropped)} photos are to be left out; --set data.exclude={out}",
        highlight=False,
        soft_wrap=True,
    )


def require_training() -> None:
    """Raise TrainingUnavailable, with the remedy, if PyTorch is not installed."""
    missing = [name for name in ("torch", "pyarrow") if find_spec(name) is None]
    if missing:
        raise TrainingUnavailable(f"training needs {' and '.join(missing)}, not installed here; run: make training")


def with_options(settings: Settings, **named: str | None) -> Settings:
    """Return the settings with the options that are given."""
    return settings.model_copy(update={name: value for name, value in named.items() if value is not None})


def cropper_opener(settings: Settings | None = None) -> Callable[[], Any]:
    """Return a function that opens the alignment networks of the settings once, when it is first called."""
    from app.wiring.training import open_cropper  # noqa: PLC0415 - PyTorch takes seconds

    return cache(lambda: open_cropper(settings or read_settings()))


def _embed_of(trained: Path | None) -> Callable[[Pixels], Floats]:
    """Return a function that embeds crops, with a network trained here or the service's."""
    from app.training.checkpoint import load_trained  # noqa: PLC0415 - as above
    from app.training.evaluating import embed  # noqa: PLC0415 - as above
    from app.wiring.training import open_embed  # noqa: PLC0415 - as above

    return open_embed(read_settings()) if trained is None else partial(embed, load_trained(trained).backbone)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Stop a run after its iteration at the first Ctrl-C or SIGTERM, and immediately at the second."""
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, end)
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_training(values: dict[str, Any], out: Path, *, is_resumed: bool = False) -> None:
    """Train with a configuration until the end or a signal; exit with STOPPED after a signal.

    Photos are aligned with the detector of the pack that the run starts from or learns from, if it has one.
    """
    from app.training.config import parse_config  # noqa: PLC0415 - PyTorch takes seconds that no other command should wait
    from app.training.running import train as run  # noqa: PLC0415 - as above
    from app.wiring.teaching import teach  # noqa: PLC0415 - as above

    console, config = Console(stderr=True), parse_config(values)
    pack = config.teacher or config.start or config.weights
    settings = with_options(read_settings(), detector=pack.detector if pack else None)
    with stoppable() as is_stopping:
        training = run(
            config,
            out,
            open_cropper=cropper_opener(settings),
            teach=partial(teach, settings),
            console=console,
            is_resumed=is_resumed,
            is_stopping=is_stopping,
        )
    if training.iteration < training.total:
        console.print(
            f"stopped at iteration {training.iteration} of {training.total}; arcid train --resume --out {out}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(STOPPED)
    console.print(f"trained for {training.total} iterations: {out}", highlight=False, soft_wrap=True)


def _file_values(config: Path | None, out: Path, *, is_resumed: bool) -> dict[str, Any]:
    """Read the given configuration file, or that of the run to continue; return an empty one without either."""
    from app.training.checkpoint import CONFIG  # noqa: PLC0415 - as above
    from app.training.config import read_config  # noqa: PLC0415 - as above

    if config is not None:
        return read_config(config)
    return read_config(out / CONFIG) if is_resumed and (out / CONFIG).exists() else {}


def _start_from(start: str | None, out: Path, values: dict[str, Any], *, is_resumed: bool) -> dict[str, Any]:
    """Return the configuration of a new run that starts from another run or a pack, with a lower learning rate."""
    if start is None:
        return values
    from app.training.checkpoint import LAST  # noqa: PLC0415 - PyTorch takes seconds
    from app.training.finetune.continuing import start_from_run  # noqa: PLC0415 - as above
    from app.wiring.teaching import copy_network  # noqa: PLC0415 - as above

    if (out / LAST).exists():
        if is_resumed:
            return values
        raise TrainingInvalid(f"{out} already contains a run; continue it with --resume, or choose another folder")
    if (Path(start) / LAST).exists():
        sections = start_from_run(Path(start), out)
    else:
        sections = {"start": copy_network(read_settings(pack=start), out / "start.onnx").model_dump()}
    schedule = {"learning_rate": REFINING_RATE, **values.get("schedule", {})}
    return {**values, "schedule": schedule, **sections}


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse name=value; the value is TOML, or plain text if it is not valid TOML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingInvalid(f"--set takes name=value, not {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def put_all(values: dict[str, Any], options: Mapping[str, Any]) -> None:
    """Set keys by their dotted names; options that are None are not set."""
    for name, value in options.items():
        if value is not None:
            *groups, last = name.split(".")
            table = values
            for group in groups:
                table = table.setdefault(group, {})
            table[last] = value
