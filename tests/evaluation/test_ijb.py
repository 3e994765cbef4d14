from dataclasses import replace

import numpy as np
import pytest

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import draw_multiplicities
from app.evaluation.ijb import compare_templates, pool, report_of, template_people
from app.evaluation.ijb_lists import TemplateSet, read_template_set


def insightface_templates(features, templates, media):
    """Pool as InsightFace's eval_ijbc.py does, one template at a time."""
    rows = []
    for template in np.unique(templates):
        faces, owners = features[templates == template], media[templates == template]
        means = [faces[owners == medium].mean(axis=0) for medium in np.unique(owners)]
        rows.append(np.sum(means, axis=0))
    table = np.array(rows)
    return table / np.linalg.norm(table, axis=1, keepdims=True)


@pytest.fixture
def faces():
    """Forty templates of ten people with up to six faces in up to three media, in shuffled order."""
    generator = np.random.default_rng(0)
    templates = generator.permutation(np.concatenate([np.arange(40), generator.integers(0, 40, 120)])) * 3 + 7
    media = generator.integers(0, 3, len(templates)) + 100
    first, second = np.triu_indices(40, 1)
    pairs = np.stack([first, second], axis=1)
    return TemplateSet(
        names=tuple(f"{index}.jpg" for index in range(len(templates))),
        templates=templates,
        media=media,
        landmarks=np.zeros((len(templates), 5, 2), np.float32),
        scores=np.ones(len(templates), np.float32),
        pairs=pairs * 3 + 7,
        is_same=pairs[:, 0] % 10 == pairs[:, 1] % 10,
    )


def vectors_of(faces, noise):
    generator = np.random.default_rng(1)
    people = generator.normal(size=(10, 16))
    owners = (faces.templates - 7) // 3 % 10
    raw = people[owners] + noise * generator.normal(size=(len(owners), 16))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def test_templates_are_those_of_insightface(faces):
    vectors = vectors_of(faces, 1)
    ids, pooled = pool(vectors, faces.templates, faces.media)
    assert ids.tolist() == [number * 3 + 7 for number in range(40)]
    np.testing.assert_allclose(pooled, insightface_templates(vectors, faces.templates, faces.media), atol=1e-6)


def test_a_medium_with_many_faces_counts_as_one():
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    _, pooled = pool(vectors, np.zeros(4, np.int64), np.array([5, 5, 5, 6]))
    np.testing.assert_allclose(pooled, [[np.sqrt(0.5), np.sqrt(0.5)]])


def test_rates_at_far(faces):
    result = compare_templates(vectors_of(faces, 1.2), faces)
    report = report_of(result, faces)
    genuine, impostor = result.similarities[faces.is_same], result.similarities[~faces.is_same]
    assert len(impostor) == 720
    at_1e1 = report["tar_at_far"]["1e-1"]
    assert at_1e1["tar"] == np.mean(genuine >= at_1e1["threshold"])
    assert np.sum(impostor >= at_1e1["threshold"]) == 72
    assert report["tar_at_far"]["1e-2"]["note"].startswith("fewer than 10")
    assert list(report["tar_at_far"]) == ["1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1"]
    assert report["pairs"] == {"genuine": 60, "impostor": 720, "not_compared": 0}
    low, high = at_1e1["interval"]
    assert low < at_1e1["tar"] < high
    assert report["eer_interval"][0] < report["eer"] < report["eer_interval"][1]
    assert report["people"] == 10
    perfect = report_of(compare_templates(vectors_of(faces, 0.1), faces), faces)
    assert perfect["tar_at_far"]["1e-1"]["tar"] == 1
    assert perfect["eer"] == 0


def test_a_template_without_a_face_is_rejected_or_excluded(faces):
    vectors = vectors_of(faces, 0.1)
    vectors[faces.templates == 7] = np.nan
    vectors[np.flatnonzero(faces.templates == 10)[0]] = np.nan
    result = compare_templates(vectors, faces)
    report = report_of(result, faces)
    is_lost = (faces.pairs == 7).any(axis=1)
    assert np.isnan(result.similarities[is_lost]).all()
    assert (faces.templates == 10).sum() > 1
    assert np.isfinite(result.similarities[~is_lost]).all()
    assert report["pairs"]["not_compared"] == int(np.isnan(result.similarities).sum())
    lost = int((np.isnan(result.similarities) & faces.is_same).sum())
    assert report["tar_at_far"]["1e-1"]["tar"] == pytest.approx(1 - lost / 60)


def test_intervals_resample_people(faces):
    """Every resampling is that of the pairs of the people drawn; the people are those of matched pairs."""
    result = compare_templates(vectors_of(faces, 1.2), faces, replicates=50)
    np.testing.assert_array_equal(template_people(faces), np.arange(40) % 10)
    one, other = ((faces.pairs - 7) // 3 % 10).T
    areas = []
    for drawn in draw_multiplicities(10, 50):
        weights = np.where(one == other, drawn[one], drawn[one] * drawn[other])
        genuine, impostor = ((result.similarities[kind], weights[kind]) for kind in (faces.is_same, ~faces.is_same))
        wins = (genuine[0][:, None] > impostor[0]) * genuine[1][:, None] * impostor[1]
        areas.append(wins.sum() / (genuine[1].sum() * impostor[1].sum()))
    assert result.estimates["auc"].interval == pytest.approx(np.percentile(areas, (2.5, 97.5)), abs=1e-9)


def test_a_template_without_a_matched_pair_is_a_person(faces):
    is_kept = ~faces.is_same | (faces.pairs[:, 0] != 7)
    fewer = replace(faces, pairs=faces.pairs[is_kept], is_same=faces.is_same[is_kept])
    people = template_people(fewer)
    assert len(set(people.tolist())) == 11
    assert (people == people[0]).sum() == 1


def write_lists(folder, name="ijbc", **changes):
    lines = {
        "face_tid_mid": ["1.jpg 1 10", "2.jpg 1 11", "3.jpg 2 12"],
        "name_5pts_score": [f"{number}.jpg {' '.join(map(str, range(10)))} 0.{number}" for number in (1, 2, 3)],
        "template_pair_label": ["1 2 0", "2 2 1"],
    }
    for file, rows in {**lines, **changes}.items():
        (folder / f"{name}_{file}.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_the_lists_are_read(tmp_path):
    faces = read_template_set(write_lists(tmp_path, "ijbb"))
    assert faces.names == ("1.jpg", "2.jpg", "3.jpg")
    assert (faces.templates.tolist(), faces.media.tolist()) == ([1, 1, 2], [10, 11, 12])
    assert faces.landmarks[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    np.testing.assert_allclose(faces.scores, [0.1, 0.2, 0.3], rtol=1e-6)
    assert faces.pairs.tolist() == [[1, 2], [2, 2]]
    assert faces.is_same.tolist() == [False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face_tid_mid": ["1.jpg 1"]}, r"line 1: not a photo and .* template and medium: 1\.jpg 1$"),
        ({"face_tid_mid": ["1.jpg 1 1", "", "2.jpg 1 x"]}, r"line 3: .*2\.jpg 1 x"),
        ({"face_tid_mid": ["1.jpg 1 1", "2.jpg nan 1"]}, "line 2: not a photo and the whole numbers"),
        ({"face_tid_mid": ["1.jpg 2.7 1"]}, "line 1: not a photo and the whole numbers"),
        ({"name_5pts_score": [f"1.jpg {'0 ' * 9} nan 1"]}, "line 1: not a photo, ten coordinates and a score"),
        ({"face_tid_mid": ["", ""]}, "face_tid_mid.txt is empty"),
        ({"face_tid_mid": ["3.jpg 1 10", "2.jpg 1 11", "1.jpg 2 12"]}, "same photos in the same order"),
        ({"template_pair_label": ["1 9 0"]}, "compares the template 9"),
        ({"template_pair_label": ["1 2 0", "", "1 2 3"]}, "line 3: not .* two templates, and 1 or 0: 1 2 3"),
        ({"template_pair_label": ["1 2"]}, "line 1: not .* two templates, and 1 or 0"),
        ({"template_pair_label": ["", "1 2.7 1"]}, r"line 2: not .*: 1 2\.7 1"),
        ({"template_pair_label": ["nan 2 1"]}, "line 1: not"),
        ({"template_pair_label": ["1 2 0", "a b c"]}, "line 2: not"),
        ({"template_pair_label": [""]}, "template_pair_label.txt is empty"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(EvaluationInvalid, match=message):
        read_template_set(write_lists(tmp_path, **changes))


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(EvaluationInvalid, match=r"has 0 files \*_face_tid_mid\.txt; it needs one"):
        read_template_set(tmp_path)
    write_lists(tmp_path)
    write_lists(tmp_path, "ijbb")
    with pytest.raises(EvaluationInvalid, match="has 2 files"):
        read_template_set(tmp_path)
