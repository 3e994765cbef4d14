"""What a run is: one TOML file that reproduces it. Frozen; an unknown key is an error."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.errors import TrainingInvalid
from app.training.backbones import BackboneSpec
from app.training.data.augmentation import Augmentation
from app.training.losses import LossSpec
from app.training.schedule import Schedule

_FREE_DATA = ("data.path", "data.exclude", "data.workers", "data.memory_gb")  # what is in it is compared, not where

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
"""A file or folder, from where the command runs."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Group):
    """What is learned from."""

    path: AbsolutePath = Field(
        description="A folder person/photo.jpg, a .rec file, or .arrow or .parquet files or a folder."
    )
    aligned: Annotated[bool, Field(description="The photos of the folder are 112x112 crops already.")] = False
    exclude: AbsolutePath | None = Field(
        None, description="List of photos to leave out, as `arcid train clean` writes it."
    )
    least_photos: int = Field(1, ge=1, description="People with fewer photos are left out.")
    photos_per_person: int = Field(1, ge=1, description="Of each person in a batch, at least; triplets need 2 or more.")
    memory_gb: float = Field(4.0, ge=0, description="Decoded crops are kept in memory if all fit in so much.")
    workers: int = Field(1, ge=1, description="Threads that read, decode and change photos.")
    augmentation: Augmentation = Augmentation()


class Optimiser(_Group):
    """Stochastic gradient descent."""

    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    clip: float = Field(5.0, ge=0, description="Longest gradient of the backbone, 0 for any.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of an average of the weights, which is kept; 0: none.")


class Machine(_Group):
    """What it runs on."""

    device: str = Field("cpu", pattern=r"^(cpu|cuda(:[0-9]+)?)$", description="cpu, cuda or cuda:N; never replaced.")
    threads: int = Field(1, ge=1, description="Threads of one operation on the CPU.")
    amp: Literal["off", "bf16", "fp16"] = Field("off", description="Half precision for the backbone.")
    channels_last: Annotated[bool, Field(description="Another layout of images: faster on some machines.")] = False


class VerificationSet(_Group):
    """Pairs to evaluate on: one of `pairs` (LFW's format), `csv` and `bin`; `images` is the folder of the first two."""

    name: str
    pairs: AbsolutePath | None = None
    csv: AbsolutePath | None = None
    bin: AbsolutePath | None = None
    images: AbsolutePath | None = None
    aligned: Annotated[bool, Field(description="The photos are 112x112 crops, as those of a .bin are.")] = False


class Evaluation(_Group):
    """How it is judged on the way."""

    every: int = Field(0, ge=0, description="Iterations between evaluations; 0: at the end only.")
    sets: tuple[VerificationSet, ...] = ()


class Keeping(_Group):
    """What is written on the way."""

    save_every: int = Field(1000, gt=0, description="Iterations between checkpoints.")
    log_every: int = Field(20, gt=0, description="Iterations between lines of metrics.jsonl.")
    tensorboard: Annotated[bool, Field(description="Write TensorBoard's files too.")] = False


class Start(_Group):
    """The network of a pack that a run begins with, instead of a backbone drawn at random (`arcid train finetune`)."""

    network: Path = Field(description="ONNX file of the embedder.")
    sha256: str = Field(description="Of that file.")
    pack: str = Field(description="The pack that it came from.")
    licence: str = Field(description="Of the pack; what is made of its network has it too.")
    commercial_use: Literal["yes", "no", "unverified"] = Field(description="As the pack says.")
    detector: str = Field(description="What aligns photos for it.")
    mean: float = Field(description="Its preprocessing is (pixel - mean) / scale.")
    scale: float = Field(gt=0)
    bgr: Annotated[bool, Field(description="Its colours are in the order blue, green, red.")] = False
    frozen: Annotated[bool, Field(description="Train the last layer alone.")] = False
    rate: float = Field(0.1, gt=0, description="Its learning rate, as a share of that of the class weights.")


class TrainingConfig(_Group):
    """Everything that shapes a run; paths are absolute once it is written."""

    seed: int = Field(0, ge=0, lt=2**63)
    data: Data
    backbone: BackboneSpec = Field(BackboneSpec("iresnet18"), description="Not used where there is a start.")
    start: Start | None = None
    loss: LossSpec = LossSpec("arcface")
    schedule: Schedule = Schedule()
    optimiser: Optimiser = Optimiser()
    machine: Machine = Machine()
    evaluation: Evaluation = Evaluation()
    keeping: Keeping = Keeping()

    def shaping(self) -> dict[str, Any]:
        """Return what a run that goes on must share with its beginning, by dotted name.

        It may be watched, saved and evaluated otherwise, find the same data elsewhere, and run on another device or
        with other threads (then the last bits of its weights differ).
        """
        names = dict(_flat(self.model_dump(mode="json")))
        free = ("evaluation.", "keeping.", "machine.device", "machine.threads", *_FREE_DATA)
        return {name: value for name, value in names.items() if not name.startswith(free)}

    def to_toml(self) -> str:
        """Return the configuration as TOML, every key with its value; those without one are left out."""
        return "\n".join(_lines(self.model_dump(mode="json"), ())) + "\n"


def read_config(file: Path) -> dict[str, Any]:
    """Read a TOML file; raises TrainingInvalid."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TrainingInvalid(f"{file} is no TOML: {error}") from error


def made(values: dict[str, Any]) -> TrainingConfig:
    """Check a configuration; raises TrainingInvalid with the key that is wrong."""
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingInvalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _lines(table: dict[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    """Write plain values first: what follows a table's header belongs to it."""
    groups = {key: value for key, value in table.items() if _is_group(value)}
    for key, value in table.items():
        if value is not None and key not in groups:
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in groups.items():
        name = ".".join((*above, key))
        for each in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _lines(each, (*above, key))


def _is_group(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
