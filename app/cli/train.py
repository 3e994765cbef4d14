"""`arcid train`: a network of one's own."""

import signal
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from app.config import read_settings
from app.errors import TrainingInvalid, TrainingUnavailable

cli = typer.Typer(
    help="Train a network of your own; see docs/training.md.", invoke_without_command=True, no_args_is_help=True
)

STOPPED = 130


@cli.callback()
def train(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="TOML file of a run.")] = None,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for checkpoints and figures.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if it has begun.")] = False,
    data: Annotated[Path | None, typer.Option(exists=True, help="Folder person/photo.jpg, .rec, .arrow, ...")] = None,
    aligned: Annotated[bool | None, typer.Option("--aligned", help="The photos are 112x112 crops already.")] = None,
    exclude: Annotated[Path | None, typer.Option(help="List of photos to leave out.")] = None,
    loss: Annotated[str | None, typer.Option(help="arcface, cosface, sphereface, softmax, ...")] = None,
    backbone: Annotated[str | None, typer.Option(help="iresnet18, 34, 50, 100 or mobilefacenet.")] = None,
    width: Annotated[float | None, typer.Option(help="Multiplies all channels of the backbone.")] = None,
    dimension: Annotated[int | None, typer.Option(help="Of the embedding.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that every photo is seen.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Photos of an iteration in each process.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of an operation on the CPU.")] = None,
    amp: Annotated[str | None, typer.Option(help="off, bf16 or fp16.")] = None,
    save_every: Annotated[int | None, typer.Option(help="Iterations between checkpoints.")] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Iterations between evaluations; 0: only at the end.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Verification set: a pairs file in LFW's format.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Verification set: a CSV of pairs.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the photos of --pairs or --csv.")] = None,
    bin_set: Annotated[
        Path | None, typer.Option("--bin", help="Verification set: InsightFace's .bin of crops.")
    ] = None,
    tensorboard: Annotated[bool | None, typer.Option("--tensorboard", help="Write TensorBoard's files too.")] = None,
    key: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key, as optimiser.ema=0.999; may be repeated.")
    ] = None,
) -> None:
    """Train a network. What a flag does not say, the file of --config says, or the default.

    Exit status 130 if it was stopped; it then goes on with --resume.
    """
    if context.invoked_subcommand is not None:
        return
    require_training()
    from app.training.config import made  # noqa: PLC0415 - PyTorch takes seconds that no other command should wait
    from app.training.running import train as run  # noqa: PLC0415 - as above

    if out is None:
        raise TrainingInvalid("--out is missing: the folder for checkpoints and figures")
    values = _begun(config, out, is_resumed=resume)
    flags = {
        "data.path": data,
        "data.aligned": aligned,
        "data.exclude": exclude,
        "loss.name": loss,
        "backbone.name": backbone,
        "backbone.width": width,
        "backbone.dimension": dimension,
        "schedule.epochs": epochs,
        "schedule.batch_size": batch_size,
        "schedule.learning_rate": learning_rate,
        "seed": seed,
        "machine.device": device,
        "machine.threads": threads,
        "machine.amp": amp,
        "keeping.save_every": save_every,
        "keeping.tensorboard": tensorboard,
        "evaluation.every": evaluate_every,
        "evaluation.sets": _sets(pairs=pairs, csv=csv, images=images, bin_set=bin_set, is_aligned=bool(aligned)),
        **dict(map(_assigned, key or [])),
    }
    for name, value in flags.items():
        if value is not None:
            _put(values, name, value)
    console = Console(stderr=True)
    with stoppable() as is_stopping:
        training = run(
            made(values), out, open_cutter=cutter_opener(), console=console, is_resumed=resume, is_stopping=is_stopping
        )
    if training.iteration < training.total:
        console.print(f"stopped at iteration {training.iteration} of {training.total}; go on with --resume")
        raise typer.Exit(STOPPED)
    console.print(f"trained for {training.total} iterations: {out}", highlight=False, soft_wrap=True)


def require_training() -> None:
    """Raise TrainingUnavailable, with the remedy, where PyTorch is not installed."""
    if find_spec("torch") is None:
        raise TrainingUnavailable("training needs PyTorch, which is not installed; run: make training")


def cutter_opener() -> Callable[[], Any]:
    """Return what opens the networks that align photos, once, when it is first needed."""
    from app.factory.training import open_cutter  # noqa: PLC0415 - PyTorch takes seconds

    return cache(lambda: open_cutter(read_settings()))


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end a run after its iteration; the second time they end it at once."""
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


def _begun(config: Path | None, out: Path, *, is_resumed: bool) -> dict[str, Any]:
    """Read the file that was named, or that of the run that goes on."""
    from app.training.checkpoint import CONFIG  # noqa: PLC0415 - as above
    from app.training.config import read_config  # noqa: PLC0415 - as above

    if config is not None:
        return read_config(config)
    return read_config(out / CONFIG) if is_resumed and (out / CONFIG).exists() else {}


def _sets(
    *, pairs: Path | None, csv: Path | None, images: Path | None, bin_set: Path | None, is_aligned: bool
) -> list[dict[str, Any]] | None:
    """Return the verification sets that flags name, each called as its file is; None leaves those of the file."""
    sets: list[dict[str, Any]] = []
    for kind, file in (("pairs", pairs), ("csv", csv)):
        if file is not None:
            sets.append({"name": file.stem, kind: file, "images": images, "aligned": is_aligned})
    if bin_set is not None:
        sets.append({"name": bin_set.stem, "bin": bin_set, "aligned": True})
    return sets or None


def _assigned(text: str) -> tuple[str, Any]:
    """Read name=value; a value is TOML, or else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingInvalid(f"--set takes name=value, not {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set a key by its dotted name."""
    *above, last = name.split(".")
    for each in above:
        values = values.setdefault(each, {})
    values[last] = value
