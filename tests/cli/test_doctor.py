import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from click.testing import Result
from sqlalchemy import create_engine, text

from app import __version__
from app.cli.gpu_advice import GpuFacts
from app.config import read_settings
from app.container import Container
from app.gallery.store.values import CollectionSettings, Person
from app.types import LivenessMode
from app.wiring.liveness import LivenessLoader
from tests.gallery.store.enrolling import new_face
from tests.gallery.store.test_liveness_calibrations import MADE


@dataclass
class FakeDistribution:
    name: str | None
    version: str = "1.2.3"
    entry_points: tuple[object, ...] = ()  # SQLAlchemy looks for dialects

    @property
    def _normalized_name(self) -> str | None:
        return self.name


@pytest.fixture
def installed(monkeypatch) -> Callable[..., None]:
    """Let exactly these distributions be installed, or these on top of the real ones."""
    real = list(importlib.metadata.distributions())

    def install(*names: str | None, beside_real: bool = False) -> None:
        fakes = [*(real if beside_real else []), *map(FakeDistribution, names)]
        monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(fakes))

    return install


@pytest.fixture
def sound(arcid, tiny, installed):
    """Everything that the service needs."""
    installed("onnxruntime", "opencv-python-headless", "faiss-cpu", "numpy", None)
    arcid("collections", "create", "people")


def wrong(result: Result) -> list[str]:
    """Return the lines that say what is wrong."""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = [" ".join(line.split()[1:]) for line in result.output.splitlines() if line.split()[:1] == ["WRONG"]]
    assert result.exit_code == bool(lines)
    return lines


def test_all_is_well(arcid, sound, tiny, home):
    result = arcid("doctor")
    assert wrong(result) == []
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    for said in (
        f"ok ArcID {__version__} on Python 3.",
        "ok onnxruntime onnxruntime 1.2.3",
        "ok OpenCV opencv-python-headless 1.2.3",
        "ok FAISS faiss-cpu 1.2.3",
        "ok provider auto takes ",
        "ok effort balanced for probes; enrollment is always accurate",
        "ok pack tiny for tests only; commercial use allowed",
        "ok det.onnx sha256 ",
        f"ok database sqlite:///{home / 'arcid.db'}",
        "ok schema ",
        "ok collection people 0 faces of tiny-net, revision 0",
    ):
        assert any(line.startswith(said) for line in lines), said


def test_deliveries_are_counted_if_there_is_a_destination(arcid, sound):
    assert "events" not in arcid("doctor").output
    assert arcid("destinations", "create", "https://hooks.example/").exit_code == 0
    assert "0 deliveries pending, 0 dead letters" in arcid("doctor").output


def test_this_very_installation_is_sound(arcid, tiny):
    assert wrong(arcid("doctor")) == []


def test_before_the_first_start_there_is_no_database_and_none_is_made(arcid, tiny, home):
    result = arcid("doctor")
    assert wrong(result) == []
    assert "arcid.db does not exist yet" in result.output
    assert not (home / "arcid.db").exists()


def test_no_networks(arcid, sound, monkeypatch):
    monkeypatch.setenv("ARCID_PACK", "open")
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("networks ")
    assert line.endswith("sface.onnx is missing; run: arcid models pull open [network_missing]")


@pytest.mark.parametrize(("is_slow", "said"), [(False, "exactly and quickly"), (True, "lacks VNNI")])
def test_a_pack_in_int8_says_whether_the_cpu_is_quick(arcid, sound, tiny, monkeypatch, is_slow, said):
    monkeypatch.setattr("app.cli.doctor.saturates", lambda: is_slow)
    assert "8-bit products" not in arcid("doctor").output
    manifest = tiny / "manifest.toml"
    text = manifest.read_text()
    assert 'name = "rec.onnx"\n' in text
    manifest.write_text(text.replace('name = "rec.onnx"\n', 'name = "rec.onnx"\nranges = {value = [0, 1]}\n'))
    result = arcid("doctor")
    assert wrong(result) == []
    assert said in " ".join(result.output.split())


def test_a_flipped_bit(arcid, sound, tiny, flip):
    flip(tiny / "rec.onnx")
    (line,) = wrong(arcid("doctor"))
    assert line.startswith(f"networks {tiny / 'rec.onnx'}: SHA-256 is ")


@pytest.mark.parametrize(
    ("revision", "advice"),
    [
        ("0001", "run: arcid db upgrade"),
        ("9999", "start the version that upgraded the database, or restore the backup made"),
    ],
)
def test_a_schema_of_another_version(arcid, sound, home, revision, advice):
    engine = create_engine(f"sqlite:///{home / 'arcid.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :now"), {"now": revision})
    engine.dispose()
    (line,) = wrong(arcid("doctor"))
    assert line.startswith(f"schema the database is at revision {revision}")
    assert advice in line
    assert ("arcid db upgrade" in line) is (revision == "0001")


def test_a_database_of_ones_own_without_tables(arcid, sound, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("schema the database is at revision empty, this version needs ")


def test_a_file_that_is_no_database(arcid, sound, home):
    for file in home.glob("arcid.db*"):
        file.unlink()
    (home / "arcid.db").write_text("This is no database." * 100)
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("database ")
    assert "does not answer" in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////dev/null/own.db", "File exists"),
        ("postgresql+nodriver://host/arcid", "nodriver"),
        ("no URL", "Could not parse"),
    ],
)
def test_a_database_that_cannot_be_opened(arcid, sound, monkeypatch, url, said):
    monkeypatch.setenv("ARCID_DATABASE_URL", url)
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("database ")
    assert said in line


def test_a_database_without_its_driver(arcid, sound, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("ARCID_DATABASE_URL", "postgresql+psycopg://host/arcid")
    (line,) = wrong(arcid("doctor"))
    assert "psycopg" in line


def test_a_path_that_looks_like_markup(arcid, sound, home, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_MODELS_DIR", str(home / "models"))
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path / "a[red]b[" / "c]"))
    result = arcid("doctor")
    assert wrong(result) == []
    assert "a[red]b[/c]" in result.output


def test_a_password_is_not_shown(arcid, sound, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", "sqlite://user:secret@/nowhere")
    result = arcid("doctor")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["onnxruntime", "opencv-python-headless"], ["FAISS none is installed"]),
        (["opencv-python-headless", "faiss-cpu"], ["onnxruntime none is installed"]),
        (
            ["onnxruntime", "opencv-python-headless", "faiss-cpu", "onnxruntime_gpu"],
            ["onnxruntime onnxruntime 1.2.3, onnxruntime-gpu 1.2.3"],
        ),
        (
            ["onnxruntime", "opencv-python-headless", "faiss-cpu", "opencv-contrib-python-headless"],
            ["OpenCV opencv-python-headless 1.2.3, opencv-contrib-python-headless 1.2.3"],
        ),
        (
            ["onnxruntime", "OpenCV.Python", "faiss-cpu"],
            ["OpenCV none is installed"],
        ),
        (
            ["onnxruntime", "opencv-python", "faiss-cpu"],
            ["OpenCV opencv-python needs a desktop's libraries; install the headless one"],
        ),
        (
            ["onnxruntime", "opencv-python-headless", "Opencv_Python", "faiss-cpu"],
            [
                "OpenCV opencv-python-headless 1.2.3, opencv-python 1.2.3",
                "OpenCV opencv-python needs a desktop's libraries; install the headless one",
            ],
        ),
        (
            ["onnxruntime", "opencv-python-headless", "faiss-cpu", "faiss-gpu-cuvs"],
            ["FAISS faiss-cpu 1.2.3, faiss-gpu-cuvs 1.2.3"],
        ),
    ],
)
def test_of_each_kind_exactly_one_must_be_installed(arcid, sound, installed, names, lines):
    installed(*names)
    assert wrong(arcid("doctor")) == lines


def test_a_second_opencv_beside_the_real_one(arcid, sound, installed):
    installed("opencv-python", beside_real=True)
    assert len(wrong(arcid("doctor"))) == 2


def test_a_provider_that_does_not_work(arcid, sound, monkeypatch):
    monkeypatch.setattr("app.vision.inference.runtime.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setenv("ARCID_INFERENCE__PROVIDER", "cuda")
    monkeypatch.setattr("app.cli.doctor.GpuFacts.read", lambda _wheels: GpuFacts("580.65", has_device=True))
    gpu, line = wrong(arcid("doctor"))
    assert gpu.startswith("GPU ONNX Runtime is installed for other processors")
    assert line.startswith("providers cuda was requested, but it does not work on this machine; usable: cpu")


def test_a_gpu_that_auto_does_not_use_is_mentioned(arcid, sound, monkeypatch):
    monkeypatch.setattr("app.vision.inference.runtime.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr("app.cli.doctor.GpuFacts.read", lambda _wheels: GpuFacts("580.65", has_device=True))
    result = arcid("doctor")
    assert wrong(result) == []
    assert "make serve EXTRA=gpu" in result.output


def test_every_fault_is_reported_not_only_the_first(arcid, sound, installed, tiny, flip, tmp_path, monkeypatch):
    installed("onnxruntime", "faiss-cpu")
    flip(tiny / "det.onnx")
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")
    assert [line.split()[0] for line in wrong(arcid("doctor"))] == ["OpenCV", "networks", "schema"]


def test_a_collection_of_another_network_is_wrong_with_the_remedy(arcid, sound, tiny):
    store = Container(read_settings()).store
    store.enroll(store.create_collection("staff", model="sface-2021dec", dimension=4), Person("ada"), [new_face()])
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("not served nobody is recognized: collection 'staff' was enrolled with sface-2021dec")
    assert "serve its pack too (ARCID_PACKS=open), or move the collection to tiny " in line
    assert line.endswith("(arcid reembed start staff --model tiny)")


def test_an_empty_collection_that_keeps_its_network_is_wrong_until_the_remedy(arcid, sound, tiny):
    store = Container(read_settings()).store
    store.create_collection("staff", model="sface-2021dec", dimension=4, settings=CollectionSettings(threshold=0.4))
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("not served nobody is recognized: collection 'staff' is of sface-2021dec, the service runs")
    assert "(arcid collections set staff --reset threshold); or serve its pack too (ARCID_PACKS=open)" in line
    assert arcid("collections", "set", "staff", "--reset", "threshold").exit_code == 0
    assert wrong(arcid("doctor")) == []


def test_an_empty_collection_of_another_network_is_no_fault(arcid, sound, tiny):
    Container(read_settings()).store.create_collection("staff", model="sface-2021dec", dimension=4)
    result = arcid("doctor")
    assert wrong(result) == []
    assert "it is empty, so it takes the served network with the next start or request" in " ".join(
        result.output.split()
    )


def test_a_check_of_liveness_without_its_networks_is_wrong_with_the_remedy(arcid, sound, tiny, monkeypatch):
    store = Container(read_settings()).store
    gated = CollectionSettings(liveness=LivenessMode.ENFORCE)
    store.create_collection("gate", model="tiny-net", dimension=3, settings=gated)
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("liveness enforce, and requests are refused: ")
    assert "arcid models pull minifas-fused" in line
    monkeypatch.setattr(LivenessLoader, "open", lambda _: None)
    assert wrong(arcid("doctor")) == []
    assert "enforce, uncalibrated" in arcid("doctor").output


def test_a_calibration_of_liveness_with_other_networks_is_wrong(arcid, sound, tiny, monkeypatch):
    monkeypatch.setattr(LivenessLoader, "open", lambda _: None)
    with Container(read_settings()) as container:
        gated = CollectionSettings(liveness=LivenessMode.ENFORCE)
        collection = container.store.create_collection("gate", model="tiny-net", dimension=3, settings=gated)
        in_use = container.models.liveness.fingerprint, container.registry.detector_of(collection)
        container.liveness_calibrations.write("gate", replace(MADE, fingerprint=in_use[0], detector=in_use[1]))
        assert wrong(arcid("doctor")) == []
        assert "enforce, gate/1" in arcid("doctor").output
        container.liveness_calibrations.write("gate", MADE)
    (line,) = wrong(arcid("doctor"))
    assert "calibration 2 was made with other networks or another detector" in line
    assert "arcid calibrate liveness --collection gate" in line


@pytest.mark.parametrize(
    ("detector", "reason"),
    [
        ("yunte", "there is no pack 'yunte'; did you mean yunet?"),
        ("open", "pack 'open' has no detector; packs with one: "),
        ("mtcnn+yunet", "ARCID_DETECTOR=mtcnn+yunet: a cascade is one single-shot detector + another"),
    ],
)
def test_a_detector_that_does_not_exist_is_wrong(arcid, sound, monkeypatch, detector, reason):
    monkeypatch.setenv("ARCID_DETECTOR", detector)
    (line,) = wrong(arcid("doctor"))
    assert line.startswith(f"networks {reason}")


def test_an_unknown_pack_is_reported_once(arcid, sound, tiny, monkeypatch):
    monkeypatch.setenv("ARCID_PACK", "nope")
    (line,) = wrong(arcid("doctor"))
    assert line.startswith("networks there is no pack 'nope'")
