"""Networks of timm; the tests that need it are skipped without it."""

import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType, SimpleNamespace

import pytest
import torch

from app.errors import TrainingInvalid, TrainingUnavailable
from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec
from app.training.backbones.timm_network import TimmNetwork


def require_timm():
    """Import timm, or skip.

    If PyTorch has no GPU support, torchvision may still be a build with it, whose operators cannot be loaded. The
    networks of these tests use none of them, so the descriptions of these operators are left out.
    """
    with suppress(ImportError):
        try:
            return import_module("timm")
        except RuntimeError:
            for name in [each for each in sys.modules if each.partition(".")[0] in {"torchvision", "timm"}]:
                del sys.modules[name]
            sys.modules["torchvision._meta_registrations"] = ModuleType("torchvision._meta_registrations")
            return import_module("timm")
    return pytest.skip("timm is not installed; run: make timm")


def build(name, **keys):
    torch.manual_seed(0)
    return build_backbone(BackboneSpec(f"timm:{name}", dimension=32, **keys))


@pytest.mark.parametrize("name", ["mobilenetv1_100", "densenet121", "dpn48b", "inception_resnet_v2"])
def test_the_networks_that_the_papers_compare(name):
    require_timm()
    network = build(name).eval()
    with torch.no_grad():
        features = network(torch.rand(2, 3, 112, 112))
    assert features.shape == (2, 32)
    assert features.isfinite().all()


@pytest.mark.parametrize("output", ["B", "C", "D", "E"])
def test_all_outputs(output):
    require_timm()
    network = build("mobilenetv1_100", output=output)
    network(torch.rand(2, 3, 112, 112)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)


def test_options_are_those_of_timm():
    require_timm()
    layers = [
        sum(weight.numel() for weight in build("densenet121", options=options).body.parameters())
        for options in ({}, {"block_config": [2, 2, 2, 2]})
    ]
    assert layers[1] < layers[0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("densenet122", {}, r"unknown network of timm 'densenet122'; did you mean densenet121 or"),
        ("densenet121", {"depth": 3}, "timm:densenet121 cannot be constructed: .*depth"),
        ("vit_tiny_patch16_224", {"img_size": 112}, "not a map"),
        ("vit_tiny_patch16_224", {}, "does not take crops of 112x112"),
    ],
)
def test_what_does_not_fit_is_named(name, options, message):
    require_timm()
    with pytest.raises(TrainingInvalid, match=message):
        build(name, options=options)


def test_a_misspelt_network_of_timm_has_the_nearest_name(monkeypatch):
    def create_model(name, **_):
        raise RuntimeError(f"Unknown model ({name})")

    names = ["densenet121", "densenet161", "vgg11"]
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model, list_models=lambda: names))
    with pytest.raises(TrainingInvalid, match=r"^unknown network of timm 'densnet121'; did you mean densenet121 or"):
        build("densnet121")
    with pytest.raises(TrainingInvalid, match=r"'xyz'; timm\.list_models\(\) lists all$"):
        build("xyz")
    with pytest.raises(TrainingInvalid, match="timm:vgg11 cannot be constructed"):
        build("vgg11")


def test_without_timm_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TrainingUnavailable, match="networks of timm need timm, not installed here; run: make timm"):
        TimmNetwork(BackboneSpec("timm:densenet121"))
