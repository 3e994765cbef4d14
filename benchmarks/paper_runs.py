"""Training runs of the rows of `benchmarks/paper_tables.py`, each kept in its own folder."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from paper_judge import Judge
from paper_results import NetworkCost, RowResult, read_result
from paper_rows import Keys, PaperTable, Row
from rich.console import Console
from student import places_of_test

from app.cli.train_options import put_all
from app.evaluation.values import normalise
from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec
from app.training.callbacks import loss_trend
from app.training.checkpoint import LAST, load_trained
from app.training.config import CONFIG, TrainingConfig, parse_config, read_config
from app.training.data.cropping import FaceCropper
from app.training.data.folder import FolderSource
from app.training.data.source import fingerprint
from app.training.evaluating import embed
from app.training.export.network import as_onnx
from app.training.export.run_pack import PREPROCESSING
from app.training.finetune.continuing import start_from_run
from app.training.running import METRICS, train
from app.types import Pixels
from app.vision.embedding import Embedder
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.inference.timing import time_ratio

_LAST_CHANNELS = 512  # of IResNet at full width
_RESULT = "result.json"
_TIMED = 16  # crops
_ALIGNED = "the photos are aligned before"


@dataclass(frozen=True, slots=True)
class TestSet:
    """Crops (n, 112, 112, 3) of the test people, and the judge of their embeddings; `digest` identifies both."""

    crops: Pixels
    judge: Judge
    digest: str

    __test__ = False  # not a class of tests


def read_test_set(source: FolderSource, most: int) -> TestSet:
    """Read up to `most` photos of each person with two or more. Raises EvaluationInvalid with fewer than four."""
    places, people = places_of_test(source, most, least=2)
    names = "\n".join(source.name(place) for place in places)
    return TestSet(np.stack([source.crop(place) for place in places]), Judge(people), _short_hash(names))


class PaperRuns:
    """The runs of all tables in a folder. Two rows with the same configuration share a run."""

    def __init__(
        self, folder: Path, base: Keys, training: FolderSource, test: TestSet, *, scale: float | None = None
    ) -> None:
        """Prepare the runs.

        Args:
            folder: Contains a folder for each run.
            base: Values that all rows share, by dotted name.
            training: The photos of `data.path`.
            test: Photos of other people.
            scale: Scale of all rows that have one, in place of the paper's.
        """
        self._folder = folder
        self._base = base
        self._data = fingerprint(training)
        self._test = test
        self._scale = scale

    def config(self, row: Row, seed: int) -> TrainingConfig:
        """Return the configuration of a row, without the weights that it starts from. Raises TrainingInvalid."""
        values: dict[str, Any] = {}
        put_all(values, self._base)
        scale = {} if self._scale is None or "loss.scale" not in row.keys else {"loss.scale": self._scale}
        put_all(values, {**row.keys, **scale, "seed": seed})
        backbone = values["backbone"]
        if backbone.get("output") == "A":  # its dimension is the number of channels
            backbone["dimension"] = BackboneSpec(**{**backbone, "output": "E"}).channels(_LAST_CHANNELS)
        return parse_config(values)

    def run_folder(self, table: PaperTable, row: Row, seed: int) -> Path:
        """Return the folder of a run; its name depends on all that its result depends on."""
        config = self.config(row, seed).resume_settings()
        start = self.run_folder(table, table.row(row.start), seed).name if row.start else None
        settings = [config, start, self._data, self._test.digest]
        return self._folder / _short_hash(json.dumps(settings, sort_keys=True))

    def result(self, table: PaperTable, row: Row, seed: int) -> RowResult | None:
        """Return the kept result of a run, or None."""
        return read_result(self.run_folder(table, row, seed) / _RESULT)

    def train(
        self, table: PaperTable, row: Row, seed: int, *, console: Console, is_stopping: Callable[[], bool]
    ) -> RowResult | None:
        """Train, test and keep the result, unless there is one; return None if the run was stopped.

        Continues an interrupted run. Raises TrainingError's children.
        """
        if (result := self.result(table, row, seed)) is not None:
            return result
        folder = self.run_folder(table, row, seed)
        config = self._started(table, row, seed, folder)
        training = train(
            config, folder, open_cropper=_no_cropper, console=console, is_resumed=True, is_stopping=is_stopping
        )
        if training.iteration < training.total:
            return None
        vectors = normalise(embed(load_trained(folder, LAST).backbone, self._test.crops)).astype(np.float32)
        trend = loss_trend(folder / METRICS)
        result = RowResult(*self._test.judge.rates(vectors), trend[1] if trend else None)
        result.write(folder / _RESULT)
        return result

    def cost(self, spec: BackboneSpec, first: BackboneSpec, *, is_measured: bool) -> NetworkCost | None:
        """Return the cost of a network, with its CPU time in ratio to another one; measured once and kept.

        Without `is_measured`, a cost that is not kept is None. Both networks take the same crops in turns in one
        process, in ONNX Runtime on one thread. Their weights are random. Raises TrainingError's children.
        """
        file = self._folder / f"cost-{_short_hash(json.dumps([asdict(spec), asdict(first)]))}.json"
        if file.exists():
            return NetworkCost(**json.loads(file.read_text("utf-8")))
        if not is_measured:
            return None
        networks = [as_onnx(build_backbone(each)) for each in (first, spec)]
        old, new = (Embedder(Session(network, Runtime()), PREPROCESSING) for network in networks)
        ratio = 1.0 if spec == first else time_ratio(old.embed, new.embed, list(self._test.crops[:_TIMED, None]))
        parameters = sum(weights.numel() for weights in build_backbone(spec).parameters())
        cost = NetworkCost(parameters, len(networks[1]), ratio)
        self._folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(cost)), "utf-8")
        return cost

    def _started(self, table: PaperTable, row: Row, seed: int, folder: Path) -> TrainingConfig:
        """Return the configuration of a run with the weights that it starts from, which a finished run has."""
        config = self.config(row, seed)
        if row.start is None:
            return config
        if (folder / CONFIG).exists():
            return parse_config(read_config(folder / CONFIG))
        sections = start_from_run(self.run_folder(table, table.row(row.start), seed), folder)
        return parse_config({**config.model_dump(exclude_none=True), **sections})


def training_photos(people: Path, most: int | None, per_person: int, folder: Path) -> Path:
    """Link photos of whole people, in the order of the hash of their names, until `most` photos; return the folder.

    People with one photo are left out. Each has up to `per_person` photos, the first by name.
    """
    count = 0
    for person in sorted(people.iterdir(), key=lambda each: hashlib.sha256(each.name.encode()).digest()):
        photos = sorted(person.iterdir())[:per_person]
        if len(photos) < 2 or (most is not None and count >= most):
            continue
        count += len(photos)
        (folder / person.name).mkdir(parents=True, exist_ok=True)
        for photo in photos:
            if not (link := folder / person.name / photo.name).exists():
                link.symlink_to(photo.resolve())
    return folder


def _no_cropper() -> FaceCropper:
    raise AssertionError(_ALIGNED)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def specs_of(runs: PaperRuns, rows: Sequence[Row]) -> dict[str, BackboneSpec]:
    """Return the network of each row by its name."""
    return {row.name: runs.config(row, 1).backbone for row in rows}
