"""benchmarks/peers.py without its libraries: figures of accuracy, CPU time of processes, the table."""

import json
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import peer_accuracy
import peer_environments
import peers
import pytest
from peer_environments import CONTESTANTS, Unavailable, environment_of
from peer_processes import Library, cpu_seconds, peak_mib
from peer_worker import LIBRARIES, Worker, _units

from app.evaluation.values import Pairs, Photo

PEOPLE, SHOTS, DIMENSION = 20, 3, 16


@pytest.fixture
def pairs(tmp_path):
    photos = tuple(
        Photo(f"{person}-{shot}", tmp_path / f"{person}-{shot}.jpg", str(person))
        for person in range(PEOPLE)
        for shot in range(SHOTS)
    )
    same = [(SHOTS * person, SHOTS * person + 1) for person in range(PEOPLE)]
    other = [(SHOTS * person, (SHOTS * person + SHOTS) % len(photos)) for person in range(PEOPLE)]
    places = np.array(same + other, np.intp)
    return Pairs(photos, places, np.repeat([True, False], PEOPLE), np.tile(np.arange(PEOPLE) % 2, 2))


@pytest.fixture
def vectors():
    generator = np.random.default_rng(0)
    people = np.repeat(generator.normal(size=(PEOPLE, DIMENSION)), SHOTS, axis=0)
    found = people + 0.05 * generator.normal(size=people.shape)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("is_by_distance", [False, True])
def test_a_library_that_tells_people_apart_is_right_about_every_pair(pairs, vectors, is_by_distance):
    found = peer_accuracy.accuracy(vectors, pairs, is_by_distance=is_by_distance)
    assert (found.pairs.value, found.tmr.value, found.undetected) == (1, 1, 0)


def test_a_photo_without_a_face_is_an_error_of_its_pairs(pairs, vectors):
    vectors[1] = np.nan
    found = peer_accuracy.accuracy(vectors, pairs, is_by_distance=False)
    assert found.pairs.value == pytest.approx(1 - 1 / (2 * PEOPLE))
    assert found.tmr.value == pytest.approx(1 - 2 / (3 * PEOPLE))
    assert found.undetected == 1


def test_guessing_is_no_accuracy(pairs):
    vectors = np.random.default_rng(1).normal(size=(PEOPLE * SHOTS, DIMENSION))
    found = peer_accuracy.accuracy(vectors, pairs, is_by_distance=True)
    assert found.pairs.value < 0.7
    assert found.tmr.value < 0.2


def test_a_sample_has_as_many_pairs_of_each_fold_and_kind(pairs):
    found = peer_accuracy.sample(pairs, 8)
    assert sorted(zip(found.folds.tolist(), found.is_same.tolist(), strict=True)) == [
        (fold, kind) for fold in (0, 1) for kind in (False, False, True, True)
    ]
    people = [[found.photos[place].person for place in pair] for pair in found.places]
    assert [first == second for first, second in people] == found.is_same.tolist()


class Faces:
    """Stands for a library: a small and a large face in each photo, no face in one of them."""

    def __init__(self, pid=0):
        self.pid = pid
        self.asked = []

    def enroll(self, photo):
        self.asked.append(photo.stem)

    def identify(self, photo):
        time.sleep(0.001)
        return len(self.vectors(photo)[0])

    def vectors(self, photo):
        self.asked.append(photo.stem)
        if photo.stem == "0-1":
            return [], []
        return [[0, 0, 10, 10], [0, 0, 40, 40]], [[0.0, 1.0], [1.0, 0.0]]


def test_the_largest_face_counts_and_embeddings_are_kept(pairs, tmp_path):
    library, cached = Faces(), tmp_path / "kept" / "embeddings.npz"
    found = peer_accuracy.embed(lambda: library, pairs, cached, lambda *_: None)
    assert found[0].tolist() == [1, 0]
    assert np.isnan(found[1]).all()
    again = peer_accuracy.embed(lambda: library, pairs, cached, lambda *_: None)
    assert np.array_equal(found, again, equal_nan=True)
    assert len(library.asked) == len(pairs.photos)


def test_the_cpu_time_of_children_counts():
    inner = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\nimport sys; sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    with subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_seconds(process.pid) >= 0.3
        assert peak_mib(process.pid) > 5


def test_what_cannot_be_installed_says_so():
    command = [sys.executable, "-c", "import sys; sys.exit('ERROR: no matching distribution')"]
    with pytest.raises(Unavailable, match="cannot install it: ERROR: no matching distribution"):
        peer_environments.install(command)


def test_a_photo_without_a_face_has_an_empty_answer():
    worker = Worker(lambda _: ([], _units(np, [])), is_by_distance=False)
    assert worker.answer("photo.jpg", "vectors") == {"boxes": [], "vectors": []}
    assert worker.answer("photo.jpg", "identify") == {"faces": 0, "best": []}


def test_a_worker_that_ends_says_so():
    worker = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with worker, pytest.raises(Unavailable):
        Library(worker).read()


def test_settings_of_the_user_do_not_reach_a_contestant(monkeypatch, tmp_path):
    monkeypatch.setenv("ARCID_PACK", "open-plus")
    ours, theirs = CONTESTANTS[0], next(each for each in CONTESTANTS if not each.is_ours)
    assert "ARCID_PACK" not in environment_of(ours, tmp_path)
    assert environment_of(theirs, tmp_path)["OMP_NUM_THREADS"] == "1"


def test_every_contestant_has_a_library_and_pinned_packages():
    assert {each.library for each in CONTESTANTS} == set(LIBRARIES)
    assert all("==" in package for each in CONTESTANTS for package in each.packages)


def test_the_table_has_ratios_to_the_first_and_both_kinds_of_figures(tmp_path, pairs, vectors):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        sides = {name: Faces(process.pid) for name in ("http-balanced", "opencv")}
        result = peers.measure("small", [tmp_path / "a.jpg"], sides, rounds=3)
    assert [of["faces"] for of in result["of"].values()] == [2, 2]
    result["of"]["http-balanced"]["cpu"], result["of"]["opencv"]["cpu"] = 0.04, 0.01
    (tmp_path / "cost-small.json").write_text(json.dumps(result))
    figures = peer_accuracy.accuracy(vectors, pairs, is_by_distance=False)
    (tmp_path / "accuracy-opencv.json").write_text(json.dumps(asdict(figures)))
    rows = peers.table(tmp_path).splitlines()
    (row,) = (row for row in rows if "OpenCV" in row)
    assert "| 0.25 |" in row
    assert "100.00 (100.00-100.00)" in row
    assert len(rows) == 4  # nobody else was measured
