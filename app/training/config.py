"""Training configuration: one TOML file that reproduces a run. Frozen; an unknown key is an error."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import TrainingInvalid
from app.training.backbones.spec import BackboneSpec
from app.training.config_errors import sentence_of
from app.training.data.augmentation import Augmentation
from app.training.losses.spec import LossSpec
from app.training.recipe import overlay, read_recipe
from app.training.schedule import Schedule
from app.types import CommercialUse

CONFIG = "config.toml"  # in the folder of a run

_FREE_DATA = (
    "data.path",
    "data.exclude",
    "data.workers",
    "data.memory_gb",
    "data.max_damaged",
)  # a fingerprint compares the content

_MOMENTUM = 0.9

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
"""A file or folder; a relative path starts at the current directory."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """The training data."""

    path: AbsolutePath = Field(
        description="A folder person/photo.jpg, a .rec file, an .arrow or .parquet file, or a folder of those."
    )
    aligned: Annotated[bool, Field(description="The photos of the folder are already 112x112 crops.")] = False
    exclude: AbsolutePath | None = Field(
        None, description="List of photos to leave out, in the format of `arcid train clean`."
    )
    least_photos: int = Field(1, ge=1, description="People with fewer photos are left out.")
    photos_per_person: int = Field(
        1, ge=1, description="Photos of each person in a batch; the triplet loss needs 2 or more."
    )
    memory_gb: float = Field(4.0, ge=0, description="Keep decoded crops in memory if all of them fit in this size.")
    workers: int = Field(1, ge=1, description="Threads that read, decode and augment photos.")
    max_damaged: float = Field(
        0.01, ge=0, le=1, description="Share of the photos that may be unreadable; with more, the run stops."
    )
    augmentation: Augmentation = Augmentation()


class OptimiserConfig(_Section):
    """The optimizer: sgd, adamw, or any other class."""

    name: str = Field("sgd", pattern=r"^(sgd|adamw|[\w.]+:\w+)$", description="sgd, adamw or package.module:Class.")
    momentum: float | None = Field(None, ge=0, lt=1, description="Momentum of sgd; 0.9 by default.")
    weight_decay: float = Field(5e-4, ge=0)
    options: dict[str, Any] = Field({}, description="Further arguments of the optimizer's class.")
    clip: float = Field(5.0, ge=0, description="Maximum norm of the backbone's gradient; 0 disables clipping.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the moving average of the weights; 0 disables it.")

    @model_validator(mode="before")
    @classmethod
    def _fill_momentum(cls, values: Any) -> Any:
        is_sgd = isinstance(values, dict) and values.get("name", "sgd") == "sgd"
        return {**values, "momentum": _MOMENTUM} if is_sgd and values.get("momentum") is None else values

    @model_validator(mode="after")
    def _check_momentum(self) -> Self:
        if self.name != "sgd" and self.momentum is not None:
            raise ValueError(f"the optimiser {self.name} has no momentum")
        return self


class MachineConfig(_Section):
    """The hardware."""

    device: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda(:[0-9]+)?)$",
        description="cpu, cuda or cuda:N; another device is never used instead.",
    )
    threads: int = Field(1, ge=1, description="CPU threads for one operation.")
    amp: Literal["off", "bf16", "fp16"] = Field("off", description="Half precision of the backbone.")
    channels_last: Annotated[
        bool, Field(description="Use the channels-last memory layout, which is faster on some machines.")
    ] = False
    accumulation: int = Field(1, ge=1, description="Parts of a batch whose gradients are accumulated.")
    compile: Annotated[bool, Field(description="Compile the backbone (torch.compile).")] = False
    checkpoint_activations: Annotated[
        bool, Field(description="Compute activations again in the backward pass, which saves memory.")
    ] = False
    sync_batch_norm: Annotated[
        bool, Field(description="Of several processes on GPUs, batch normalisation uses the statistics of all.")
    ] = True

    @model_validator(mode="after")
    def _check_compile(self) -> Self:
        if self.compile and self.checkpoint_activations:
            raise ValueError("compile and checkpoint_activations exclude each other: PyTorch cannot compile the latter")
        return self


class VerificationSet(_Section):
    """Verification pairs: one of `pairs` (LFW's format), `csv` and `bin`. `images` is the folder of the first two."""

    name: str
    pairs: AbsolutePath | None = None
    csv: AbsolutePath | None = None
    bin: AbsolutePath | None = None
    images: AbsolutePath | None = None
    aligned: Annotated[bool, Field(description="The photos are 112x112 crops; those of a .bin file always are.")] = (
        False
    )


class EvaluationConfig(_Section):
    """Evaluation during training."""

    every: int = Field(0, ge=0, description="Iterations between evaluations; 0 evaluates only at the end.")
    sets: tuple[VerificationSet, ...] = ()


class OutputConfig(_Section):
    """Checkpoints and logs written during training."""

    save_every: int = Field(1000, gt=0, description="Iterations between checkpoints.")
    log_every: int = Field(20, gt=0, description="Iterations between lines of metrics.jsonl.")
    tensorboard: Annotated[bool, Field(description="Also write TensorBoard event files.")] = False


class PackNetwork(_Section):
    """A pack's embedding network, copied to a file, and the terms of the pack."""

    network: Path = Field(description="ONNX file of the embedding network.")
    sha256: str = Field(description="SHA-256 of that file.")
    pack: str = Field(description="Pack that contains the network.")
    licence: str = Field(description="Licence of the pack; it also applies to the trained network.")
    commercial_use: CommercialUse = Field(description="Commercial use, as stated by the pack.")
    detector: str = Field(description="Detector that aligns photos for the network.")
    mean: float = Field(description="Mean of the preprocessing (pixel - mean) / scale.")
    scale: float = Field(gt=0, description="Scale of the same preprocessing.")
    bgr: Annotated[bool, Field(description="The network takes BGR instead of RGB.")] = False


class PretrainedStart(PackNetwork):
    """The pack's network that a run starts from (`arcid train finetune`, `arcid train distill --from`)."""

    frozen: Annotated[bool, Field(description="Train only the last layer.")] = False
    rate: float = Field(
        0.1, gt=0, description="Learning rate of the network, as a share of the rate of the class weights."
    )
    skip: tuple[tuple[str, str], ...] = Field(
        (), description="Pairs of values of the network: the layers between the two are left out."
    )


class StartWeights(_Section):
    """The weights of another run that a run starts from (`arcid train --from`), and the terms that they carry."""

    file: Path = Field(description="File of the backbone's weights.")
    sha256: str = Field(description="SHA-256 of that file.")
    run: str = Field(description="Name of the other run.")
    licence: str | None = Field(None, description="Licence that the other run inherited.")
    commercial_use: CommercialUse = Field("unverified", description="Commercial use that the other run inherited.")
    detector: str | None = Field(None, description="Detector that aligned the photos of the other run's packs.")


class TeacherNetwork(PackNetwork):
    """The pack's network whose embeddings a student learns (`arcid train distill`)."""

    dimension: int = Field(ge=2, description="Dimension of the teacher's embeddings, and of the student's if `cosine`.")
    cosine: float = Field(1.0, ge=0, description="Weight of the cosine to the teacher's embeddings in the loss.")
    relation: float = Field(1.0, ge=0, description="Weight of the similarities between photos in the loss.")

    @model_validator(mode="after")
    def _require_term(self) -> Self:
        if not self.cosine and not self.relation:
            raise ValueError("cosine and relation are both 0, so a student would learn nothing")
        return self


class TrainingConfig(_Section):
    """All settings of a run. Paths are absolute in the written file."""

    recipe: str | None = Field(None, description="Recipe whose values apply where this configuration has none.")
    seed: int = Field(0, ge=0, lt=2**63)
    data: DataConfig
    backbone: BackboneSpec = Field(BackboneSpec("iresnet18"), description="Ignored if there is a `start`.")
    start: PretrainedStart | None = None
    teacher: TeacherNetwork | None = None
    weights: StartWeights | None = None
    loss: LossSpec = LossSpec("arcface")
    schedule: Schedule = Schedule()
    optimiser: OptimiserConfig = OptimiserConfig()
    machine: MachineConfig = MachineConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    keeping: OutputConfig = OutputConfig()

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        batch, parts, group = self.schedule.batch_size, self.machine.accumulation, self.data.photos_per_person
        if batch % group:
            raise ValueError(f"schedule.batch_size = {batch} is not a multiple of data.photos_per_person = {group}")
        if parts > 1 and batch % (parts * group):
            raise ValueError(
                f"a batch of {batch} cannot be split into {parts} parts of equal size (machine.accumulation)"
                + (f" with {group} photos of each person" if group > 1 else "")
            )
        return self

    def resume_settings(self) -> dict[str, Any]:
        """Return the settings that must not change when a run is resumed, by dotted name.

        Logging, checkpoints, evaluation, data paths, the device and the threads may change. On another device or with
        other threads, the last bits of the weights differ.
        """
        names = dict(_flatten(self.model_dump(mode="json")))
        changeable = ("recipe", "evaluation.", "keeping.", "machine.device", "machine.threads", *_FREE_DATA)
        return {name: value for name, value in names.items() if not name.startswith(changeable)}

    def to_toml(self) -> str:
        """Return the configuration as TOML with all keys that have a value."""
        return "\n".join(_toml_lines(self.model_dump(mode="json"), ())) + "\n"


def read_config(file: Path) -> dict[str, Any]:
    """Read a TOML file; raises TrainingInvalid if it is unreadable or not valid."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    except ValueError as error:
        raise TrainingInvalid(f"{file} is not valid TOML: {error}") from error


def parse_config(values: dict[str, Any]) -> TrainingConfig:
    """Validate a configuration over its recipe; raises TrainingInvalid, naming the key, if one is not valid."""
    if isinstance(recipe := values.get("recipe"), str):
        values = overlay(read_recipe(recipe), values)
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        raise TrainingInvalid(sentence_of(error, TrainingConfig)) from error


def _flatten(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _toml_lines(table: dict[str, Any], parents: tuple[str, ...]) -> Iterator[str]:
    """Yield TOML lines, plain values first: every line after a table header belongs to that table."""
    tables = {key: value for key, value in table.items() if _is_table(value)}
    for key, value in table.items():
        if value is not None and key not in tables:
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in tables.items():
        name = ".".join((*parents, key))
        for nested in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _toml_lines(nested, (*parents, key))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
