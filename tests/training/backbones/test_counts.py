"""Parameter counts, computed layer by layer from the published tables."""

import pytest
from torch import nn

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec

_UNITS = {
    "iresnet18": (2, 2, 2, 2),
    "iresnet34": (3, 4, 6, 3),
    "iresnet50": (3, 4, 14, 3),
    "iresnet100": (3, 13, 30, 3),
}


def _count(network):
    return sum(weight.numel() for weight in network.parameters())


def _iresnet(name, dimension):
    norm, prelu = 2, 1  # numbers per channel
    total, before = 3 * 64 * 9 + (norm + prelu) * 64, 64
    for after, units in zip((64, 128, 256, 512), _UNITS[name], strict=True):
        for unit in range(units):
            inside = after if unit else before
            total += norm * inside + 9 * inside * after + (norm + prelu) * after + 9 * after * after + norm * after
        total += before * after + norm * after  # the shortcut of the first unit
        before = after
    return total + norm * 512 + (512 * 7 * 7 + 1) * dimension + norm * dimension


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("iresnet18", 24_025_600),
        ("iresnet34", 34_139_328),
        ("iresnet50", 43_590_848),
        ("iresnet100", 65_156_160),
    ],
)
def test_iresnet_has_the_parameters_of_the_public_implementation(name, published):
    count = _count(build_backbone(BackboneSpec(name)))
    assert count == published
    assert count == _iresnet(name, 512)


def test_mobilefacenet_has_its_0_99_million_once_its_batch_norms_are_folded():
    network = build_backbone(BackboneSpec("mobilefacenet", dimension=128))
    normed = sum(
        module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)
    )
    assert _count(network) == 1_003_136  # 4.0 MB of float32, as published
    assert _count(network) - normed == 993_344  # a BatchNorm becomes one bias per channel
    assert _count(build_backbone(BackboneSpec("mobilefacenet", dimension=512))) == 1_003_136 + 384 * (512 + 2)


@pytest.mark.parametrize(
    ("output", "after_the_map"),
    [
        ("A", 0),
        ("B", 513 * 512),
        ("C", 513 * 512 + 2 * 512),
        ("D", 513 * 512 + 3 * 512),
        ("E", 2 * 512 + (512 * 49 + 1) * 512 + 2 * 512),
    ],
)
def test_output_options_have_the_papers_layers(output, after_the_map):
    network = build_backbone(BackboneSpec("iresnet18", output=output))
    assert _count(network.output) == after_the_map
    assert _count(network.body) == 24_025_600 - (2 * 512 + (512 * 49 + 1) * 512 + 2 * 512)


def test_squeeze_and_excitation_adds_two_small_layers_to_every_unit():
    plain, squeezed = (_count(build_backbone(BackboneSpec("iresnet18", has_se=has_se))) for has_se in (False, True))
    added = [2 * channels * (channels // 16) + channels // 16 * 2 + channels for channels in (64, 128, 256, 512)]
    assert squeezed - plain == 2 * sum(added)
