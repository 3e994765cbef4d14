"""Nothing leaves the machine: no program opens a connection or writes a file outside the data folder."""

import importlib.util
import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.end_to_end.test_commands import ARCID, wait_for
from tests.end_to_end.tracing import made, outside, traced

WATCHED_S = 12
"""Telemetry was sent at the start and every 8 to 10 seconds."""


def assert_quiet(trace):
    assert trace.addresses == set()
    assert trace.proxied == []
    assert trace.written == set()
    assert trace.left == []


def test_the_watch_sees_what_it_should(tmp_path):
    """A program that requests another machine from a proxy, and leaves files."""
    code = """
import os, tempfile, urllib.request
open(os.path.expanduser("~/.device"), "w").close()
tempfile.mkstemp()
try: urllib.request.urlopen("http://telemetry.invalid/")
except OSError: pass
"""
    with traced([sys.executable, "-c", code], tmp_path) as (trace, _):
        pass
    assert len(trace.proxied) == 1
    assert b"telemetry.invalid" in trace.proxied[0]
    assert trace.written == {str(trace.home / ".device")}
    assert len(trace.left) == 2
    line = (
        '9 connect(5<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("%s")}, 16) = -1 EINPROGRESS'
    )
    assert outside(line % "192.0.2.1") == ["192.0.2.1:443"]
    assert outside(line % "127.0.0.1") == []
    six = '9 sendto(5, "x", {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}'
    assert outside(six) == ["2001:db8::1:53"]
    assert made('9 openat(7</home/a>, "id", O_RDWR|O_CREAT, 0600) = 8</home/a/id>') == ["/home/a/id"]
    assert made('9 openat(AT_FDCWD</home>, "/etc/hosts", O_RDONLY) = 8') == []
    assert made('9 mkdir("/home/a", 0777) = -1 EEXIST (File exists)') == []


def test_the_service(settings, tmp_path, portrait):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address, models = f"http://127.0.0.1:{port}", str(settings.models_dir)
    with traced([ARCID, "serve", "--port", str(port)], tmp_path, ARCID_MODELS_DIR=models) as (trace, process):
        begun = time.monotonic()
        wait_for(address, process)
        with httpx2.Client(base_url=address, timeout=60) as client:
            answer = client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})
            assert answer.status_code == 200
            assert client.post("/identify", files={"photo": portrait}).json()["faces"][0]["verdict"] == "match"
            assert client.get("/docs").status_code == 200
        time.sleep(max(0, WATCHED_S - (time.monotonic() - begun)))
        # strace does not forward signals, so signal its child, the service.
        (service,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(service), signal.SIGTERM)
    assert "Traceback" not in trace.errors
    assert (trace.data / "arcid.db").exists()
    assert_quiet(trace)


@pytest.mark.parametrize("arguments", [["demo", "--once"], ["doctor"], ["models", "verify"]], ids=" ".join)
def test_commands(settings, tmp_path, arguments):
    with traced([ARCID, *arguments], tmp_path, ARCID_MODELS_DIR=str(settings.models_dir)) as (trace, _):
        pass
    assert trace.returncode == 0, trace.errors
    assert_quiet(trace)


def test_an_evaluation_with_its_curves(settings, tmp_path, faces_of):
    """Matplotlib would keep its list of fonts below HOME."""
    images = tmp_path / "images"
    for name, photo in zip(("ada", "bob"), faces_of[:2], strict=True):
        (images / name).mkdir(parents=True)
        for number in range(2):
            (images / name / f"{number}.jpg").write_bytes(photo)
    run, models = tmp_path / "run", str(settings.models_dir)
    out = run / "data" / "report"
    command = [ARCID, "evaluate", "verification", "--all-pairs", "--bootstrap", "0"]
    with traced([*command, "--images", str(images), "--out", str(out)], run, ARCID_MODELS_DIR=models) as (trace, _):
        pass
    assert trace.returncode == 0, trace.errors
    assert "image/svg" in (out / "report.html").read_text()
    assert_quiet(trace)


def test_a_pull(archive, packs, tmp_path):
    """Pip would keep a copy below HOME, and check for a newer version of itself."""
    (name,) = packs.manifest("yunet").archives
    carrier = archive("yunet", name)
    # Pip asks `rustc` for its version, and rustup's version of it writes settings below HOME; we cannot prevent this.
    path = os.pathsep.join(each for each in os.get_exec_path() if not (Path(each) / "rustc").exists())
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(carrier.parent), "PIP_CONFIG_FILE": os.devnull, "PATH": path}
    with traced([ARCID, "models", "pull", "yunet"], tmp_path, **offline) as (trace, _):
        pass
    assert trace.returncode == 0, trace.errors
    assert_quiet(trace)


LIBRARIES = {
    "pymilvus": """
from app.gallery.index.milvus import MilvusIndex
from app.gallery.index.milvus_engine import connect
import numpy as np, os
client = connect(os.environ["ARCID_DATA_DIR"] + "/faces.db")
index = MilvusIndex(client, "faces", 4, structure="FLAT")
index.add(np.array([1, 2]), np.eye(4, dtype=np.float32)[:2])
assert index.search(np.eye(4, dtype=np.float32)[:1], 1)
""",
    "faiss": """
import faiss, numpy
index = faiss.IndexFlatIP(4)
index.add(numpy.eye(4, dtype="f"))
index.search(numpy.eye(4, dtype="f"), 1)
""",
    "opentelemetry.sdk": """
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
with provider.get_tracer("x").start_as_current_span("y"): pass
provider.shutdown()
""",
    "insightface": "import insightface.utils.download, insightface.utils.storage, insightface.utils.face_align",
    "skimage": "import numpy, skimage.transform as t; t.SimilarityTransform().estimate(numpy.eye(2), numpy.eye(2))",
    "torch": """
import torch, os
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter(os.environ["ARCID_DATA_DIR"]) as writer: writer.add_scalar("loss", 1.0, 1)
layer = torch.nn.Conv2d(3, 4, 3); layer(torch.zeros(1, 3, 8, 8)).sum().backward()
""",
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries(tmp_path, library):
    if importlib.util.find_spec(library.partition(".")[0]) is None:
        pytest.skip(f"{library} is not installed")
    with traced([sys.executable, "-c", LIBRARIES[library]], tmp_path) as (trace, _):
        pass
    assert trace.returncode == 0, trace.errors
    assert_quiet(trace)
