import os
import signal
import subprocess
import sys

import pytest

from app.cli.demo import _enroll, _look_up, settings_in
from app.cli.demo_photos import group_photo, sample_photos
from app.cli.serve import prepare_database
from app.config import PROJECT, read_settings
from app.container import Container


def test_the_networks_are_those_that_were_pulled(tmp_path, monkeypatch):
    monkeypatch.delenv("ARCID_MODELS_DIR", raising=False)
    settings = settings_in(tmp_path)
    assert settings.data_dir == tmp_path
    assert settings.models_dir == read_settings().models_dir


DEMO = [sys.executable, "-c", "from app.cli import main; main()", "demo", "--port", "0"]


def environment(settings, folder):
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ARCID_")}
    return {**kept, "ARCID_DATA_DIR": str(folder), "ARCID_MODELS_DIR": str(settings.models_dir), "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def demo(settings, tmp_path_factory):
    """The demo as a process that ends by itself."""
    variables = environment(settings, tmp_path_factory.mktemp("demo"))
    return subprocess.run(
        [*DEMO, "--once"], cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_kept_when_it_is_ended(settings, tmp_path, number):
    with subprocess.Popen(DEMO, cwd=PROJECT, env=environment(settings, tmp_path), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(b"Open the page" in line for line in process.stdout)
        assert list(tmp_path.glob("arcid-demo-*/arcid.db"))
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not list(tmp_path.glob("arcid-demo-*"))


def test_it_finds_everybody_and_no_stranger(demo):
    assert demo.returncode == 0, demo.stderr
    rows = [line.split() for line in demo.stdout.splitlines() if "/web/sample-" in line]
    assert [row[0].rpartition("/")[2] for row in rows] == [
        "sample-group.jpg",
        "sample-portrait.jpg",
        "sample-stranger.jpg",
    ]
    assert "6 of 6 are known" in " ".join(rows[0])
    assert [row[-1] for row in rows[1:]] == ["person-3", "unknown"]


def test_it_says_where_the_photos_come_from_and_writes_few_lines(demo):
    assert "insightface (MIT)" in demo.stdout
    assert "NASA (public domain)" in demo.stdout
    assert len(demo.stdout.splitlines()) + len(demo.stderr.splitlines()) <= 16
    assert "--keep" in demo.stdout


def test_people_that_were_deleted_are_not_enrolled_again(settings, tmp_path):
    new = read_settings(data_dir=tmp_path, models_dir=settings.models_dir, database_url=None)
    prepare_database(new)
    with Container(new) as container:
        container.start()
        samples = sample_photos(group_photo(), _enroll(container, group_photo()))
        assert _look_up(container, samples, "http://localhost") == 0
        for place in range(1, 7):
            container.erasure.identity("default", f"person-{place}")
        _enroll(container, group_photo())
        assert container.store.collection("default").identities == 0
