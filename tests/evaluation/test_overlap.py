import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from app.evaluation.overlap import by_chance, find_duplicates, find_shared
from app.evaluation.overlap_report import Overlap, write_overlap
from app.evaluation.values import Photo
from app.recognition.decisions.scoring import Scoring
from tests.evaluation.fakes import embedded

AXES = np.eye(4)


def near(axis, step):
    """Return a vector close to an axis; a larger step is less similar."""
    return AXES[axis] + step * AXES[(axis + 1) % 4]


FIRST = embedded([near(0, 0), near(0, 0.5), near(1, 0), None, near(2, 0)], ["Ada", "Ada", "Bob", "Bob", "Cy"])
SECOND = embedded([near(1, 0.2), near(0, 0.1), near(3, 0), None], ["Robert", "Ada", "Dee", "Dee"])


def brute(first, second, threshold):
    """Compare every pair one by one."""
    best: dict[tuple[str, str], list[float]] = {}
    for one, left in zip(first.vectors, first.photos, strict=True):
        for other, right in zip(second.vectors, second.photos, strict=True):
            if one @ other >= threshold:
                best.setdefault((left.person, right.person), []).append(float(one @ other))
    return {people: (max(values), len(values)) for people, values in best.items()}


def test_people_in_both_are_named_under_any_name():
    shared = find_shared(FIRST, SECOND, 0.7)
    assert [(each.first, each.second, each.pairs, each.is_same_name) for each in shared] == [
        ("Ada", "Ada", 2, True),
        ("Bob", "Robert", 1, False),
    ]
    assert shared[0].first_photo == "Ada/0.jpg"
    assert shared[0].similarity == pytest.approx(1 / math.hypot(1, 0.1))


def test_blocks_find_the_same_as_single_comparisons(monkeypatch):
    monkeypatch.setattr("app.evaluation.overlap._ROWS", 3)
    monkeypatch.setattr("app.evaluation.overlap._COLUMNS", 4)
    generator = np.random.default_rng(0)
    first, second = (embedded(generator.normal(size=(n, 4)), generator.integers(0, 6, n)) for n in (20, 31))
    steps: list[int] = []
    shared = find_shared(first, second, 0.6, advance=steps.append)
    expected = brute(first, second, 0.6)
    assert sum(steps) == 620
    assert {(each.first, each.second): (pytest.approx(each.similarity), each.pairs) for each in shared} == expected
    assert [each.similarity for each in shared] == sorted((each.similarity for each in shared), reverse=True)


def test_similarities_end_at_one():
    """Vectors that are scaled by the norm of their feature are longer than 1 for short norms."""
    scoring = Scoring(np.zeros(4, np.float32), 1.0)
    short = embedded([near(0, 0)], ["Ada"])
    short = replace(short, norms=np.array([0.8], np.float32), scoring=scoring)
    assert short.vectors[0] @ short.vectors[0] > 1.1
    (person,) = find_shared(short, short, 0.9)
    assert person.similarity == 1


def test_identical_files_count_without_a_face():
    first = [Photo("a/1", b"x", "a"), Photo("b/1", b"y", "b")]
    second = [Photo("c/1", b"y", "c"), Photo("c/2", b"y", "c"), Photo("d/1", b"z", "d")]
    assert find_duplicates(first, second) == [(1, 0), (1, 1)]
    shared = find_shared(FIRST, SECOND, 0.99, [(3, 3), (4, 2)])
    assert [(each.first, each.second, each.pairs, each.duplicates) for each in shared] == [
        ("Ada", "Ada", 1, 0),
        ("Bob", "Dee", 0, 1),
        ("Cy", "Dee", 0, 1),
    ]
    assert math.isnan(shared[1].similarity)


def test_by_default_one_pair_is_expected_by_chance():
    assert [by_chance(count) for count in (0, 100, 50_000, 10**9)] == [1e-3, 1e-3, 2e-5, 1e-7]


def test_the_report(tmp_path):
    shared = find_shared(FIRST, SECOND, 0.7, [(3, 3)])
    write_overlap(Overlap(FIRST, SECOND, 0.7, 1e-3, shared, [(3, 3)]), {"pack": "open"}, tmp_path)
    report = json.loads((tmp_path / "overlap.json").read_text())
    assert (report["comparisons"], report["expected_false_pairs"], report["people"]) == (12, 0.012, [3, 3])
    assert report["shared"][2]["similarity"] is None
    assert report["duplicates"] == [{"first": "Bob/3.jpg", "second": "Dee/3.jpg"}]
    assert report["photos_without_face"] == [{"Bob/3.jpg": "no_face"}, {"Dee/3.jpg": "no_face"}]
    rows = list(csv.DictReader((tmp_path / "overlap.csv").read_text().splitlines()))
    assert [(row["first"], row["second"], row["is_same_name"]) for row in rows] == [
        ("Ada", "Ada", "true"),
        ("Bob", "Robert", "false"),
        ("Bob", "Dee", "false"),
    ]
    assert (tmp_path / "exclude.txt").read_text().splitlines() == [
        "Ada/0.jpg\tAda",
        "Ada/1.jpg\tAda",
        "Bob/2.jpg\tRobert",
        "Bob/3.jpg\tRobert",
    ]
