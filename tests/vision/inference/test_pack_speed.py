import re
from itertools import count, cycle

import pytest

from app.config import PROJECT
from app.errors import NetworkMissing
from app.vision.inference import pack_speed
from app.vision.inference.downloads import Mirrors
from app.vision.inference.pack_speed import SpeedRecord, SpeedRecords, measure, pack_pairs, processor
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import runtime_version
from tests.conftest import MODELS
from tests.vision.inference.releases import UNCLOSED, serving, zip_of
from tests.vision.inference.speed_packs import ACCURACY, tiny_embedder, write_manifests

pytestmark = UNCLOSED

RECORD = SpeedRecord(ratio=0.6, processor="Abacus", onnxruntime="1.0", date="2026-11-29")


@pytest.fixture
def packs(tmp_path, monkeypatch):
    """The packs `zoo` and `zoo-int8`, and a mirror from which they can be pulled."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    shipped, mirror = tmp_path / "shipped", tmp_path / "mirror"
    shipped.mkdir()
    mirror.mkdir()
    write_manifests(shipped)
    (mirror / "zoo.zip").write_bytes(zip_of({"rec.onnx": tiny_embedder()}))
    with serving(mirror) as address:
        yield Packs(shipped, tmp_path / "models", Mirrors(address))


@pytest.fixture
def pair(packs):
    (pair,) = pack_pairs(packs)
    return pair


class FakeClock:
    """CPU time of turns of two networks, of which the second takes half as long."""

    def __init__(self) -> None:
        self._steps, self._now = cycle([0.0, 2.0, 1.0]), 0.0
        self._calls = count()

    def __call__(self) -> float:
        if next(self._calls):  # the first call is before the turns
            self._now += next(self._steps)
        return self._now


def test_open_has_a_form_in_int8():
    pairs = pack_pairs(Packs(MODELS, PROJECT / "missing"))
    assert [(each.float32.manifest.name, each.int8.manifest.name) for each in pairs] == [("open", "open-int8")]


@pytest.mark.parametrize("is_int8_pulled", [False, True])
def test_a_pair_is_measured_with_and_without_the_pack_in_int8(packs, pair, is_int8_pulled):
    packs.pull(pair.float32.manifest)
    if is_int8_pulled:
        packs.pull(pair.int8.manifest)
    record = measure(packs, pair, FakeClock())
    assert record.ratio == pytest.approx(0.5)
    assert record.is_current


def test_the_network_that_is_measured_is_the_one_that_would_be_pulled(packs, pair):
    packs.pull(pair.float32.manifest)
    packs.pull(pair.int8.manifest)
    network = packs.read(pair.float32.manifest, "rec.onnx")
    assert pack_speed._quantised(network, pair.int8.file) == packs.read(pair.int8.manifest, "rec.onnx") != network


def test_without_the_pack_in_float32_nothing_is_measured(packs, pair):
    packs.pull(pair.int8.manifest)
    with pytest.raises(NetworkMissing, match="arcid models pull zoo"):
        measure(packs, pair, FakeClock())


@pytest.mark.parametrize(
    ("ratio", "int8_accuracy", "name"),
    [
        (0.6, ACCURACY, "zoo-int8"),
        (0.9, ACCURACY, "zoo-int8"),
        (0.91, ACCURACY, "zoo"),
        (0.6, ACCURACY.replace("0.98", "0.976"), "zoo-int8"),
        (0.6, ACCURACY.replace("0.98", "0.974"), "zoo"),
        (0.6, ACCURACY.replace("0.99", "0.984"), "zoo"),
        (0.6, ACCURACY.replace("ten photos", "other photos"), "zoo"),
        (0.6, ACCURACY.replace(", 1e-4 = 0.98", ""), "zoo"),
        (0.6, "", "zoo"),
    ],
)
def test_int8_is_recommended_only_if_it_is_faster_and_known_to_be_accurate(tmp_path, ratio, int8_accuracy, name):
    write_manifests(tmp_path, int8_accuracy=int8_accuracy)
    (pair,) = pack_pairs(Packs(tmp_path, tmp_path))
    assert RECORD.model_copy(update={"ratio": ratio}).recommended(pair).manifest.name == name


def test_a_measurement_is_kept(tmp_path, pair):
    records = SpeedRecords(tmp_path / "new" / "data")
    assert records.read(pair) is None
    records.write(pair, RECORD)
    assert records.read(pair) == RECORD
    records.write(pair, RECORD.model_copy(update={"ratio": 0.7}))
    assert SpeedRecords(tmp_path / "new" / "data").read(pair) == RECORD.model_copy(update={"ratio": 0.7})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ratio": "fast"}', '{"ratio": 0.5}', "\xff"])
def test_a_damaged_measurement_is_none(tmp_path, pair, text):
    records = SpeedRecords(tmp_path)
    records.write(pair, RECORD)
    (file,) = tmp_path.glob("speed-*.json")
    file.write_bytes(text.encode("latin-1"))
    assert records.read(pair) is None


def test_a_measurement_is_of_a_processor_and_a_version():
    here = RECORD.model_copy(update={"processor": processor(), "onnxruntime": runtime_version()})
    assert here.is_current
    assert not here.model_copy(update={"processor": "Abacus"}).is_current
    assert not here.model_copy(update={"onnxruntime": "1.0"}).is_current


def test_the_name_of_the_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_speed, "_CPU_FACTS", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert processor() == "aarch64"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus: 3\nprocessor\t: 1\nmodel name\t: Other\n")
    assert processor() == "Abacus: 3"


def test_the_manifests_state_the_accuracy_of_the_documentation():
    (pair,) = pack_pairs(Packs(MODELS, PROJECT / "missing"))
    assert pair.accuracies is not None
    page = (PROJECT / "docs" / "models.md").read_text("utf-8")
    for fmr in pair.accuracies[0].tmr:
        cells = [f"{each.tmr[fmr]:.2%}".replace("%", " %") for each in pair.accuracies]
        assert re.search(rf"\| TMR at FMR {fmr} \| {cells[0]} \| {cells[1]} \|", page)
