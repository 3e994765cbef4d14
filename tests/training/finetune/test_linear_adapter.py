import numpy as np
import onnx
import pytest

from app.errors import TrainingInvalid
from app.training.finetune.linear_adapter import LinearAdapter, append_adapter
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import DIMENSION, SIDE, embedder, made

RNG = np.random.default_rng(0)
BATCH = RNG.uniform(0, 255, (5, 3, SIDE, SIDE)).astype(np.float32)


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    return LinearAdapter(
        rng.normal(size=(DIMENSION, DIMENSION)).astype(np.float32), rng.normal(size=DIMENSION).astype(np.float32)
    )


def run(network, batch=BATCH):
    return Session(network, Runtime()).run(batch)


@pytest.mark.parametrize("batch", [1, 5])
def test_one_network_gives_what_network_and_adapter_give(batch):
    network, adaptation = embedder(), drawn()
    (actual,) = run(append_adapter(network, adaptation), BATCH[:batch])
    np.testing.assert_allclose(actual, adaptation.apply(run(network, BATCH[:batch])[0]), rtol=1e-4, atol=1e-5)


def test_what_changes_nothing_changes_nothing():
    nothing = LinearAdapter(np.eye(DIMENSION, dtype=np.float32), np.zeros(DIMENSION, np.float32))
    np.testing.assert_allclose(run(append_adapter(embedder(), nothing))[0], run(embedder())[0], rtol=1e-5, atol=1e-6)


def test_the_length_of_a_feature_goes_through():
    features = RNG.normal(size=(4, DIMENSION)).astype(np.float32)
    adapted = drawn().apply(features)
    np.testing.assert_allclose(drawn().apply(3 * features), 3 * adapted, rtol=1e-5)
    assert np.isfinite(drawn().apply(np.zeros((1, DIMENSION), np.float32))).all()


def test_an_adapter_behind_an_adapter():
    network = embedder()
    twice = append_adapter(append_adapter(network, drawn(1)), drawn(2))
    expected = drawn(2).apply(drawn(1).apply(run(network)[0]))
    np.testing.assert_allclose(run(twice)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opset", [9, 17])
def test_old_networks_take_one_too(opset):
    node = onnx.helper.make_node("Flatten", ["x"], ["flat"]), onnx.helper.make_node("MatMul", ["flat", "w"], ["y"])
    weights = {"w": RNG.normal(size=(3 * SIDE * SIDE, DIMENSION)).astype(np.float32)}
    network = made(list(node), weights, output="y", opset=opset)
    (actual,) = run(append_adapter(network, drawn()))
    np.testing.assert_allclose(actual, drawn().apply(run(network)[0]), rtol=1e-3, atol=1e-3)


def test_an_adapter_for_vectors_of_another_length_is_refused():
    other = LinearAdapter(np.eye(5, dtype=np.float32), np.zeros(5, np.float32))
    with pytest.raises(TrainingInvalid, match="for vectors of length 5"):
        append_adapter(embedder(), other)
    with pytest.raises(TrainingInvalid, match="not an ONNX network"):
        append_adapter(b"no network", drawn())
