"""Scoring: the vectors whose dot product is the similarity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gallery.store.values import EnrolledIdentity
from app.recognition.decisions.scoring import AS_STORED, Scoring, similarity_of
from app.types import Floats

D = 16
TYPICAL = 10.0


def units(count: int, seed: int = 0) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(count, D)) + 0.5
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def scoring(seed: int = 1) -> Scoring:
    return Scoring(units(50, seed).mean(axis=0), TYPICAL)


def test_without_a_mean_the_similarity_is_the_cosine_of_the_stored_embeddings():
    vectors = units(5)
    assert AS_STORED.vectors(vectors, np.ones(5, np.float32)) is vectors
    assert AS_STORED.is_plain


def test_the_mean_is_subtracted_and_lengths_are_one_without_norms():
    made = scoring().vectors(units(20))
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    impostors = made @ made.T
    assert abs(impostors[np.triu_indices(20, 1)].mean()) < abs((units(20) @ units(20).T)[np.triu_indices(20, 1)].mean())


@given(st.floats(0.3, 3))
def test_the_length_falls_slowly_with_the_norm_and_stays_within_bounds(relative: float):
    (made,) = scoring().vectors(units(1), np.array([relative * TYPICAL], np.float32))
    assert np.linalg.norm(made) == pytest.approx(np.clip(relative, 0.8, 1.2) ** -0.25, rel=1e-4)


def test_the_norm_of_an_imported_unit_vector_is_ignored():
    (made,) = scoring().vectors(units(1), np.ones(1, np.float32))  # a tenth of a typical norm
    assert np.linalg.norm(made) == pytest.approx(1, abs=1e-5)


def test_one_vector_is_made_like_many():
    several = scoring().vectors(units(3), np.array([8, 10, 12], np.float32))
    for place, norm in enumerate((8, 10, 12)):
        assert scoring().vector(units(3)[place], norm) == pytest.approx(several[place], abs=1e-6)


def test_an_identity_gets_vectors_of_its_own_norms():
    norms = np.array([9, 11], np.float32)
    keys = np.arange(2, dtype=np.int64)
    enrolled = EnrolledIdentity("ada", None, keys, ("a", "b"), units(2), np.ones(2, np.float32), norms=norms)
    assert scoring().identity(enrolled).vectors == pytest.approx(scoring().vectors(units(2), norms))
    assert AS_STORED.identity(enrolled) is enrolled


def test_a_similarity_is_at_most_one():
    (poor,) = scoring().vectors(units(1), np.array([8], np.float32))
    assert poor @ poor > 1
    assert similarity_of(poor, poor) == 1


def test_the_fitted_mean_counts_every_person_once():
    vectors = units(4)
    person = np.array([0, 0, 0, 1])
    made = Scoring.fitted(vectors, np.array([8, 10, 12, 10], np.float32), person)
    assert made.mean == pytest.approx((vectors[:3].mean(axis=0) + vectors[3]) / 2, abs=1e-6)
    assert made.typical_norm == 10
