"""Advice for an NVIDIA GPU that ONNX Runtime cannot use: what is missing, and what to run."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

LEAST_DRIVER = 580
"""The CUDA 13 libraries of requirements/gpu.txt need this driver."""
_INSTALL = "make serve EXTRA=gpu (without make: pip install 'arcid[gpu]' in a new environment)"
_VERSION = re.compile(r"\b(\d{3,4})\.\d+(?:\.\d+)*\b")


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """Parts of a machine that CUDA needs; `driver` is None without a loaded driver."""

    driver: str | None
    has_device: bool
    wheels: Collection[str] = ()

    @classmethod
    def read(cls, wheels: Collection[str], root: Path = Path("/")) -> "GpuFacts":
        """Read the facts of this machine; `wheels` are the installed distributions of ONNX Runtime."""
        file = root / "proc" / "driver" / "nvidia" / "version"
        found = _VERSION.search(file.read_text("utf-8", "replace")) if file.is_file() else None
        has_device = any((root / "dev").glob("nvidia[0-9]*"))
        return cls(found[0] if found else None, has_device, wheels)


def gpu_advice(facts: GpuFacts) -> str:
    """Return the first thing to repair if CUDA does not work."""
    if facts.driver is None:
        return f"no NVIDIA driver is loaded; install version {LEAST_DRIVER} or newer, restart, then run: nvidia-smi"
    if int(facts.driver.partition(".")[0]) < LEAST_DRIVER:
        return f"the NVIDIA driver is version {facts.driver}; install version {LEAST_DRIVER} or newer, then restart"
    if not facts.has_device:
        return "the driver is loaded, but no GPU is visible here; start the container with: docker run --gpus all"
    if "onnxruntime-gpu" not in facts.wheels:
        return f"ONNX Runtime is installed for other processors ({_named(facts.wheels)}); run: {_INSTALL}"
    return (
        f"driver {facts.driver} and onnxruntime-gpu are here, but CUDA does not start; its libraries may be damaged or "
        "of another version. Install them again: rm -rf .venv && make serve EXTRA=gpu"
    )


def _named(wheels: Collection[str]) -> str:
    return ", ".join(wheels) or "no package of it is installed"
