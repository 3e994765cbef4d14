"""The layers of SphereFace-20, computed from the published table."""

import pytest
import torch
from torch import nn

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec


def test_it_has_20_convolutions_and_the_parameters_of_the_authors_network():
    network = build_backbone(BackboneSpec("sphere20"))
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Conv2d] * 20 + [nn.Linear]
    total, before = 0, 3
    for channels, units in ((64, 1), (128, 2), (256, 4), (512, 1)):
        total += 9 * before * channels + channels + channels  # convolution with bias, PReLU
        total += units * 2 * (9 * channels * channels + channels)
        before = channels
    total += (512 * 7 * 7 + 1) * 512
    assert sum(weight.numel() for weight in network.parameters()) == total
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) for module in network.modules())


def test_weights_begin_as_in_the_authors_code():
    torch.manual_seed(0)
    network = build_backbone(BackboneSpec("sphere20", width=0.5))
    stages = [layer for layer in network.body if isinstance(layer, nn.Conv2d)]
    assert [layer.stride for layer in stages] == [(2, 2)] * 4
    for layer in (*stages[1:], network.output[1]):
        inputs = layer.weight[0].numel()
        assert float(layer.weight.detach().std()) == pytest.approx(inputs**-0.5, rel=0.02)
        assert not layer.bias.any()
    inner = network.body[-1].residual[0]
    assert inner.bias is None
    assert float(inner.weight.detach().std()) == pytest.approx(0.01, rel=0.02)


def test_a_unit_adds_its_input_after_the_activation():
    unit = build_backbone(BackboneSpec("sphere20", width=0.125)).body[2]
    maps = torch.randn(2, 8, 5, 5)
    first, first_slopes, second, second_slopes = unit.residual
    expected = maps + second_slopes(second(first_slopes(first(maps))))
    torch.testing.assert_close(unit(maps), expected)
