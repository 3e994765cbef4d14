"""Checkpoints with arcface_torch's layer names, which the modules here restate for a test."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from app.cli import cli
from app.errors import TrainingInvalid
from app.training.importing.architectures import ARCHITECTURES
from app.training.importing.reading import PREPROCESSING, read_backbone
from app.vision.embedding import as_input
from app.vision.inference.manifest import read_manifest
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.people import crops_of

DIMENSION = 32

Step = tuple[list[str], list[str] | None]
"""Names of layers, and those of the shortcut around them: None for none, [] for the identity."""


class Named(nn.Module):
    """A network by layer names: `forward` follows a list of steps, each a name or a residual (names, shortcut)."""

    def __init__(self, layers, steps):
        super().__init__()
        for name, layer in layers.items():
            *parents, last = name.split(".")
            module = self
            for parent in parents:
                if parent not in module._modules:
                    module.add_module(parent, nn.Module())
                module = module._modules[parent]
            module.add_module(last, layer)
        self.steps = steps

    def apply_all(self, names, maps):
        for name in names:
            maps = maps.flatten(1) if name == "flatten" else self.get_submodule(name)(maps)
        return maps

    def forward(self, maps):
        for names, shortcut in self.steps:
            out = self.apply_all(names, maps)
            maps = out if shortcut is None else out + self.apply_all(shortcut, maps)
        return maps


def conv(channels, out, kernel, stride=1, groups=1):
    return nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)


def iresnet18():
    """Return the layers and steps of arcface_torch's iresnet18."""
    layers: dict[str, nn.Module] = {"conv1": conv(3, 64, 3), "bn1": nn.BatchNorm2d(64), "prelu": nn.PReLU(64)}
    steps: list[Step] = [(["conv1", "bn1", "prelu"], None)]
    channels = 64
    for stage, out in enumerate((64, 128, 256, 512), 1):
        for unit in range(2):
            at, stride = f"layer{stage}.{unit}", 1 if unit else 2
            layers |= {
                f"{at}.bn1": nn.BatchNorm2d(channels),
                f"{at}.conv1": conv(channels, out, 3),
                f"{at}.bn2": nn.BatchNorm2d(out),
                f"{at}.prelu": nn.PReLU(out),
                f"{at}.conv2": conv(out, out, 3, stride),
                f"{at}.bn3": nn.BatchNorm2d(out),
            }
            shortcut = []
            if not unit:
                shortcut = [f"{at}.downsample.0", f"{at}.downsample.1"]
                layers |= {shortcut[0]: conv(channels, out, 1, stride), shortcut[1]: nn.BatchNorm2d(out)}
            steps.append(([f"{at}.{part}" for part in ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")], shortcut))
            channels = out
    layers |= {"bn2": nn.BatchNorm2d(512), "fc": nn.Linear(512 * 49, DIMENSION), "features": nn.BatchNorm1d(DIMENSION)}
    return layers, [*steps, (["bn2", "flatten", "fc", "features"], None)]


def mbf():
    """Return the layers and steps of arcface_torch's mbf."""
    layers: dict[str, nn.Module] = {}
    steps: list[Step] = []

    def block(at, channels, out, kernel, stride=1, groups=1, *, is_linear=False):
        parts = [conv(channels, out, kernel, stride, groups), nn.BatchNorm2d(out)]
        parts += [] if is_linear else [nn.PReLU(out)]
        names = [f"{at}.layers.{index}" for index in range(len(parts))]
        layers.update(zip(names, parts, strict=True))
        return names

    def unit(at, channels, out, hidden, stride):
        names = block(f"{at}.layers.0", channels, hidden, 1)
        names += block(f"{at}.layers.1", hidden, hidden, 3, stride, hidden)
        names += block(f"{at}.layers.2", hidden, out, 1, is_linear=True)
        steps.append((names, None if stride == 2 else []))

    steps.append((block("layers.0", 3, 128, 3, 2), None))
    steps.append((block("layers.1", 128, 128, 3, groups=64), None))
    channels = 128
    for place, (out, hidden, units) in enumerate(
        ((128, 128, 0), (128, 128, 4), (256, 256, 0), (256, 256, 6), (256, 512, 0), (256, 256, 2)), 2
    ):
        if units == 0:
            unit(f"layers.{place}", channels, out, hidden, 2)
        for index in range(units):
            unit(f"layers.{place}.layers.{index}", channels, out, hidden, 1)
        channels = out
    steps.append((block("conv_sep", 256, 512, 1), None))
    layers["features.layers.0.layers.0"] = nn.Conv2d(512, 512, 7, groups=512, bias=False)
    layers["features.layers.0.layers.1"] = nn.BatchNorm2d(512)
    layers["features.layers.2"] = nn.Linear(512, DIMENSION, bias=False)
    layers["features.layers.3"] = nn.BatchNorm1d(DIMENSION)
    names = ["features.layers.0.layers.0", "features.layers.0.layers.1", "flatten"]
    steps.append(([*names, "features.layers.2", "features.layers.3"], None))
    return layers, steps


NETWORKS = {"iresnet18": iresnet18, "mbf": mbf}


@pytest.fixture(scope="module", params=NETWORKS)
def original(request):
    """Return the name of an architecture and a network with arcface_torch's names and trained statistics."""
    torch.manual_seed(0)
    network = Named(*NETWORKS[request.param]())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return request.param, network.eval()


def crops():
    return torch.from_numpy(as_input(np.stack(crops_of(1, 2)), PREPROCESSING))


def saved(network, file, **more):
    torch.save({**network.state_dict(), **more}, file)
    return file


def test_the_same_features_bit_for_bit(original, tmp_path):
    name, network = original
    imported = read_backbone(saved(network, tmp_path / "backbone.pth"), name)
    with torch.no_grad():
        assert float((imported(crops()) - network(crops())).abs().max()) == 0.0


def test_checkpoints_with_more_than_the_backbone_are_read(original, tmp_path):
    name, network = original
    state = {f"module.{key}": value for key, value in reversed(network.state_dict().items())}
    torch.save({"epoch": 3, "state_dict_backbone": state}, tmp_path / "checkpoint.pt")
    imported = read_backbone(tmp_path / "checkpoint.pt", name)
    with torch.no_grad():
        assert torch.equal(imported(crops()), network(crops()))


def test_files_that_do_not_fit_are_refused_by_name(original, tmp_path):
    name, network = original
    other = next(iter(set(NETWORKS) - {name}))
    file, layer = tmp_path / "backbone.pth", ARCHITECTURES[name].layers[0]
    saved(network, file)
    with pytest.raises(TrainingInvalid, match=f"is not an {other} of arcface_torch: it lacks"):
        read_backbone(file, other)
    with pytest.raises(TrainingInvalid, match="unknown architecture 'vit'; use one of iresnet18"):
        read_backbone(file, "vit")
    saved(network, file, **{"more.weight": torch.zeros(2)})
    with pytest.raises(TrainingInvalid, match="it also has more"):
        read_backbone(file, name)
    saved(network, file, **{f"{layer}.weight": torch.zeros(2)})
    with pytest.raises(TrainingInvalid, match=r"has the shape \(2,\) instead of"):
        read_backbone(file, name)
    saved(network, file, **{f"{layer}.bias": torch.zeros(2)})
    with pytest.raises(TrainingInvalid, match=f"the layer {layer} has weight, bias instead of weight"):
        read_backbone(file, name)


class Harmful:
    """A pickle of it would run a command."""

    def __reduce__(self):
        return print, ("run",)


def test_no_code_is_executed(tmp_path, capsys):
    file = tmp_path / "backbone.pth"
    for content in (Harmful(), {"conv1.weight": Harmful()}, Named({"conv1": nn.PReLU(1)}, [])):
        torch.save(content, file)
        with pytest.raises(TrainingInvalid, match="holds more than weights"):
            read_backbone(file, "mbf")
    assert "run" not in capsys.readouterr().out
    for data in (b"PK\x03\x04cut", pickle.dumps([1])):
        file.write_bytes(data)
        with pytest.raises(TrainingInvalid):
            read_backbone(file, "mbf")
    torch.save({"conv1.weight": 3}, file)
    with pytest.raises(TrainingInvalid, match="holds no state_dict"):
        read_backbone(file, "mbf")


def test_files_of_other_kinds_are_named(tmp_path):
    file = tmp_path / "backbone.pth"
    for data in (b"", b"a text", b"\x08\x07 an ONNX file"):
        file.write_bytes(data)
        with pytest.raises(TrainingInvalid, match=r"is not a file of torch\.save; import takes"):
            read_backbone(file, "mbf")
    torch.save({"backbone": {}, "run": {}, "classes": [], "iteration": 3}, file)
    with pytest.raises(TrainingInvalid, match=rf"checkpoint of ArcID; run: arcid train export {tmp_path} --out FOLDER"):
        read_backbone(file, "mbf")


def test_an_imported_network_is_a_pack(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path / "home"))
    torch.manual_seed(0)
    network = Named(*mbf()).eval()
    file = saved(network, tmp_path / "Glint360K.pth")
    options = ["--arch", "mbf", "--out", str(tmp_path / "packs"), "--detector", "yunet"]
    refused = CliRunner().invoke(cli, ["models", "import", str(file), *options])
    assert "--licence" in refused.output
    assert refused.exit_code == 2
    done = CliRunner().invoke(
        cli, ["models", "import", str(file), *options, "--licence", "research only", "--commercial-use", "no"]
    )
    assert done.exception is None, done.output
    assert "not calibrated" in done.output
    folder = tmp_path / "packs" / "glint360k"
    manifest = read_manifest(folder / "manifest.toml")
    assert (manifest.licence, manifest.commercial_use, manifest.default_detector) == ("research only", "no", "yunet")
    assert manifest.embedder is not None
    assert (manifest.embedder.dimension, manifest.embedder.mean, manifest.embedder.scale) == (DIMENSION, 127.5, 127.5)
    served = Session(folder / "glint360k.onnx", Runtime()).run(crops().numpy())[0]
    with torch.no_grad():
        expected = network(crops()).numpy()
    np.testing.assert_allclose(served, expected, atol=1e-4 * np.abs(expected).max())
