"""The run of `arcid train` and `arcid train finetune` on the command line: its first line, its signals, its end."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from app.cli.output import Console
from app.config import Settings, read_settings
from app.observability.counted import counted

STOPPED = 130


def announce(values: dict[str, Any]) -> None:
    """Print the first line of a run before PyTorch is imported, which takes seconds.

    Raises TrainingInvalid if the configuration is not valid.
    """
    from app.training.config import parse_config  # noqa: PLC0415 - NumPy, which help does not need

    config = parse_config(values)
    if os.environ.get("RANK", "0") == "0":  # torchrun starts several processes
        loss = config.loss.name if config.teacher is None else f"student of {config.teacher.pack}"
        text = f"{config.data.path}: {loss}, {config.machine.device}; loading PyTorch"
        Console(stderr=True).print(text, highlight=False, soft_wrap=True)


def run_training(values: dict[str, Any], out: Path | None, *, is_resumed: bool = False, is_check: bool = False) -> None:
    """Train with a configuration until the end or a signal; exit with STOPPED after a signal.

    Photos are aligned with the detector of the pack that the run starts from or learns from, if it has one. With
    `is_check`, only read all photos and report; exit with 1 if the run cannot start. Raises TrainingError's children.
    """
    from app.training import checking, running  # noqa: PLC0415 - PyTorch takes seconds that help should not wait
    from app.training.config import parse_config  # noqa: PLC0415 - as above
    from app.wiring.teaching import teach  # noqa: PLC0415 - as above

    console, config = Console(stderr=True), parse_config(values)
    pack = config.teacher or config.start or config.weights
    settings = with_options(read_settings(), detector=pack.detector if pack else None)
    open_cropper = cropper_opener(settings)
    if is_check or out is None:
        if not checking.check(config, out, open_cropper=open_cropper, console=console):
            raise typer.Exit(1)
        return
    with stoppable() as is_stopping:
        training = running.train(
            config,
            out,
            open_cropper=open_cropper,
            teach=partial(teach, settings),
            console=console,
            is_resumed=is_resumed,
            is_stopping=is_stopping,
        )
    _print_end(training.iteration, training.total, out, console)


def with_options(settings: Settings, **named: str | None) -> Settings:
    """Return the settings with the options that are given."""
    return settings.model_copy(update={name: value for name, value in named.items() if value is not None})


def cropper_opener(settings: Settings | None = None) -> Callable[[], Any]:
    """Return a function that opens the alignment networks of the settings once, when it is first called."""

    def open_once() -> Any:
        from app.wiring.training import open_cropper  # noqa: PLC0415 - ONNX Runtime takes seconds

        return open_cropper(settings or read_settings())

    return cache(open_once)


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


def _print_end(iteration: int, total: int, out: Path, console: Console) -> None:
    """Print how far the run came and the next command; exit with STOPPED before the end."""
    is_finished = iteration == total
    text = (
        f"trained for {counted(total, 'iteration')}: {out}; arcid train export {out} --out FOLDER"
        if is_finished
        else f"stopped at iteration {iteration} of {total}; arcid train --resume --out {out}"
    )
    console.print(text, highlight=False, soft_wrap=True)
    if not is_finished:
        raise typer.Exit(STOPPED)
