import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from app.errors import TrainingInvalid
from app.training.export.network import as_onnx
from app.training.finetune.imported import ImportedNetwork, Repreprocessed
from app.training.finetune.layers import FrozenBatchNorm, PRelu
from app.vision.embedding import Preprocessing, as_input
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import SIDE, embedder, made

PACKS = {
    "open": ("sface.onnx", Preprocessing(0, 1)),
    "arcface-mobilefacenet": ("mobilefacenet.onnx", Preprocessing(127.5, 128)),
}


def run(network, batch):
    return Session(network, Runtime()).run(batch)[0]


def pixels(batch, side):
    return np.random.default_rng(batch).integers(0, 256, (batch, 3, side, side)).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 5])
def test_every_operator_computes_what_onnx_runtime_computes(batch):
    network = embedder()
    with torch.no_grad():
        actual = ImportedNetwork(network)(torch.from_numpy(pixels(batch, SIDE))).numpy()
    np.testing.assert_allclose(actual, run(network, pixels(batch, SIDE)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pack", PACKS)
def test_real_packs_compute_what_onnx_runtime_computes(pack, network):
    file, preprocessing = PACKS[pack]
    data = network(pack, file).read_bytes()
    crops = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    expected = run(data, as_input(crops, preprocessing))
    imported = ImportedNetwork(data)
    usual = torch.from_numpy(as_input(crops, Preprocessing(127.5, 128)))
    with torch.no_grad():
        actual = imported(torch.from_numpy(as_input(crops, preprocessing))).numpy()
        reconciled = Repreprocessed(imported, preprocessing)(usual).numpy()
    assert any(isinstance(each, PRelu) for each in imported.layers)
    for each in (actual, reconciled):
        np.testing.assert_allclose(each, expected, atol=1e-4 * np.abs(expected).max())


def test_a_network_that_takes_bgr_gets_it():
    preprocessing = Preprocessing(100, 50, is_bgr=True)
    crops = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    usual = torch.from_numpy(as_input(crops, Preprocessing(127.5, 128)))
    actual = Repreprocessed(torch.nn.Identity(), preprocessing)(usual)
    np.testing.assert_allclose(actual.numpy(), as_input(crops, preprocessing), atol=1e-5)


def test_all_weights_are_trained_and_statistics_are_not():
    imported = ImportedNetwork(embedder()).train()
    before = {name: value.clone() for name, value in imported.state_dict().items()}
    optimiser = torch.optim.SGD(imported.parameters(), 0.01)
    imported(torch.from_numpy(pixels(4, SIDE))).square().sum().backward()
    optimiser.step()
    changed = {name for name, value in imported.state_dict().items() if not torch.equal(value, before[name])}
    kept = {name for name, _ in imported.named_buffers()}
    assert changed == {name for name, _ in imported.named_parameters()}
    assert {name.split(".")[-1] for name in kept} == {"mean", "variance", "second"}


def test_only_the_last_layer_is_trained_when_the_rest_is_frozen():
    imported = ImportedNetwork(embedder())
    imported.freeze_all_but_the_last()
    trained = [each for each in imported.layers if any(value.requires_grad for value in each.parameters())]
    assert [type(each).__name__ for each in trained] == ["Linear", "FrozenBatchNorm"]
    assert isinstance(trained[-1], FrozenBatchNorm)


def test_what_was_read_is_exported_again():
    network = embedder(112)
    again = as_onnx(ImportedNetwork(network))
    batch = pixels(3, 112)
    np.testing.assert_allclose(run(again, batch), run(network, batch), rtol=1e-3, atol=1e-4)
    kinds = [node.op_type for node in onnx.load_model_from_string(again).graph.node]
    assert "PRelu" not in kinds
    assert kinds.count("BatchNormalization") == 1  # after a Div


def test_an_operator_that_is_not_known_is_named():
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Softsign", ["flat"], ["embedding"])]
    with pytest.raises(
        TrainingInvalid, match=r"the operator Softsign \(output embedding\) is not supported in training; supported: A"
    ):
        ImportedNetwork(made(nodes, {}, width=3 * SIDE * SIDE))


def test_the_identity_of_a_constant_is_that_constant():
    """Exporters write one for weights that two layers share."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Identity", ["w"], ["shared"]),
        helper.make_node("Gemm", ["flat", "shared"], ["embedding"]),
    ]
    weights = {"w": np.random.default_rng(0).normal(size=(3 * SIDE * SIDE, 6)).astype(np.float32)}
    network = made(nodes, weights)
    with torch.no_grad():
        actual = ImportedNetwork(network)(torch.from_numpy(pixels(2, SIDE))).numpy()
    np.testing.assert_allclose(actual, run(network, pixels(2, SIDE)), rtol=1e-4)


def test_weights_that_are_computed_are_refused():
    nodes = [
        helper.make_node("Exp", ["w"], ["grown"]),
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "grown"], ["embedding"]),
    ]
    weights = {"w": np.ones((3 * SIDE * SIDE, 6), np.float32)}
    with pytest.raises(TrainingInvalid, match=r"needs constant weights and shapes|operator Exp"):
        ImportedNetwork(made(nodes, weights))


def test_what_is_no_network_is_refused():
    with pytest.raises(TrainingInvalid):
        ImportedNetwork(b"no network")
