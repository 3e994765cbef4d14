"""`arcid models quantize` on a small custom pack."""

import re

import numpy as np
import onnx
import pytest
from onnx import helper

from app.errors import TrainingInvalid
from app.training.data.folder import read_folder
from app.training.export import quantising
from app.training.export.quantising import one_of_each, quantise_network, require_quantisable
from app.vision.embedding import Embedder, Preprocessing
from app.vision.inference.manifest import read_manifest
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.training.finetune.networks import embedder, made
from tests.training.own_pack import add_own_pack
from tests.training.people import crops_of, write_people

WIDE, DIMENSION = 64, 8
PREPROCESSING = Preprocessing(127.5, 128)
MANIFEST = f"""
title = "Wide"
licence = "for research"
commercial_use = "no"
notes = "Made in a test."
default_detector = "yunet"
[embedder]
model = "wide"
file = "wide.onnx"
dimension = {DIMENSION}
input_size = 112
color = "rgb"
mean = 127.5
scale = 128
alignment = "arcface-112"
threshold = 0.31
[[files]]
name = "wide.onnx"
"""


def wide():
    """Return a network of a strided convolution, a narrow and a wide 1x1 convolution, and a fully connected layer."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return (rng.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    constants = {"w1": drawn(8, 3, 16, 16), "w2": drawn(WIDE, 8, 1, 1), "w3": drawn(WIDE, WIDE, 1, 1)}
    constants |= {"w4": drawn(DIMENSION, WIDE * 49)}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["narrow"], strides=[16, 16], kernel_shape=[16, 16]),
        helper.make_node("Conv", ["narrow", "w2"], ["broad"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["broad"], ["positive"]),
        helper.make_node("Conv", ["positive", "w3"], ["deep"], kernel_shape=[1, 1]),
        helper.make_node("Flatten", ["deep"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w4"], ["embedding"], transB=1),
    ]
    return made(nodes, constants, width=DIMENSION, side=112)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=12, photos=2)


@pytest.fixture
def arcid(tmp_path, monkeypatch):
    """Return the command line with the pack `wide` added; ranges need four faces."""
    monkeypatch.setattr(quantising, "LEAST_FACES", 4)
    return add_own_pack(tmp_path, MANIFEST, wide(), "wide", monkeypatch)


def test_wide_layers_become_integers_and_embeddings_stay_close(people):
    source = read_folder(people, None)
    many = [index % 24 for index in range(60)]
    network = quantise_network(wide(), PREPROCESSING, source, many)
    kinds = [node.op_type for node in onnx.load_model_from_string(network).graph.node]
    assert (kinds.count("MatMulIntegerToFloat"), kinds.count("Conv")) == (2, 2)  # the 1x1 on 8 channels stays
    crops = np.stack(crops_of(3, 4, seed=9))
    before, after = (
        Embedder(Session(data, Runtime()), PREPROCESSING).embed(crops).vectors for data in (wide(), network)
    )
    assert (before * after).sum(axis=1).min() > 0.99


def test_one_photo_of_each_person_gives_ranges(people):
    source = read_folder(people, None)
    assert one_of_each(source) == list(range(0, 24, 2))
    assert one_of_each(source, 3) == [0, 12, 22]


def test_a_pack_is_quantised_compared_and_added(arcid, people, tmp_path):
    options = ["--aligned", "--out", tmp_path / "packs", "--name", "wide-small"]
    shown = arcid("models", "quantize", "wide", "--photos", people, *options)
    assert re.search(r"^ *wide +0\.1 MB +1\.00 +\d+\.\d\d % \(", shown, re.MULTILINE)
    assert re.search(r"^ *wide-small +\d\.\d MB +\d", shown, re.MULTILINE)
    assert "6 people, 12 photos" in shown  # the other six gave the ranges
    assert "not calibrated" in shown
    manifest = read_manifest(tmp_path / "packs" / "wide-small" / "manifest.toml")
    assert manifest.embedder is not None
    assert (manifest.licence, manifest.commercial_use, manifest.embedder.threshold) == ("for research", "no", 0.31)
    assert manifest.embedder.model.startswith("wide-small-")
    assert "ranges of 6 faces. Made in a test." in manifest.notes
    arcid("models", "add", "--accept-license", tmp_path / "packs" / "wide-small")
    packs = Packs(tmp_path / "none", tmp_path / "home" / "models")
    assert packs.read(packs.manifest("wide-small"), "wide-small.onnx")
    with pytest.raises(TrainingInvalid, match="quantised already; name the pack"):
        arcid("models", "quantize", "wide-small", "--photos", people, "--aligned", "--out", tmp_path / "again")


def test_photos_without_names_give_ranges_but_no_rates(arcid, people, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, path in enumerate(sorted(people.rglob("*.png"))):
        (flat / f"{index:02d}.png").write_bytes(path.read_bytes())
    shown = arcid("models", "quantize", "wide", "--photos", flat, "--aligned", "--out", tmp_path)
    assert re.search(r"^ *wide-int8-own +\d\.\d MB +\d+\.\d\d +- *$", shown, re.MULTILINE)
    assert "difference" not in shown


def test_networks_and_photos_that_do_not_suit_are_refused(arcid, people, tmp_path, monkeypatch):
    with pytest.raises(TrainingInvalid, match="no 1x1 convolution or fully connected layer of 64 or more inputs"):
        require_quantisable(embedder(112))
    with pytest.raises(TrainingInvalid, match="not an ONNX network"):
        require_quantisable(b"\x00nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingInvalid, match="contains no photos"):
        arcid("models", "quantize", "wide", "--photos", tmp_path / "empty", "--out", tmp_path)
    monkeypatch.setattr(quantising, "LEAST_FACES", 7)
    with pytest.raises(TrainingInvalid, match="need 7 faces, and these photos give 6: one of every second person"):
        arcid("models", "quantize", "wide", "--photos", people, "--aligned", "--out", tmp_path)


def test_the_layers_of_open_int8_are_chosen(network, packs):
    ranges = packs.manifest("open-int8").files[0].ranges
    data = network("open", "sface.onnx").read_bytes()
    assert quantising.wide_layers(data) == set(ranges)
