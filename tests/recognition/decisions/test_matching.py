import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.gallery.store.values import EnrolledIdentity
from app.recognition.decisions.matching import candidate, decide, margin, rank_candidates, template
from app.recognition.decisions.policy import Outcome, Rule
from app.types import Candidate, Floats

PEOPLE = "abcde"
SIMILARITIES = st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0])  # exact in float32, and ties are likely
D = 6


def units(number: int, seed: int) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(number, D))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def at(degrees: float) -> list[float]:
    """Return a unit vector in a plane."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), *[0] * (D - 2)]


def person(identity_id: str, vectors: object, qualities: object = None) -> EnrolledIdentity:
    faces = np.asarray(vectors, np.float32)
    return EnrolledIdentity(
        identity_id,
        identity_id.upper(),
        np.arange(len(faces), dtype=np.int64),
        tuple(f"{identity_id}{number}" for number in range(len(faces))),
        faces,
        np.ones(len(faces), np.float32) if qualities is None else np.asarray(qualities, np.float32),
    )


@st.composite
def people(draw: st.DrawFn) -> list[EnrolledIdentity]:
    """Draw people with one to six faces of any quality."""
    names = draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=5))
    seed = draw(st.integers(0, 2**32 - 1))
    counts = [draw(st.integers(1, 6)) for _ in names]
    qualities = [draw(st.lists(st.floats(0, 1, width=32), min_size=count, max_size=count)) for count in counts]
    return [
        person(name, units(count, seed + place), quality)
        for place, (name, count, quality) in enumerate(zip(names, counts, qualities, strict=True))
    ]


# Templates of an identity


@given(people())
def test_a_template_has_length_one(everybody):
    for each in everybody:
        made = template(each)
        assert made.dtype == np.float32
        assert made.shape == (D,)
        assert np.linalg.norm(made) == pytest.approx(1, abs=1e-5)


@given(st.integers(0, 99), st.floats(0, 1, width=32))
def test_one_face_stands_for_itself_whatever_its_quality(seed, quality):
    face = units(1, seed)
    assert template(person("a", face, [quality])).tobytes() == face[0].tobytes()


@given(people())
def test_a_template_is_the_mean_of_the_faces_weighted_by_their_quality(everybody):
    for each in everybody:
        weights = each.qualities.astype(np.float64) + 0.02
        mean = weights @ each.vectors.astype(np.float64) / weights.sum()
        assume(np.linalg.norm(mean) > 0.01)
        np.testing.assert_allclose(template(each), mean / np.linalg.norm(mean), atol=1e-4)


@given(people(), st.randoms(use_true_random=False))
def test_the_order_of_the_faces_does_not_matter(everybody, random):
    for each in everybody:
        order = list(range(len(each.keys)))
        random.shuffle(order)
        turned = person(each.identity_id, each.vectors[order], each.qualities[order])
        np.testing.assert_allclose(template(turned), template(each), atol=1e-3)


def test_the_better_face_is_nearer_to_the_template():
    vectors = np.array([at(0), at(60)], np.float32)
    first, second = (vectors @ template(person("a", vectors, [0.9, 0.3]))).tolist()
    assert first > second
    assert math.degrees(math.acos(first)) == pytest.approx(14.4, abs=0.1)  # tan = 0.32 sin 60 / (0.92 + 0.32 cos 60)


def test_faces_without_any_quality_count_alike():
    vectors = [at(0), at(60)]
    assert template(person("a", vectors, [0, 0])) == pytest.approx(at(30), abs=1e-6)


@pytest.mark.parametrize("quality", [0, 0.3, 1])
def test_of_faces_that_cancel_each_other_out_the_first_stands_for_all(quality):
    face = units(1, 1)[0]
    opposite = person("a", [face, -face], [quality, quality])
    assert template(opposite).tobytes() == face.tobytes()
    ((found,),) = rank_candidates(face[None], [opposite], 5)
    assert (found.face_id, found.faces) == ("a0", 2)
    assert found.similarity == pytest.approx(1)


# Candidates


@given(people(), st.integers(1, 3), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_candidates_are_the_people_whose_templates_are_nearest_best_first(everybody, probes, top_k, seed):
    asked = units(probes, seed)
    answers = rank_candidates(asked, everybody, top_k)
    assert len(answers) == probes
    for probe, found in zip(asked, answers, strict=True):
        truth = {each.identity_id: float(template(each) @ probe) for each in everybody}
        assert [each.similarity for each in found] == pytest.approx(
            sorted(truth.values(), reverse=True)[:top_k], abs=1e-5
        )
        assert len({each.identity_id for each in found}) == len(found) == min(top_k, len(everybody))
        by_name = {each.identity_id: each for each in everybody}
        for each in found:
            owner = by_name[each.identity_id]
            nearest = int((owner.vectors @ probe).argmax())
            assert each == Candidate(
                owner.identity_id, owner.name, owner.face_ids[nearest], each.similarity, len(owner.keys)
            )
            assert each.similarity == pytest.approx(truth[each.identity_id], abs=1e-5)


@given(people(), st.integers(0, 99))
def test_fewer_candidates_are_the_first_of_more(everybody, seed):
    probes = units(2, seed)
    complete = rank_candidates(probes, everybody, len(PEOPLE))
    for top_k in range(1, len(PEOPLE)):
        assert rank_candidates(probes, everybody, top_k) == [found[:top_k] for found in complete]


def test_of_people_equally_similar_the_first_comes_first():
    face = units(1, 0)
    found = rank_candidates(face, [person(name, face) for name in "bac"], 2)
    assert [each.identity_id for each in found[0]] == ["b", "a"]


def test_among_nobody_there_are_no_candidates():
    assert rank_candidates(units(3, 0), [], 5) == [[], [], []]
    assert rank_candidates(units(0, 0), [], 5) == []
    assert rank_candidates(units(0, 0), [person("a", units(2, 1))], 5) == []


def test_a_candidate_names_the_face_that_is_nearest_to_the_probe():
    ada = person("a", [at(0), at(30), at(90)])
    for degrees, face in ((-20, "a0"), (40, "a1"), (170, "a2")):
        probe = np.array(at(degrees), np.float32)
        assert candidate(probe, ada, 0.5) == Candidate("a", "A", face, 0.5, 3)


@pytest.mark.parametrize(
    ("angles", "qualities"),
    [
        ([0, 10, -10, 88], [0.8, 0.7, 0.9, 0.8]),  # one photo of somebody else among three of her own
        ([0, 88], [0.8, 0.02]),  # one photo that shows next to nothing
    ],
)
def test_one_wrong_face_does_not_speak_for_an_identity(angles, qualities):
    """Bob is not mistaken for Ada, although her wrong-person face resembles him more than his own faces do."""
    ada, bob = person("ada", [at(each) for each in angles], qualities), person("bob", [at(115)])
    probe = np.array([at(90)], np.float32)
    assert (ada.vectors @ probe[0]).max() > (bob.vectors @ probe[0]).max()
    ((first, second),) = rank_candidates(probe, [ada, bob], 2)
    assert (first.identity_id, second.identity_id) == ("bob", "ada")
    assert first.similarity - second.similarity > 0.3
    ((still_ada, _),) = rank_candidates(np.array([at(0)], np.float32), [ada, bob], 2)
    assert still_ada.identity_id == "ada"
    assert still_ada.similarity > 0.9


# Decisions


def matched(candidates, threshold):
    """Decide by an exact threshold; candidates of one face are alone above it, so that none is ambiguous."""
    first = [found[:1] for found in candidates]
    outcomes = decide(first, [False] * len(first), Rule(threshold, threshold, threshold))
    return [outcome is Outcome.MATCH for outcome in outcomes]


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
    outcomes = [
        decide([[Candidate("a", None, "f", similarity)]], [False], rule)[0] for similarity in (0.39, 0.4, 0.59, 0.6)
    ]
    assert outcomes == [Outcome.NO_MATCH, Outcome.POSSIBLE, Outcome.POSSIBLE, Outcome.MATCH]


def test_two_people_nearly_as_similar_cannot_be_told_apart():
    rule, exact = Rule(0.5, 0.49, 0.51), Rule(0.5, 0.5, 0.5)
    similarities = {"first": 0.8, "close": 0.75, "far": 0.6, "just": 0.52, "below": 0.45}
    first, close, far, just, below = (Candidate(name, None, "f", value) for name, value in similarities.items())
    assert decide([[first, close]], [False], rule) == [Outcome.POSSIBLE]
    assert decide([[first, far]], [False], rule) == [Outcome.MATCH]
    # A near runner-up below the threshold is nobody's match, so there is nothing to confuse.
    assert decide([[just, below]], [False], rule) == [Outcome.MATCH]
    assert decide([[first, close]], [False], exact) == [Outcome.MATCH]


@given(photos(), st.data())
def test_a_poor_face_is_possible_where_a_good_one_is_a_match(candidates, data):
    flags = st.lists(st.booleans(), min_size=len(candidates), max_size=len(candidates))
    is_poor, rule = data.draw(flags), Rule(0.4, 0.3, 0.5)
    good, judged = decide(candidates, [False] * len(candidates), rule), decide(candidates, is_poor, rule)
    for before, after, poor in zip(good, judged, is_poor, strict=True):
        assert after is (Outcome.POSSIBLE if poor and before is Outcome.MATCH else before)


@given(photos(), SIMILARITIES)
def test_under_an_explicit_threshold_a_poor_face_counts_as_any(candidates, threshold):
    rule = Rule(threshold, threshold, threshold)
    decisions = [decide(candidates, [poor] * len(candidates), rule) for poor in (False, True)]
    assert decisions[0] == decisions[1]
    assert Outcome.POSSIBLE not in decisions[0]


def test_a_poor_face_still_takes_its_person_from_a_less_similar_one():
    close, closer = Candidate("a", None, "f", 0.75), Candidate("a", None, "f", 0.9)
    assert decide([[close], [closer]], [False, True], Rule(0.5, 0.4, 0.6)) == [Outcome.NO_MATCH, Outcome.POSSIBLE]


def test_the_margin_is_to_the_runner_up():
    first, second = Candidate("a", None, "f", 0.8), Candidate("b", None, "f", 0.5)
    assert margin([first, second]) == pytest.approx(0.3)
    assert margin([first]) is None
    assert margin([]) is None
