"""`arcid train finetune`: train a pack's network further."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import train_options as options
from app.cli.train import cli, require_training
from app.cli.train_commands import Pack
from app.cli.train_run import announce, run_training
from app.config import read_settings
from app.errors import TrainingInvalid

_DEFAULTS = {"schedule.epochs": 10, "schedule.batch_size": 64, "schedule.learning_rate": 0.02}
_BACKBONE_RATE = 0.002


@cli.command()
def finetune(  # noqa: PLR0913 - the options of a command
    *,
    config: options.ConfigFile = None,
    out: options.Out = None,
    resume: options.Resume = False,
    check: options.Check = False,
    data: options.Data = None,
    pack: Pack = "open",
    aligned: options.Aligned = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Train only the last layer of the network.")] = False,
    learning_rate: options.LearningRate = None,
    backbone_learning_rate: Annotated[
        float, typer.Option(help="Highest learning rate of the network.")
    ] = _BACKBONE_RATE,
    loss: options.Loss = None,
    recipe: options.Recipe = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    seed: options.Seed = None,
    device: options.Device = None,
    assignments: options.Assignments = None,
) -> None:
    """Fine-tune a pack's network on your photos, with the options of `arcid train`. Export the run like any other."""
    require_training()
    given = options.by_key(
        assignments, recipe=recipe, data=data, aligned=aligned, loss=loss, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, seed=seed, device=device,
    )  # fmt: skip
    values = options.values_of(config, out, given, is_resumed=resume, is_check=check, defaults=_DEFAULTS)
    announce(values)
    if out is not None and not check and not (resume and "start" in values):
        values["start"] = _start(values, out, pack, rate=backbone_learning_rate, is_frozen=freeze)
    run_training(values, out, is_resumed=resume, is_check=check)


def _start(values: dict[str, Any], out: Path, pack: str, *, rate: float, is_frozen: bool) -> dict[str, Any]:
    """Copy the pack's network to the folder of the run and return the section `start` of its configuration.

    Raises TrainingInvalid if the network cannot be trained or the folder contains a run, and NetworkError's children if
    the network cannot be read.
    """
    if rate <= 0:
        raise TrainingInvalid("--backbone-learning-rate must be above 0; to train only the last layer, use --freeze")
    from app.training.checkpoint import require_new_run  # noqa: PLC0415 - PyTorch takes seconds
    from app.training.config import parse_config  # noqa: PLC0415 - as above
    from app.training.finetune.imported import ImportedNetwork  # noqa: PLC0415 - as above
    from app.training.run_folder import make_run_folder  # noqa: PLC0415 - as above
    from app.wiring.teaching import copy_network  # noqa: PLC0415 - as above

    make_run_folder(out)
    require_new_run(out)
    copied = copy_network(read_settings(pack=pack), out / "start.onnx")
    ImportedNetwork(copied.network.read_bytes())  # fails for an unsupported network before photos are aligned
    share = rate / parse_config(values).schedule.learning_rate
    return {**copied.model_dump(), "frozen": is_frozen, "rate": share}
