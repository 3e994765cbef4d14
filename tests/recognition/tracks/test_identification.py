"""Tracks in the world of colours (tests/recognition/fakes.py)."""

import numpy as np
import pytest

from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Outcome, Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.identity_consistency import PROBE_FACES
from app.recognition.liveness.gate import LivenessGate
from app.recognition.tracks.identification import TrackIdentification
from app.recognition.tracks.looks import INDEPENDENT_LOOKS
from app.types import LivenessMode
from app.vision.imaging.decode import Image
from app.vision.liveness import LivenessEvidence
from tests.recognition.fakes import (
    BLUE,
    GREEN,
    PINK,
    RED,
    SIDE,
    WHITE,
    ColourJudge,
    calibration,
    colour_analysis,
    photo,
    square,
)

POLICY = Policy(None, 0.5, 0.2)
ATTACK = LivenessEvidence(0.05)


def frame(*colours, grain=1.0):
    return Image(np.hstack([square(colour, grain=grain) for colour in colours]))


def service_of(analysis, gallery, policy=POLICY, gate=None):
    identification = IdentificationService(lambda _: analysis, gallery, lambda _: policy, gate=gate)
    return TrackIdentification(lambda _: analysis, gallery, lambda _: policy, identification, gate)


@pytest.fixture
def enrolled(analysis, gallery):
    enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: POLICY)
    for name, colour in (("red", RED), ("green", GREEN)):
        enrollment.enroll([photo(colour)], collection="people", identity_id=name, name=name.title())
    return gallery


def shots_of(service, *frames):
    return [
        shot
        for number, each in enumerate(frames)
        for shot in service.embed(each, service.detect(each, "people").detections, "people", seconds=float(number))
    ]


def test_faces_of_a_frame_are_found_and_embedded(analysis, enrolled):
    service = service_of(analysis, enrolled)
    faces = service.detect(frame(RED, WHITE, GREEN), "people")
    assert [each.box[0] for each in faces.detections] == [0, 2 * SIDE]
    shots = service.embed(frame(RED, WHITE, GREEN), faces.detections[1:], "people", seconds=3.0)
    assert [(each.model, each.seconds) for each in shots] == [("colours", 3.0)]
    assert service.embed(frame(RED), [], "people", seconds=0) == []


def test_a_glance_needs_no_network(analysis, enrolled):
    service = service_of(analysis, enrolled)
    (good,) = service.glance(frame(RED), service.detect(frame(RED), "people").detections)
    (blurred,) = service.glance(frame(RED, grain=0), service.detect(frame(RED), "people").detections)
    assert good > 0.5 > blurred
    assert service.glance(frame(WHITE), []) == []


def test_a_track_is_identified(analysis, enrolled):
    service = service_of(analysis, enrolled)
    decision = service.decide(shots_of(service, frame(RED), frame(PINK)), "people")
    assert decision is not None
    assert decision.candidate is not None
    assert (decision.outcome, decision.candidate.identity_id) == (Outcome.MATCH, "red")
    assert (decision.fpir, decision.liveness, decision.is_attack, decision.is_poor) == (None, None, False, False)


def test_a_stranger_is_not(analysis, enrolled):
    service = service_of(analysis, enrolled)
    decision = service.decide(shots_of(service, frame(BLUE)), "people")
    assert decision is not None
    assert decision.outcome is Outcome.NO_MATCH


def test_the_rate_counts_the_looks_and_few_independent_faces(analysis, enrolled):
    policy = Policy(calibration(), 0.5, 0.2)
    service = service_of(analysis, enrolled, policy)
    decision = service.decide(shots_of(service, *[frame(RED)] * 5), "people")
    assert decision is not None
    assert decision.candidate is not None
    comparisons = comparisons_among(2, 2, 1).repeated(INDEPENDENT_LOOKS)  # five copies are one face
    assert decision.fpir == policy.fpir(decision.candidate.similarity, comparisons).value


def test_another_person_is_unlike_a_track(analysis, enrolled):
    service = service_of(analysis, enrolled)
    red, pink, green = shots_of(service, frame(RED), frame(PINK), frame(GREEN))
    likeness = [service.likeness(each, [red], "people", rule=PROBE_FACES) for each in (pink, green)]
    assert likeness[0] > 0 > likeness[1]


def test_shots_of_another_network_are_left_out(analysis, enrolled):
    service = service_of(analysis, enrolled)
    (red,) = shots_of(service, frame(RED))
    old = type(red)(red.face, 0.9, 0.9, 0.0, "another")
    assert service.decide([old], "people") is None
    assert service.likeness(red, [old], "people", rule=PROBE_FACES) is None
    decision = service.decide([old, red], "people")
    assert decision is not None
    assert decision.outcome is Outcome.MATCH


@pytest.mark.parametrize(("attacks", "expected"), [(1, False), (2, True)])
def test_most_frames_decide_on_an_attack(enrolled, store, attacks, expected):
    store.change_settings("people", CollectionSettings(liveness=LivenessMode.ENFORCE))
    gate = LivenessGate(lambda: ColourJudge({}))
    service = service_of(colour_analysis(judge=ColourJudge({PINK: ATTACK})), enrolled, gate=gate)
    frames = [frame(PINK)] * attacks + [frame(RED)] * (3 - attacks)
    decision = service.decide(shots_of(service, *frames), "people")
    assert decision is not None
    assert (decision.is_attack, decision.liveness) == (expected, "attack" if expected else "live")


def test_an_observed_attack_does_not_decide(enrolled, store):
    store.change_settings("people", CollectionSettings(liveness=LivenessMode.OBSERVE))
    gate = LivenessGate(lambda: ColourJudge({}))
    service = service_of(colour_analysis(judge=ColourJudge({RED: ATTACK})), enrolled, gate=gate)
    decision = service.decide(shots_of(service, frame(RED)), "people")
    assert decision is not None
    assert (decision.outcome, decision.is_attack, decision.liveness) == (Outcome.MATCH, False, "attack")
