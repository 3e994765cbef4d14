import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.faces import Candidate
from app.identities.values import Owner
from app.recognition.matching import best_per_identity, decided, margin
from app.recognition.policy import Outcome, Rule

PEOPLE = "abcde"
SIMILARITIES = st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0])  # exact in float32, and ties are likely


def matched(candidates, threshold):
    """Decide by an exact threshold; candidates of one face are alone above it, so that none is ambiguous."""
    outcomes = decided([found[:1] for found in candidates], Rule(threshold, threshold, threshold))
    return [outcome is Outcome.MATCH for outcome in outcomes]


@st.composite
def hits(draw: st.DrawFn) -> tuple[list[tuple[int, float]], dict[int, Owner]]:
    """Draw one probe's hits, best first, and the owners of some of them."""
    similarities = sorted(draw(st.lists(SIMILARITIES, max_size=15)), reverse=True)
    keys = draw(st.permutations(range(len(similarities))))
    owners = {}
    for key in keys:
        person = draw(st.sampled_from([*PEOPLE, None]))
        if person is not None:
            owners[key] = Owner(person, person.upper(), f"face {key}")
    return list(zip(keys, similarities, strict=True)), owners


def found(answer: tuple[list[tuple[int, float]], dict[int, Owner]], top_k: int) -> list[Candidate]:
    rows, owners = answer
    keys, similarities = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float32)
    return best_per_identity(similarities, keys, owners, top_k)


@given(hits(), st.integers(1, 7))
def test_candidates_are_the_best_face_of_each_identity_best_first(answer, top_k):
    rows, owners = answer
    best: dict[str, float] = {}
    for key, similarity in rows:
        if key in owners:
            person = owners[key].identity_id
            best[person] = max(similarity, best.get(person, -1))
    candidates = found(answer, top_k)
    assert len(candidates) == min(top_k, len(best))
    assert [each.similarity for each in candidates] == sorted(best.values(), reverse=True)[:top_k]
    by_face = {owners[key].face_id: similarity for key, similarity in rows if key in owners}
    for each in candidates:
        assert each.similarity == best[each.identity_id] == by_face[each.face_id]
        assert each.name == each.identity_id.upper()
    assert len({each.identity_id for each in candidates}) == len(candidates)


@given(hits())
def test_fewer_candidates_are_the_first_of_more(answer):
    everybody = found(answer, len(PEOPLE))
    for top_k in range(1, len(PEOPLE)):
        assert found(answer, top_k) == everybody[:top_k]


def test_no_hits_give_no_candidates():
    assert found(([], {}), 5) == []


def test_faces_deleted_meanwhile_are_passed_over():
    assert found(([(1, 0.9), (2, 0.8)], {2: Owner("a", None, "f")}), 1) == [
        Candidate("a", None, "f", pytest.approx(0.8))  # type: ignore[arg-type] # compares like a float
    ]


@st.composite
def photos(draw: st.DrawFn) -> list[list[Candidate]]:
    """Draw the candidates of every face of a photo."""
    faces = draw(st.lists(st.dictionaries(st.sampled_from(PEOPLE), SIMILARITIES, max_size=4), max_size=7))
    return [
        [Candidate(person, None, "f", value) for person, value in sorted(face.items(), key=lambda each: -each[1])]
        for face in faces
    ]


@given(photos(), SIMILARITIES)
def test_a_person_is_in_a_photo_at_most_once_as_the_face_most_like_them(candidates, threshold):
    verdicts = matched(candidates, threshold)
    assert len(verdicts) == len(candidates)
    claims: dict[str, list[tuple[float, bool]]] = {}
    for face, is_match in zip(candidates, verdicts, strict=True):
        if face and face[0].similarity >= threshold:
            claims.setdefault(face[0].identity_id, []).append((face[0].similarity, is_match))
        else:
            assert not is_match
    for claim in claims.values():
        assert [similarity for similarity, is_match in claim if is_match] == [max(claim)[0]]


@given(photos())
def test_a_higher_threshold_never_makes_a_match(candidates):
    looser, stricter = matched(candidates, 0.25), matched(candidates, 0.5)
    assert all(loose or not strict for loose, strict in zip(looser, stricter, strict=True))


@given(st.floats(-1, 1))
def test_the_threshold_itself_is_a_match_and_anything_less_is_none(threshold):
    below, at, above = math.nextafter(threshold, -2), threshold, math.nextafter(threshold, 2)
    one_face = [[[Candidate("a", None, "f", value)]] for value in (below, at, above)]
    assert [matched(face, threshold) for face in one_face] == [[False], [True], [True]]


def test_of_two_equal_faces_the_more_prominent_one_matches():
    face = [Candidate("a", None, "f", 0.75)]
    assert matched([[], face, face], 0.5) == [False, True, False]


def test_a_face_that_lost_its_person_is_unknown_although_others_resemble_it():
    close, closer = Candidate("a", None, "f", 0.75), Candidate("a", None, "f", 1.0)
    other = Candidate("b", None, "f", 0.7)
    assert matched([[close, other], [closer]], 0.5) == [False, True]


def test_no_faces_give_no_verdicts():
    assert matched([], 0.5) == []


def test_between_the_bounds_of_doubt_a_match_is_only_possible():
    rule = Rule(0.5, 0.4, 0.6)
    outcomes = [decided([[Candidate("a", None, "f", similarity)]], rule)[0] for similarity in (0.39, 0.4, 0.59, 0.6)]
    assert outcomes == [Outcome.NO_MATCH, Outcome.POSSIBLE, Outcome.POSSIBLE, Outcome.MATCH]


def test_two_people_nearly_as_similar_cannot_be_told_apart():
    rule, exact = Rule(0.5, 0.49, 0.51), Rule(0.5, 0.5, 0.5)
    similarities = {"first": 0.8, "close": 0.75, "far": 0.6, "just": 0.52, "below": 0.45}
    first, close, far, just, below = (Candidate(name, None, "f", value) for name, value in similarities.items())
    assert decided([[first, close]], rule) == [Outcome.POSSIBLE]
    assert decided([[first, far]], rule) == [Outcome.MATCH]
    # A near runner-up below the threshold is nobody's match, so there is nothing to confuse.
    assert decided([[just, below]], rule) == [Outcome.MATCH]
    assert decided([[first, close]], exact) == [Outcome.MATCH]


def test_the_margin_is_to_the_runner_up():
    first, second = Candidate("a", None, "f", 0.8), Candidate("b", None, "f", 0.5)
    assert margin([first, second]) == pytest.approx(0.3)
    assert margin([first]) is None
    assert margin([]) is None
