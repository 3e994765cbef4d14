"""Options that `arcid train` and `arcid train finetune` share, and the configuration that they describe."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from app.errors import TrainingInvalid
from app.training.recipe import overlay, recipe_names

ConfigFile = Annotated[Path | None, typer.Option("--config", exists=True, dir_okay=False, help="TOML file of a run.")]
Out = Annotated[Path | None, typer.Option(file_okay=False, help="Folder for checkpoints and figures.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out, if there is one.")]
Check = Annotated[bool, typer.Option("--check", help="Read every photo and report problems; do not train.")]
Start = Annotated[str | None, typer.Option("--from", help="Folder of a run, or a pack: start from its network.")]
Data = Annotated[Path | None, typer.Option(help="Folder person/photo.jpg, .rec, .arrow, ...")]
Aligned = Annotated[bool | None, typer.Option("--aligned", help="The photos are 112x112 crops already.")]
Loss = Annotated[str | None, typer.Option(help="arcface, cosface, sphereface, softmax, ...")]
Backbone = Annotated[
    str | None,
    typer.Option("--backbone", "--network", help="iresnet18, 34, 50, 100, mobilefacenet, sphere20, timm:NAME, ..."),
]
Recipe = Annotated[
    str | None, typer.Option(help=f"Published configuration to start from: {', '.join(recipe_names())}.")
]
Epochs = Annotated[int | None, typer.Option(help="Number of passes over all photos.")]
BatchSize = Annotated[int | None, typer.Option(help="Photos per iteration in each process.")]
LearningRate = Annotated[float | None, typer.Option(help="Highest learning rate; of the class weights in finetune.")]
Seed = Annotated[int | None, typer.Option(help="Seed of all random numbers.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="Any other key of docs/training.md, such as seed=3; repeatable.")
]


_KEYS = {
    "recipe": "recipe",
    "data": "data.path",
    "aligned": "data.aligned",
    "loss": "loss.name",
    "backbone": "backbone.name",
    "epochs": "schedule.epochs",
    "batch_size": "schedule.batch_size",
    "learning_rate": "schedule.learning_rate",
    "seed": "seed",
    "device": "machine.device",
}


def by_key(assignments: Iterable[str] | None, **options: Any) -> dict[str, Any]:
    """Return the values of options, and of --set, by the keys that they set; --set wins.

    Raises TrainingInvalid if an assignment is not name=value.
    """
    given = {_KEYS[name]: value for name, value in options.items()}
    return given | dict(map(parse_assignment, assignments or ()))


def values_of(
    config: Path | None,
    out: Path | None,
    options: Mapping[str, Any],
    *,
    is_resumed: bool,
    is_check: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the keys of a run: the defaults, below the file or the run to continue, below the options.

    Args:
        config: TOML file.
        out: Folder of the run; only a check needs none.
        options: Values by dotted name; None is not set.
        is_resumed: Without `config`, start with the configuration of the run in `out`, if it has one.
        is_check: Whether the run is only checked.
        defaults: Values by dotted name, of a run without a recipe.

    Raises TrainingInvalid if `out` is missing, the file is not valid TOML, or no run can be continued.
    """
    if out is None and not is_check:
        raise TrainingInvalid("--out is missing: the folder for checkpoints and figures")
    from app.training.config import CONFIG, read_config  # noqa: PLC0415 - NumPy, which help does not need

    values: dict[str, Any] = {}
    file = {} if config is None else read_config(config)
    if options.get("recipe", file.get("recipe")) is None:
        put_all(values, defaults or {})
    if config is not None:
        values = overlay(values, file)
    elif is_resumed and out is not None and (out / CONFIG).exists():
        values = read_config(out / CONFIG)
    elif is_resumed and options.get("data.path") is None:
        raise TrainingInvalid(f"{out} contains no run to continue; to start one, name the photos with --data")
    put_all(values, options)
    return values


def put_all(values: dict[str, Any], options: Mapping[str, Any]) -> None:
    """Set keys by their dotted names; options that are None are not set. Raises TrainingInvalid if a group is a value.

    Another loss drops the parameters of the loss in `values`, and so on: see app/training/recipe.py.
    """
    tables: dict[str, Any] = {}
    for name, value in options.items():
        if value is not None:
            *groups, last = name.split(".")
            table = tables
            for group in groups:
                table = table.setdefault(group, {})
                if not isinstance(table, dict):
                    raise TrainingInvalid(f"unknown key {name}: {group} is {table!r}, not a group of keys")
            table[last] = value
    values.update(overlay(values, tables))


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse name=value; the value is TOML, or plain text if it is not valid TOML."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise TrainingInvalid(f"--set takes name=value, such as schedule.warm_up=0.5, not {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
