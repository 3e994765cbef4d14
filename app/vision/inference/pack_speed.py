"""CPU time of a network in float32 and in int8 on this machine.

It is measured when one of their packs is pulled, and by `arcid models measure`.

The measurement recommends a pack for new collections. It changes no setting, because embeddings of the two cannot be
compared (docs/adr/0020-int8-is-a-separate-model.md).
"""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError

from app.disk import make_folder
from app.vision.inference.manifest import Accuracy, EmbedderSection, File, Manifest
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime, runtime_version
from app.vision.inference.session import Session
from app.vision.inference.timing import time_ratio

MOST_TIME: Final = 0.9  # int8 is recommended up to this share of the CPU time in float32
MOST_LOST: Final = 0.005  # and up to this loss of TMR, at each FMR that both manifests state
_SECONDS = 1.5
_CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class PackEmbedder:
    """The embedder of a pack: its section of the manifest, and its file."""

    manifest: Manifest
    section: EmbedderSection
    file: File


@dataclass(frozen=True, slots=True)
class PackPair:
    """Two embedders with the same source: one in float32, one in int8."""

    float32: PackEmbedder
    int8: PackEmbedder

    @property
    def accuracies(self) -> tuple[Accuracy, Accuracy] | None:
        """The accuracies in float32 and int8; None unless both manifests state them for the same photos and FMRs."""
        float32, int8 = self.float32.section.accuracy, self.int8.section.accuracy
        if float32 is None or int8 is None or (float32.photos, float32.tmr.keys()) != (int8.photos, int8.tmr.keys()):
            return None
        return float32, int8

    @property
    def is_accurate(self) -> bool:
        """Whether int8 is known to lose at most MOST_LOST of the TMR, at each FMR."""
        if self.accuracies is None:
            return False
        float32, int8 = self.accuracies
        return all(float32.tmr[fmr] - int8.tmr[fmr] <= MOST_LOST for fmr in float32.tmr)


class SpeedRecord(BaseModel):
    """A measurement: CPU time for a face in int8 / in float32, and when and where it was measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratio: PositiveFloat
    processor: str
    onnxruntime: str
    date: str

    @property
    def is_current(self) -> bool:
        """Whether this machine has the processor and the version of ONNX Runtime of the measurement."""
        return (self.processor, self.onnxruntime) == (processor(), runtime_version())

    def recommended(self, pair: PackPair) -> PackEmbedder:
        """Return the embedder for new collections: int8 if it is accurate and at most MOST_TIME as expensive."""
        return pair.int8 if pair.is_accurate and self.ratio <= MOST_TIME else pair.float32


class SpeedRecords:
    """The last measurement of each pair, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, pair: PackPair) -> SpeedRecord | None:
        """Return the last measurement; None if it is missing or damaged."""
        try:
            return SpeedRecord.model_validate_json(self._path(pair).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, pair: PackPair, record: SpeedRecord) -> None:
        """Replace the last measurement. Raises OSError if it cannot be written."""
        make_folder(self._folder, 0o700)
        self._path(pair).write_text(record.model_dump_json(indent=1), "utf-8")

    def _path(self, pair: PackPair) -> Path:
        return self._folder / f"speed-{pair.float32.manifest.name}-{pair.int8.manifest.name}.json"


def pack_pairs(packs: Packs) -> list[PackPair]:
    """Return the pairs of a float32 embedder and its int8 form."""
    embedders = [each for each in map(_embedder, packs.manifests()) if each is not None]
    return [
        PackPair(float32, int8) for float32 in embedders for int8 in embedders if _is_int8_of(int8.file, float32.file)
    ]


def measure(packs: Packs, pair: PackPair, clock: Callable[[], float] = time.process_time) -> SpeedRecord:
    """Measure a pair on one thread of the CPU, in about two seconds.

    If the int8 pack is missing, the float32 network is converted. Raises NetworkMissing if the float32 pack is missing,
    NetworkCorrupt if a file differs from its SHA-256, and NetworkInvalid if a file is not an embedder.
    """
    float32, int8 = pair.float32, pair.int8
    network = packs.read(float32.manifest, float32.file.name)
    has_int8 = packs.has(int8.manifest)
    quantised = packs.read(int8.manifest, int8.file.name) if has_int8 else _quantised(network, int8.file)
    float32_session = Session(network, Runtime(), name=float32.file.name)
    int8_session = Session(quantised, Runtime(), name=int8.file.name)
    side = float32.section.input_size
    crop = np.random.default_rng(0).uniform(0, 255, (1, 3, side, side)).astype(np.float32)
    ratio = time_ratio(float32_session.run, int8_session.run, [crop], most_seconds=_SECONDS, clock=clock)
    today = datetime.now(UTC).date().isoformat()
    return SpeedRecord(ratio=ratio, processor=processor(), onnxruntime=runtime_version(), date=today)


def processor() -> str:
    """Return the name of this machine's processor, or its architecture if the system does not name it."""
    lines = _CPU_FACTS.read_text("utf-8", "replace").splitlines() if _CPU_FACTS.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _embedder(manifest: Manifest) -> PackEmbedder | None:
    section = manifest.embedder
    files = [each for each in manifest.files if section is not None and each.name == section.file]
    return PackEmbedder(manifest, section, files[0]) if section is not None and files else None


def _is_int8_of(int8: File, float32: File) -> bool:
    is_same = int8.sha256 is not None and (int8.sha256, int8.conversion) == (float32.sha256, float32.conversion)
    return is_same and bool(int8.ranges) and not float32.ranges


def _quantised(network: bytes, file: File) -> bytes:
    from app.vision.inference.conversion.steps import convert  # noqa: PLC0415 - serving does not need onnx

    return convert(network, (), ranges=file.ranges)
