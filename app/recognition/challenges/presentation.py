"""The verdict on several frames of a face that should follow prompts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.recognition.decisions.policy import Outcome, Policy
from app.recognition.decisions.scoring import similarity_of
from app.recognition.liveness.decisions import LivenessDecision, LivenessVerdict, decide_liveness
from app.recognition.liveness.thresholds import LivenessThresholds
from app.recognition.probes import JudgedFace
from app.vision.liveness import fused
from app.vision.liveness.motion import motion
from app.vision.liveness.prompts import Prompt, TimedMotion, followed, is_flat


class PresentationSign(StrEnum):
    """A reason against a live person in several frames."""

    NO_FACE = "no_face"
    PROMPT_NOT_FOLLOWED = "prompt_not_followed"
    FLAT_MOTION = "flat_motion"
    ANOTHER_PERSON = "another_person"
    PRESENTATION_ATTACK = "presentation_attack"


_ATTACKS = frozenset(
    {PresentationSign.FLAT_MOTION, PresentationSign.ANOTHER_PERSON, PresentationSign.PRESENTATION_ATTACK}
)


@dataclass(frozen=True, slots=True)
class FrameFace:
    """A frame and its only face, or the `code` of the reason that it has none.

    `frame` is its number from 0, `at_ms` its milliseconds from the start.
    """

    frame: int
    at_ms: int
    face: JudgedFace | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class PromptResult:
    """A prompt, and the number of the frame in which the face followed it; None: it did not."""

    prompt: Prompt
    frame: int | None


@dataclass(frozen=True, slots=True)
class Presentation:
    """The verdict on a presentation, with the `reasons` against a live person.

    `best` is the frame of the best face among those that were judged. `passive` is the decision on the fused evidence
    of single frames; None without a detector of presentation attacks.
    """

    verdict: LivenessVerdict
    reasons: tuple[PresentationSign, ...]
    prompts: tuple[PromptResult, ...]
    frames: tuple[FrameFace, ...]
    best: int | None = None
    passive: LivenessDecision | None = None


def judge_presentation(
    prompts: Sequence[Prompt], frames: Sequence[FrameFace], policy: Policy, thresholds: LivenessThresholds | None
) -> Presentation:
    """Judge the frames of a face: does it follow the prompts, show depth, and stay one person?

    All motion is from the first frame with a face. The person of that frame must be the one of each frame that follows
    a prompt. Frames of other people between them count for nothing, so they cannot outvote those of an attack.

    Args:
        prompts: In the order in which the person saw them.
        frames: In the order of their times.
        policy: Policy of the collection; for two photos, it decides whether they show the same person.
        thresholds: Thresholds of the evidence of single frames; None without a detector of presentation attacks.
    """
    seen = {each.frame: each.face for each in frames if each.face is not None}
    if not seen:
        unmet = tuple(PromptResult(each, None) for each in prompts)
        return Presentation(LivenessVerdict.UNCERTAIN, (PresentationSign.NO_FACE,), unmet, tuple(frames))
    first = min(seen)
    motions = _motions(frames, seen[first], first)
    results = tuple(map(PromptResult, prompts, followed(prompts, motions, frames[first].at_ms)))
    judged = {first: seen[first]} | {each.frame: seen[each.frame] for each in results if each.frame is not None}
    own = _of_same_person(seen, first, policy)
    passive = _passive(list(own.values()), thresholds)
    own_motions = [each for each in motions if each.frame in own]
    reasons = _reasons(results, own_motions, passive, is_one_person=judged.keys() <= own.keys())
    best = max(judged, key=lambda frame: judged[frame].quality.score)
    return Presentation(_verdict(reasons), reasons, results, tuple(frames), best, passive)


def _motions(frames: Sequence[FrameFace], start: JudgedFace, first: int) -> list[TimedMotion]:
    motions = []
    for each in frames[first + 1 :]:
        if each.face is not None:
            moved = motion(start.face.detection.landmarks, each.face.face.detection.landmarks)
            motions += [TimedMotion(each.frame, each.at_ms, moved)] if moved is not None else []
    return motions


def _of_same_person(faces: Mapping[int, JudgedFace], first: int, policy: Policy) -> dict[int, JudgedFace]:
    """Return the faces, by frame, that may show the person of the first frame, and that face itself."""
    rule, reference = policy.for_verification(), policy.vector(faces[first].face)
    similarities = {frame: similarity_of(reference, policy.vector(each.face)) for frame, each in faces.items()}
    return {
        frame: each
        for frame, each in faces.items()
        if frame == first or rule.outcome(similarities[frame]) is not Outcome.NO_MATCH
    }


def _passive(faces: Sequence[JudgedFace], thresholds: LivenessThresholds | None) -> LivenessDecision | None:
    evidence = fused([each.face.liveness for each in faces if each.face.liveness is not None])
    return None if evidence is None or thresholds is None else decide_liveness(evidence, thresholds)


def _reasons(
    results: Sequence[PromptResult],
    motions: Sequence[TimedMotion],
    passive: LivenessDecision | None,
    *,
    is_one_person: bool,
) -> tuple[PresentationSign, ...]:
    found = {
        PresentationSign.PROMPT_NOT_FOLLOWED: any(each.frame is None for each in results),
        PresentationSign.FLAT_MOTION: is_flat(motions),
        PresentationSign.ANOTHER_PERSON: not is_one_person,
        PresentationSign.PRESENTATION_ATTACK: passive is not None and passive.verdict is LivenessVerdict.ATTACK,
    }
    return tuple(sign for sign, is_found in found.items() if is_found)


def _verdict(reasons: Sequence[PresentationSign]) -> LivenessVerdict:
    if not reasons:
        return LivenessVerdict.LIVE
    return LivenessVerdict.ATTACK if _ATTACKS.intersection(reasons) else LivenessVerdict.UNCERTAIN
