import numpy as np
import pytest

from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.policy import Policy
from app.recognition.identity_consistency import ENROLLED_FACES, assess_consistency, least_similarity
from tests.recognition.fakes import calibration

FIXED = Policy(None, 0.5)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def isotropic():
    """Return a calibration of strangers without anything in common, in 128 dimensions."""
    vectors = unit(np.random.default_rng(7).normal(size=(1500, 128)))
    names = [str(number) for number in range(len(vectors))]
    return calibrate(vectors, names, calibration().origin, norms=np.ones(len(names), np.float32))


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
    assert policy.fmr(least_similarity(policy, 1)).value == pytest.approx(ENROLLED_FACES.fmr_of_one, rel=0.01)
    for faces in (2, 9):
        assert policy.fmr(least_similarity(policy, faces), faces).value == pytest.approx(ENROLLED_FACES.fmr, rel=0.01)
    assert least_similarity(Policy(None, 0.37), 5) == 0.37


def test_a_look_alike_that_is_near_one_face_is_not_near_all_of_them():
    # 50 is near enough to 0, and would join before the person's own 340.
    assert agreed(0, 50, qualities=[1, 1]).fits.all()
    found = agreed(0, 340, 62)
    assert found.fits.tolist() == [True, True, False]
    assert found.is_majority


def test_a_look_alike_that_joined_first_leaves_again():
    # 30 joins 0 as the nearest, and with its help the others join. It is too far from all of them.
    found = agreed(0, 30, 320, 315, policy=Policy(None, float(np.cos(np.radians(56)))))
    assert found.fits.tolist() == [True, False, True, True]


@pytest.mark.parametrize("others", [1, 2, 3, 8])
def test_of_a_person_and_the_nearest_of_300_strangers_the_stranger_is_found(others):
    rng = np.random.default_rng(others)
    policy = Policy(isotropic(), 0.9)
    kept = found = 0
    for _ in range(60):
        own = unit(rng.normal(size=128) + 0.75 * rng.normal(size=(others, 128)))
        strangers = unit(rng.normal(size=(300, 128)))
        nearest = strangers[(strangers @ own.sum(axis=0)).argmax()]
        order = rng.permutation(others + 1)
        fits = assess_consistency(np.vstack([own, nearest])[order], np.ones(others + 1, np.float32), policy).fits
        kept += fits[order < others].all()
        found += not fits[order == others][0] if others > 1 else not fits.all()
    assert found >= (54 if others > 1 else 15)
    assert kept >= (57 if others > 1 else 25)  # of two faces, either may be the one that fits


def test_many_faces_are_compared_quickly():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5_000, 128)) * 0.05 + np.eye(128)[0]
    vectors[7] = -vectors[7]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = assess_consistency(vectors.astype(np.float32), np.ones(5_000, np.float32), FIXED)
    assert np.flatnonzero(~found.fits).tolist() == [7]
