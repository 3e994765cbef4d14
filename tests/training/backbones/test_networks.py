import pytest
import torch
from torch import nn

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import NAMES, BackboneSpec
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

_NARROW = 0.125


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def _crops(count=2):
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("name", NAMES)
def test_a_crop_becomes_a_map_of_7_by_7_and_a_vector(name):
    network = build_backbone(BackboneSpec(name, dimension=24, width=_NARROW)).eval()
    with torch.no_grad():
        assert network.body(_crops()).shape == (2, 64, 7, 7)
        features = network(_crops())
    assert features.shape == (2, 24)
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()


def test_the_published_width_ends_in_512_maps():
    for name in ("iresnet18", "mobilefacenet"):
        with torch.no_grad():
            assert build_backbone(BackboneSpec(name)).eval().body(_crops(1)).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("output", ["A", "B", "C", "D", "E"])
@pytest.mark.parametrize("has_se", [False, True])
def test_all_outputs_with_and_without_squeeze_and_excitation(output, has_se):
    spec = BackboneSpec("iresnet18", dimension=64, width=_NARROW, output=output, has_se=has_se)
    network = build_backbone(spec)
    features = network(_crops(3))
    assert features.shape == (3, 64)
    features.sum().backward()
    assert all(weight.grad is not None for weight in network.parameters() if weight.requires_grad)


def test_the_layers_of_each_output_are_in_the_papers_order():
    layers = {
        "A": ["AdaptiveAvgPool2d", "Flatten"],
        "B": ["AdaptiveAvgPool2d", "Flatten", "Linear"],
        "C": ["AdaptiveAvgPool2d", "Flatten", "Linear", "BatchNorm1d"],
        "D": ["AdaptiveAvgPool2d", "Flatten", "Linear", "BatchNorm1d", "PReLU"],
        "E": ["BatchNorm2d", "Flatten", "Dropout", "Linear", "BatchNorm1d"],
    }
    for output, expected in layers.items():
        network = build_backbone(BackboneSpec("iresnet18", dimension=64, width=_NARROW, output=output))
        assert [type(layer).__name__ for layer in network.output] == expected


def test_the_improved_unit_is_in_the_papers_order_and_only_its_second_convolution_strides():
    network = build_backbone(BackboneSpec("iresnet18", dimension=64, width=_NARROW))
    assert [type(layer).__name__ for layer in network.body[:3]] == ["Conv2d", "BatchNorm2d", "PReLU"]
    assert network.body[0].stride == (1, 1)
    for place, unit in enumerate(network.body[3:]):
        names = [type(layer).__name__ for layer in unit.residual]
        assert names == ["BatchNorm2d", "Conv2d", "BatchNorm2d", "PReLU", "Conv2d", "BatchNorm2d"]
        is_first = place % 2 == 0
        assert unit.residual[1].stride == (1, 1)
        assert unit.residual[4].stride == ((2, 2) if is_first else (1, 1))
        assert isinstance(unit.shortcut, nn.Sequential if is_first else nn.Identity)


def test_the_stem_of_7x7_has_a_stride_and_leaves_a_map_of_4x4():
    network = build_backbone(BackboneSpec("iresnet18", dimension=16, width=_NARROW, stem="7x7")).eval()
    assert (network.body[0].kernel_size, network.body[0].stride) == ((7, 7), (2, 2))
    with torch.no_grad():
        assert network.body(_crops()).shape == (2, 64, 4, 4)
        assert network(_crops()).shape == (2, 16)


@pytest.mark.parametrize("has_se", [False, True])
def test_the_plain_unit_strides_first_and_ends_after_the_sum(has_se):
    network = build_backbone(BackboneSpec("iresnet18", dimension=16, width=_NARROW, unit="plain", has_se=has_se))
    unit = network.body[3].eval()
    names = [type(layer).__name__ for layer in unit.residual]
    assert names[:5] == ["Conv2d", "BatchNorm2d", "PReLU", "Conv2d", "BatchNorm2d"]
    assert names[5:] == ["_SqueezeExcitation"] * has_se
    assert [unit.residual[place].stride for place in (0, 3)] == [(2, 2), (1, 1)]
    maps = torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(unit(maps), unit.activation(unit.residual(maps) + unit.shortcut(maps)))
    assert network(_crops()).shape == (2, 16)


def test_weights_begin_as_in_the_public_implementation():
    network = build_backbone(BackboneSpec("iresnet18", dimension=64, width=0.5))
    kernels = torch.cat(
        [layer.weight.detach().flatten() for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    )
    assert float(kernels.std()) == pytest.approx(0.1, rel=0.01)
    assert not network.output[-1].weight.requires_grad
    assert (network.output[-1].weight == 1).all()
    mobile = build_backbone(BackboneSpec("mobilefacenet"))
    last = mobile.body[-3].weight.detach()  # 1x1, 128 -> 512
    assert float(last.std()) == pytest.approx((2 / 512) ** 0.5, rel=0.02)


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet", "sphere20"])
def test_in_evaluation_a_crop_means_the_same_alone_and_in_a_batch(name):
    network = build_backbone(BackboneSpec(name, dimension=16, width=_NARROW))
    network.train()
    network(_crops(4))
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(_crops(3))[1:2], network(_crops(3)[1:2]), rtol=1e-4, atol=1e-4)


def test_dropout_is_for_training_only():
    network = build_backbone(BackboneSpec("iresnet18", dimension=16, width=_NARROW, dropout=0.5))
    with torch.no_grad():
        assert not torch.equal(network(_crops()), network(_crops()))
        network.eval()
        assert torch.equal(network(_crops()), network(_crops()))


def test_widths_are_multiples_of_8_and_never_nothing():
    channels = {
        width: [BackboneSpec("iresnet18", width=width).channels(count) for count in (64, 128, 512)]
        for width in (1, 0.5, 0.3, 0.01)
    }
    assert channels == {1: [64, 128, 512], 0.5: [32, 64, 256], 0.3: [16, 40, 152], 0.01: [8, 8, 8]}


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet"])
def test_a_few_steps_under_autocast_lower_the_loss(name):
    network = build_backbone(BackboneSpec(name, dimension=16, width=_NARROW, dropout=0))
    loss = build_loss(LossSpec("arcface", scale=16, margin=0.2), classes=4, dimension=16)
    optimizer = torch.optim.SGD([*network.parameters(), *loss.parameters()], lr=0.02, momentum=0.9)
    crops, labels, values = _crops(8), torch.arange(8) % 4, []
    for _ in range(12):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(network(crops), labels)
        value.backward()
        optimizer.step()
        loss.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2
    assert all(torch.isfinite(weight).all() for weight in network.parameters())
