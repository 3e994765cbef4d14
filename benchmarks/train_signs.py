"""Train the two networks that see coverings and motion blur: models/quality/coverings.onnx and motion.onnx.

python benchmarks/train_signs.py --faces lfw.npz london.npz --out models/quality [--samples 24000] [--epochs 6]

Each file of --faces has `canvas` (n, 168, 168, 3), RGB: faces at ArcFace's template with a margin of 28 pixels, `lm`
(n, 5, 2) in its pixels, and `people` (n,). `benchmarks/sign_faces.py` makes them from photos. Seven of ten people
train, by the hash of their names; the others are for the figures. It takes about ten minutes on one core.
"""

import argparse
import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from occluders import Image, Points
from occlusion_samples import LABELS, MARGIN, SIDE, Kinds, sample
from torch import nn

from app.vision.quality.spectrum import SECTORS, SPECTRUM_SIZE, spectrum

_TRAINED_TENTHS = 7
_CLEANING_SAMPLES, _CLEANING_EPOCHS = 6000, 3
_CLEANED = 0.7  # probability at which an unchanged photo of training is taken for covered, and left out


class Faces:
    """Faces of people on either side of the split."""

    def __init__(self, files: list[Path], *, is_trained: bool) -> None:
        canvases, landmarks, patches = [], [], []
        for file in files:
            with np.load(file) as data:
                ours = np.array([_is_trained(f"{person}") == is_trained for person in data["people"]])
                often = max(1, 1000 // max(int(ours.sum()), 1)) if is_trained else 1  # small sets count as 1000 faces
                canvases += [data["canvas"][ours]] * often
                landmarks += [data["lm"][ours]] * often
                patches += [canvas[:60, :60] for canvas in data["canvas"][ours][::10]]
        self.canvases: NDArray[np.uint8] = np.concatenate(canvases)
        self.landmarks: NDArray[np.float64] = np.concatenate(landmarks)
        self.patches: list[Image] = patches

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave out faces."""
        self.canvases, self.landmarks = self.canvases[kept], self.landmarks[kept]

    def crops(self) -> Image:
        """Return the unchanged crops (n, 112, 112, 3)."""
        inner = slice(MARGIN, MARGIN + SIDE)
        return np.ascontiguousarray(self.canvases[:, inner, inner])

    def samples(self, count: int, seed: int, kinds: Kinds) -> tuple[Image, NDArray[np.float32]]:
        """Return crops (count, 112, 112, 3) and labels (count, 4)."""
        rng = np.random.default_rng(seed)
        crops, labels = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty((count, len(LABELS)), np.float32)
        for row in range(count):
            face = row % len(self.canvases)
            landmarks: Points = self.landmarks[face]
            crops[row], labels[row] = sample(self.canvases[face], landmarks, rng, self.patches, kinds)
        return crops, labels


def _is_trained(person: str) -> bool:
    return int(hashlib.sha256(person.encode()).hexdigest(), 16) % 10 < _TRAINED_TENTHS


def _separable(into: int, out: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(into, into, 3, stride, 1, groups=into, bias=False), nn.BatchNorm2d(into), nn.ReLU(),
        nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
    ]  # fmt: skip


class CoveringNetwork(nn.Module):
    """Crops (n, 3, 112, 112), RGB 0..255, to log-odds (n, 3) that eyes, mouth and face are covered."""

    def __init__(self) -> None:
        super().__init__()
        widths = [(16, 24, 2), (24, 32, 1), (32, 48, 2), (48, 48, 1), (48, 64, 2), (64, 64, 1)]
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            *[layer for width in widths for layer in _separable(*width)],
            nn.Conv2d(64, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(24 * 49, 32), nn.ReLU(), nn.Linear(32, 3),
        )  # fmt: skip

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Return the log-odds."""
        return self.layers((crops - 127.5) / 64)


class MotionNetwork(nn.Module):
    """Spectra (n, 144) to log-odds (n, 1) of motion blur; the same for every direction of it."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.rings = SPECTRUM_SIZE // SECTORS
        self.norm = nn.BatchNorm1d(self.rings)
        around = {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}
        self.first, self.second = nn.Conv1d(self.rings, width, **around), nn.Conv1d(width, width, **around)
        self.last = nn.Sequential(nn.Linear(3 * width, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return the log-odds."""
        found = self.norm(spectra.view(-1, self.rings, SECTORS))
        found = torch.relu(self.second(torch.relu(self.first(found))))
        return self.last(torch.cat([found.amax(2), found.mean(2), found.amin(2)], 1))


def as_tensor(crops: NDArray[np.float32] | Image) -> torch.Tensor:
    """Return crops as the network takes them."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float()


def spectra_of(crops: Image) -> NDArray[np.float32]:
    """Return the spectra (n, 144) of crops."""
    return np.stack([spectrum(crop) for crop in crops])


def fit(
    network: nn.Module, inputs: NDArray[np.float32] | Image, labels: NDArray[np.float32], epochs: int, batch: int
) -> None:
    """Train a network on crops or spectra."""
    convert = as_tensor if inputs.ndim == 4 else torch.from_numpy
    steps = len(inputs) // batch
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * steps)
    for epoch in range(epochs):
        network.train()
        order, total = np.random.default_rng(epoch).permutation(len(inputs)), 0.0
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            found = network(convert(inputs[rows]))
            loss = nn.functional.binary_cross_entropy_with_logits(found, torch.from_numpy(labels[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}", flush=True)
    network.eval()


@torch.no_grad()
def probabilities(network: nn.Module, inputs: NDArray[np.float32] | Image) -> NDArray[np.float32]:
    """Return a trained network's probabilities."""
    convert = as_tensor if inputs.ndim == 4 else torch.from_numpy
    parts = [torch.sigmoid(network(convert(inputs[start : start + 256]))) for start in range(0, len(inputs), 256)]
    found: NDArray[np.float32] = torch.cat(parts).numpy()
    return found


def save(network: nn.Module, example: torch.Tensor, path: Path) -> None:
    """Write a network as ONNX, for any number of rows."""
    out = io.BytesIO()
    rows = ({0: torch.export.Dim("n", min=1)},)
    names = {"input_names": ["input"], "output_names": ["log_odds"]}
    torch.onnx.export(network, (example,), out, dynamo=True, verbose=False, dynamic_shapes=rows, **names)
    model = onnx.load_model_from_string(out.getvalue())
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        part.ClearField("metadata_props")  # the exporter's notes, with paths of this machine
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path}: {path.stat().st_size} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def report(names: tuple[str, ...], found: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
    """Print, for held-out people, the shares of covered and of uncovered samples that are flagged."""
    for column, name in enumerate(names):
        positive, negative = found[labels[:, column] > 0.9, column], found[labels[:, column] < 0.05, column]
        print(f"{name}: {np.mean(positive > 0.5):.3f} of {len(positive)}, false {np.mean(negative > 0.5):.4f}")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=24000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--without", nargs=2, metavar=("EYES", "MOUTH"), help="kinds of coverings to leave out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(1)
    kinds = Kinds.all().without(*options.without) if options.without else Kinds.all()

    faces, held_out = Faces(options.faces, is_trained=True), Faces(options.faces, is_trained=False)
    crops, labels = faces.samples(_CLEANING_SAMPLES, 5, kinds)
    coverings = CoveringNetwork()
    fit(coverings, crops, labels[:, :3], _CLEANING_EPOCHS, 64)
    faces.keep(probabilities(coverings, faces.crops())[:, :2].max(axis=1) < _CLEANED)

    crops, labels = faces.samples(options.samples, 6, kinds)
    coverings, motion = CoveringNetwork(), MotionNetwork()
    fit(coverings, crops, labels[:, :3], options.epochs, 64)
    fit(motion, spectra_of(crops), labels[:, 3:], 25, 128)
    seen, truth = held_out.samples(4000, 7, Kinds.all())
    report(LABELS[:3], probabilities(coverings, seen), truth[:, :3])
    report(LABELS[3:], probabilities(motion, spectra_of(seen)), truth[:, 3:])
    options.out.mkdir(parents=True, exist_ok=True)
    save(coverings, torch.zeros(2, 3, SIDE, SIDE), options.out / "coverings.onnx")
    save(motion, torch.zeros(2, SPECTRUM_SIZE), options.out / "motion.onnx")


if __name__ == "__main__":
    main()
