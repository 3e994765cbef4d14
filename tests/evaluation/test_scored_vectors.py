"""Every evaluation compares faces as the service does: by the vectors of the calibration's scoring."""

from dataclasses import replace

import numpy as np
import pytest

from app.evaluation.all_pairs import compare_all
from app.evaluation.groups.scored_pairs import genuine_pairs, impostor_pairs
from app.evaluation.identification import hardest_distractors, identify
from app.evaluation.verification import similarities_of
from app.recognition.decisions.scoring import Scoring
from tests.evaluation.fakes import random_people

MEAN = np.array([0.5, -0.2, 0, 0, 0.1, 0, 0, 0], np.float32)


@pytest.fixture(params=[0, 1], ids=["all faces found", "a face missing"])
def photos(request):
    return replace(random_people(4, noise=0.9, lost=request.param), scoring=Scoring(MEAN))


@pytest.fixture
def centred(photos):
    """Photos whose own cosines are the similarities."""
    return replace(photos, embeddings=photos.vectors.astype(np.float32), scoring=Scoring())


def test_vectors_are_those_of_the_service(photos):
    weighted = replace(photos, scoring=Scoring(MEAN, typical_norm=3.0))
    for index, vector in enumerate(weighted.vectors):
        if not weighted.has_face[index]:
            assert np.isnan(vector).all()
            continue
        unit = weighted.embeddings[index] / np.linalg.norm(weighted.embeddings[index])
        expected = weighted.scoring.vector(unit, float(weighted.norms[index]))
        np.testing.assert_allclose(vector, expected, atol=1e-6)
    lengths = np.linalg.norm(weighted.vectors[weighted.has_face], axis=1)
    assert lengths.max() > lengths.min()


def test_given_pairs(photos):
    places = np.array([(0, 1), (2, 3), (4, 5)])
    expected = np.einsum("nd,nd->n", photos.vectors[places[:, 0]], photos.vectors[places[:, 1]])
    np.testing.assert_array_equal(similarities_of(photos, places), expected)


def test_all_pairs(photos, centred):
    one, other = (compare_all(each, replicates=0).estimates for each in (photos, centred))
    assert one["auc"].value == pytest.approx(other["auc"].value, abs=1e-4)
    assert one["auc"].value != compare_all(replace(photos, scoring=Scoring()), replicates=0).estimates["auc"].value


def test_identification(photos, centred):
    one, other = (identify(each, replicates=0).non_mated for each in (photos, centred))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_distractors(photos, centred):
    among = np.random.default_rng(1).normal(size=(20, 8))
    vectors = Scoring(MEAN).vectors((among / np.linalg.norm(among, axis=1)[:, None]).astype(np.float32))
    one, other = hardest_distractors(photos, among, [20]), hardest_distractors(centred, vectors, [20])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_groups(photos, centred):
    for pairs in (genuine_pairs, lambda each: impostor_pairs(each, share=1, lowest=0)):
        one, other = (pairs(each).similarities for each in (photos, centred))
        np.testing.assert_allclose(one, other, atol=1e-6)
