import numpy as np
import pytest

from app.recognition.analysis import Face
from app.recognition.challenges.presentation import FrameFace, PresentationSign, judge_presentation
from app.recognition.decisions.policy import Policy
from app.recognition.liveness.decisions import LivenessVerdict
from app.recognition.liveness.thresholds import UNCALIBRATED
from app.recognition.probes import JudgedFace
from app.types import Detection
from app.vision.liveness import AttackSign, LivenessEvidence
from app.vision.liveness.prompts import Prompt
from app.vision.quality import Measures, Quality
from tests.vision.liveness.heads import HEAD, PHOTO, seen

POLICY = Policy(calibration=None, fallback=0.4)
PROMPTS = (Prompt.TURN_LEFT, Prompt.COME_CLOSER)
ADA, BOB = np.eye(4, dtype=np.float32)[:2]


def frame(number, *, points=HEAD, vector=ADA, quality=0.5, liveness=None, **stance):
    detection = Detection((0, 0, 1, 1), 0.9, seen(points, **stance))
    face = Face(detection, vector, 10.0, Measures(100, 0.6, 120, 0, 0), liveness=liveness)
    return FrameFace(number, number * 1000, JudgedFace(face, Quality(quality)))


def frames(*, points=HEAD, vector=ADA, liveness=None):
    """Return the frames of a face that follows the prompts."""
    stances: tuple[dict[str, float], ...] = ({}, {"yaw": 28}, {"distance": 5})
    return [
        frame(number, points=points, vector=vector if number else ADA, liveness=liveness, **each)
        for number, each in enumerate(stances)
    ]


def judged(frames):
    return judge_presentation(PROMPTS, frames, POLICY, UNCALIBRATED)


def test_a_head_that_follows_the_prompts_is_live():
    found = judged(frames())
    assert (found.verdict, found.reasons) == (LivenessVerdict.LIVE, ())
    assert [each.frame for each in found.prompts] == [1, 2]
    assert found.passive is None


def test_motion_is_from_the_first_frame_with_a_face():
    first, *others = frames()
    unseen = FrameFace(0, 0, None, "no_face")
    shifted = [frame(1), frame(2, yaw=28), frame(3, distance=5)]
    assert judged([unseen, *shifted]).verdict is LivenessVerdict.LIVE
    assert judged([first, FrameFace(1, 900, None, "no_face"), *shifted[2:]]).verdict is LivenessVerdict.UNCERTAIN
    assert judged([unseen]).reasons == (PresentationSign.NO_FACE,)
    assert [each.frame for each in judged([unseen]).prompts] == [None, None]
    assert others


def test_a_photo_follows_no_turn_and_is_flat_if_it_tilts_far():
    found = judged(frames(points=PHOTO))
    assert found.verdict is LivenessVerdict.UNCERTAIN
    assert found.reasons == (PresentationSign.PROMPT_NOT_FOLLOWED,)
    tilted = judged([frame(0, points=PHOTO), frame(1, points=PHOTO, yaw=45)])
    assert tilted.verdict is LivenessVerdict.ATTACK
    assert PresentationSign.FLAT_MOTION in tilted.reasons


def test_another_person_who_follows_is_an_attack():
    found = judged(frames(vector=BOB))
    assert (found.verdict, found.reasons) == (LivenessVerdict.ATTACK, (PresentationSign.ANOTHER_PERSON,))
    between = [*frames()[:2], frame(2, vector=BOB), frame(3, distance=5)]
    assert judged(between).verdict is LivenessVerdict.LIVE  # only frames that follow a prompt count


@pytest.mark.parametrize(("score", "verdict"), [(0.05, LivenessVerdict.ATTACK), (0.9, LivenessVerdict.LIVE)])
def test_an_attack_by_the_networks_is_an_attack(score, verdict):
    found = judged(frames(liveness=LivenessEvidence(score, (AttackSign.NETWORK,))))
    assert found.verdict is verdict
    assert found.passive is not None
    assert found.passive.score == score


def test_frames_of_another_person_outvote_neither_networks_nor_flatness():
    replayed, live = LivenessEvidence(0.05, (AttackSign.NETWORK,)), LivenessEvidence(0.95, ())
    first, *others = frames(liveness=replayed)
    padding = [frame(number, vector=BOB, liveness=live) for number in range(3, 10)]
    found = judged([first, *others, *padding])
    assert (found.verdict, found.reasons) == (LivenessVerdict.ATTACK, (PresentationSign.PRESENTATION_ATTACK,))
    tilted = [frame(0, points=PHOTO), frame(1, points=PHOTO, yaw=45)]
    assert PresentationSign.FLAT_MOTION in judged([*tilted, frame(2, vector=BOB, yaw=-28)]).reasons


def test_the_best_frame_is_one_that_was_judged():
    between = [frame(0), frame(1, quality=0.9), frame(2, yaw=28, quality=0.6), frame(3, distance=5)]
    assert judged(between).best == 2
