"""`arcid train distill`: a small student learns the embeddings of a pack's network."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.comparison import show_run_comparison
from app.cli.train import cli, require_training
from app.cli.train_commands import Aligned, Compare
from app.cli.train_options import by_key, put_all
from app.cli.train_run import run_training, with_options
from app.config import Settings, read_settings
from app.errors import TrainingInvalid

Skip = Annotated[
    list[str] | None, typer.Option(help="VALUE:VALUE of the network of --from: leave out the layers between.")
]


_RANDOM_RATE, _STARTED_RATE = 0.1, 0.002  # highest learning rate of a student that starts at random, or from a pack


@cli.command()
def distill(  # noqa: PLR0913 - the options of a command
    *,
    photos: Annotated[Path, typer.Option(exists=True, help="Photos of faces at any depth; names are not used.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the run, as for `arcid train`.")],
    pack: Annotated[str, typer.Option(help="The pack of the teacher.")] = "open",
    backbone: Annotated[str, typer.Option(help="Network of the student, which starts at random.")] = "mobilefacenet",
    start: Annotated[str | None, typer.Option("--from", help="Pack whose network is the student instead.")] = None,
    skip: Skip = None,
    aligned: Aligned = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of passes over all photos.")] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Photos per iteration.")] = 64,
    learning_rate: Annotated[float | None, typer.Option(help="0.1 by default, 0.002 with --from.")] = None,
    compare: Compare = None,
    assignments: Annotated[list[str] | None, typer.Option("--set", help="Any other key of a run; repeatable.")] = None,
) -> None:
    """Train a student on a pack's embeddings of your photos. Resume and export the run like any other."""
    require_training()
    from app.training.checkpoint import require_new_run  # noqa: PLC0415 - PyTorch takes seconds
    from app.training.config import parse_config  # noqa: PLC0415 - as above
    from app.wiring.teaching import copy_teacher  # noqa: PLC0415 - as above

    settings, is_started = with_options(read_settings(), pack=pack), start is not None or bool(skip)
    require_new_run(out)
    given = by_key(
        assignments, data=photos, aligned=aligned, backbone=backbone, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate,
    )  # fmt: skip
    values: dict[str, Any] = {"schedule": {"learning_rate": _STARTED_RATE if is_started else _RANDOM_RATE}}
    put_all(values, given)
    # Fails for a wrong key before the teacher is copied; the sections of copied networks are complete only then.
    parse_config({section: value for section, value in values.items() if section not in {"teacher", "start"}})
    teacher = copy_teacher(settings, out / "teacher.onnx")
    values["teacher"] = teacher.model_dump()
    values["backbone"]["dimension"] = teacher.dimension
    if is_started:
        values["start"] = _start(with_options(settings, pack=start or pack), out, skip or [])
    put_all(values, given)
    run_training(values, out)
    if compare is not None:
        show_run_comparison(out, compare, settings, is_aligned=aligned)


def _start(settings: Settings, out: Path, skip: list[str]) -> dict[str, Any]:
    """Copy the network of ARCID_PACK into the run as the student's start; return the section `start`."""
    from app.wiring.teaching import copy_network  # noqa: PLC0415 - PyTorch takes seconds

    pairs = [tuple(each.split(":")) for each in skip]
    if any(len(pair) != 2 for pair in pairs):
        raise TrainingInvalid(f"--skip takes VALUE:VALUE, not {' '.join(skip)}")
    return {**copy_network(settings, out / "start.onnx").model_dump(), "skip": pairs}
