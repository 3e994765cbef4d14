import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import NetworkMissing, SettingsInvalid
from app.types import Provider
from app.vision.inference.runtime import Runtime, runtime_version
from tests.vision.inference.releases import UNCLOSED, serving, zip_of
from tests.vision.inference.speed_packs import ACCURACY, tiny_embedder, write_manifests

pytestmark = UNCLOSED

MEASURED = re.compile(
    r"zoo-int8 takes \d+\.\d\d of zoo's CPU time for an embedding; TMR at FMR 1e-3 98\.90% instead of 99\.00%, "
    r"at FMR 1e-4 98\.00% instead of 98\.00%; "
    r"for new collections: ARCID_PACK=zoo(-int8; existing collections of zoo also need ARCID_PACKS=zoo)?"
)


@pytest.fixture
def shipped(home, tmp_path, monkeypatch) -> Iterator[Path]:
    """The folder of two manifests that replace the shipped ones; their packs can be pulled, and `zoo` is chosen."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder, mirror = tmp_path / "shipped", tmp_path / "mirror"
    folder.mkdir()
    mirror.mkdir()
    write_manifests(folder, int8_accuracy=ACCURACY.replace("0.99", "0.989"))
    (mirror / "zoo.zip").write_bytes(zip_of({"rec.onnx": tiny_embedder()}))
    monkeypatch.setattr("app.wiring.storage.shipped", lambda _name: folder)
    monkeypatch.setenv("ARCID_PACK", "zoo")
    monkeypatch.setenv("ARCID_DETECTOR", "zoo")
    with serving(mirror) as address:
        monkeypatch.setenv("ARCID_INSIGHTFACE_MIRROR", address)
        yield folder


def record(home: Path) -> Path:
    return home / "speed-zoo-zoo-int8.json"


def set_record(home: Path, **values: object) -> None:
    record(home).write_text(json.dumps(json.loads(record(home).read_text()) | values))


def finding(output: str) -> str:
    """Return what the doctor reports about int8."""
    (line,) = [line for line in output.splitlines() if "CPU time in int8" in line]
    assert line.split()[0] == "ok"
    return line.partition("CPU time in int8")[2].strip()


def test_pulling_measures_int8(arcid, shipped, home):
    pulled, line = arcid("models", "pull", "zoo").stdout.splitlines()[-2:]
    assert pulled == "zoo: pulled (for tests only)"
    assert MEASURED.fullmatch(line)
    assert record(home).exists()


def test_a_pack_in_int8_alone_is_pulled_and_not_measured(arcid, shipped, home, monkeypatch):
    monkeypatch.setenv("ARCID_PACK", "zoo-int8")
    monkeypatch.setenv("ARCID_DETECTOR", "zoo-int8")
    result = arcid("models", "pull", "zoo-int8")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1:] == ["CPU time of zoo-int8 not measured, because zoo is not pulled"]
    assert not record(home).exists()
    assert finding(arcid("doctor").output) == (
        "CPU time of zoo-int8 not measured on this machine; run: arcid models pull zoo"
    )


def test_the_pair_is_measured_once(arcid, shipped):
    assert arcid("models", "pull", "zoo", "zoo-int8").output.count("CPU time") == 1
    assert "CPU time" not in arcid("models", "pull", "zoo", "zoo-int8").output


def test_a_failed_measurement_is_no_failed_pull(arcid, shipped, home):
    assert arcid("models", "pull", "zoo-int8").exit_code == 0
    (home / "models" / "zoo-int8" / "rec.onnx").write_bytes(b"damaged")
    result = arcid("models", "pull", "zoo")
    assert result.exit_code == 0
    assert "CPU time in int8 not measured: " in result.output
    assert "SHA-256 is" in result.output


def test_it_is_measured_again(arcid, shipped, home):
    assert isinstance(arcid("models", "measure").exception, NetworkMissing)
    arcid("models", "pull", "zoo")
    set_record(home, processor="Abacus")
    assert MEASURED.fullmatch(arcid("models", "measure").output.rstrip())
    assert "Abacus" not in record(home).read_text()


@pytest.mark.parametrize(
    ("ratio", "choice"), [(0.5, "zoo-int8; existing collections of zoo also need ARCID_PACKS=zoo"), (1.5, "zoo")]
)
def test_the_doctor_shows_the_measurement(arcid, shipped, home, ratio, choice):
    arcid("models", "pull", "zoo")
    set_record(home, ratio=ratio, date="2026-11-29")
    shown = finding(arcid("doctor").output)
    assert shown.startswith(f"zoo-int8 takes {ratio:.2f} of zoo's CPU time for an embedding; TMR at FMR 1e-3 98.90% ")
    assert f"for new collections: ARCID_PACK={choice} (" in shown
    assert shown.endswith(f", onnxruntime {runtime_version()}, 2026-11-29)")


@pytest.mark.parametrize("change", [{"processor": "Abacus"}, {"onnxruntime": "0.1"}])
def test_the_doctor_reports_a_measurement_of_another_machine(arcid, shipped, home, change):
    arcid("models", "pull", "zoo")
    set_record(home, **change)
    shown = finding(arcid("doctor").output)
    assert next(iter(change.values())) in shown
    assert shown.endswith(f"onnxruntime {runtime_version()}: measure again with arcid models measure")


def test_the_doctor_reports_that_nothing_was_measured(arcid, shipped, home):
    arcid("models", "pull", "zoo")
    record(home).unlink()
    assert finding(arcid("doctor").output) == (
        "CPU time of zoo-int8 not measured on this machine; run: arcid models measure"
    )


def test_on_a_gpu_nothing_is_measured(arcid, shipped, home, monkeypatch):
    monkeypatch.setattr("app.cli.pack_speed.resolve", lambda _provider, threads: Runtime(Provider.CUDA, threads))
    assert arcid("models", "pull", "zoo").stdout.splitlines()[-1] == "zoo: pulled (for tests only)"
    assert isinstance(arcid("models", "measure").exception, SettingsInvalid)
    assert not record(home).exists()
    assert "CPU time in int8" not in arcid("doctor").output
