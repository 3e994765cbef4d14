import numpy as np
import pytest

from app.recognition.decisions.policy import Policy
from app.recognition.identity_consistency import MOST_FMR, assess_consistency, least_similarity
from tests.recognition.fakes import calibration

FIXED = Policy(None, 0.5)


def at(*degrees: float):
    """Return directions in a plane: the cosine of their angle is their similarity."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1).astype(np.float32)


def agreed(*degrees, qualities=None, enrolled=0, policy=FIXED):
    given = np.ones(len(degrees)) if qualities is None else np.array(qualities)
    return assess_consistency(at(*degrees), given.astype(np.float32), policy, enrolled=enrolled)


def test_one_face_agrees_with_itself():
    found = agreed(0)
    assert (found.fits.tolist(), found.is_majority, found.others.tolist()) == ([True], True, [0])
    assert np.isnan(found.similarities).all()


def test_faces_of_one_person_fit():
    found = agreed(0, 20, 40)
    assert found.fits.all()
    assert found.is_majority


def test_a_foreign_face_does_not_fit_and_its_similarity_is_to_the_others():
    found = agreed(0, 90, 10)
    assert found.fits.tolist() == [True, False, True]
    assert found.is_majority
    assert (found.similarities[1], found.others[1]) == (pytest.approx(np.cos(np.radians(85)), abs=1e-3), 2)


def test_who_is_unlike_one_face_may_be_like_all_together():
    # 70 is too far from 0, and near enough to the template of 0, 20, 45.
    assert agreed(0, 70, qualities=[1, 1]).fits.tolist() == [True, False]
    assert agreed(0, 20, 45, 70).fits.all()


def test_two_faces_that_are_unlike_have_no_majority():
    found = agreed(0, 90, qualities=[0.4, 0.8])
    assert found.fits.tolist() == [False, True]  # the better one stands for the identity
    assert not found.is_majority
    assert found.similarities == pytest.approx([0, 0], abs=1e-6)
    assert found.others.tolist() == [1, 1]


def test_two_halves_have_no_majority():
    found = agreed(0, 10, 100, 110)
    assert found.fits.sum() == 2
    assert not found.is_majority


def test_what_is_enrolled_is_taken_as_theirs_whatever_is_more():
    found = agreed(0, 90, 95, 100, enrolled=1)
    assert found.fits.tolist() == [True, False, False, False]
    assert found.is_majority
    assert found.others[1:].tolist() == [1, 1, 1]


def test_a_new_face_that_fits_vouches_for_the_next():
    assert agreed(0, 45, 80, enrolled=1).fits.all()
    assert agreed(0, 80, enrolled=1).fits.tolist() == [True, False]


def test_the_least_similarity_is_that_of_few_strangers():
    policy = Policy(calibration(), 0.9)
    for faces in (1, 2, 9):
        assert policy.fmr(least_similarity(policy, faces), faces) == pytest.approx(MOST_FMR, rel=0.01)
    assert least_similarity(Policy(None, 0.37), 5) == 0.37


def test_many_faces_are_compared_quickly():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5_000, 128)) * 0.05 + np.eye(128)[0]
    vectors[7] = -vectors[7]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = assess_consistency(vectors.astype(np.float32), np.ones(5_000, np.float32), FIXED)
    assert np.flatnonzero(~found.fits).tolist() == [7]
