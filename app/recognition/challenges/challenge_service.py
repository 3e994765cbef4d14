"""Active liveness challenges: a person follows random prompts, and frames of that are judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import pairwise
from secrets import SystemRandom

from app.access.challenges import Challenge, ChallengeStore
from app.errors import FramesInvalid, NoFace, PhotoRefused, SeveralFaces
from app.gallery.gallery import Gallery
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysedFaces, AnalysisOf
from app.recognition.challenges.presentation import FrameFace, Presentation, judge_presentation
from app.recognition.decisions.policy import Policy, PolicyOf
from app.recognition.liveness.decisions import LivenessVerdict
from app.recognition.liveness.gate import LivenessGate
from app.recognition.probes import JudgedFace
from app.recognition.verification import Verification, VerificationService
from app.vision.liveness.prompts import Prompt

_PROMPTS = 3  # of four, two of which are turns: each challenge has at least one
_MOST_DRIFT_MS = 1000  # between the clocks of the client and of the service


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of an answer: bytes of the photo, milliseconds since the challenge arrived, SHA-256 when it was taken."""

    photo: bytes
    at_ms: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ChallengeResult:
    """The verdict on an answer. If it is live and an identity was named, the best frame is compared with that."""

    presentation: Presentation
    verification: Verification | None = None


class ChallengeService:
    """Issues challenges and judges their answers."""

    def __init__(
        self,
        store: ChallengeStore,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        policy_of: PolicyOf,
        verification: VerificationService,
        *,
        gate: LivenessGate | None = None,
    ) -> None:
        """Without a detector in the `gate`, only movements and the person are judged; see `LivenessGate.thresholds`."""
        self._store = store
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of
        self._verification = verification
        self._gate = gate or LivenessGate()

    def issue(self, collection: str) -> tuple[Challenge, str]:
        """Return a new challenge with prompts in a random order, and its nonce.

        Raises CollectionUnknown, ModelMismatch if the collection's network is not served, and LivenessUnavailable if
        the collection checks liveness and the service has no detector: an answer would also fail.
        """
        target = self._gallery.require(collection)
        self._gate.thresholds(target)
        prompts = SystemRandom().sample(list(Prompt), _PROMPTS)
        return self._store.issue(target.name, prompts)

    def answer(
        self,
        challenge_id: str,
        nonce: str,
        frames: Sequence[Frame],
        *,
        collection: str,
        identity_id: str | None = None,
        is_exact: bool = True,
    ) -> ChallengeResult:
        """Judge the answer to a challenge, which is used up by it.

        `is_exact` is for callers who may read templates. Raises the errors of `issue`, FramesInvalid, ChallengeUnknown,
        ChallengeUsed, ChallengeExpired, FramesReplayed, and the errors of `VerificationService.verify_identity`.
        """
        _require_intact(frames)
        target = self._gallery.require(collection)
        policy, thresholds = self._policy_of(target), self._gate.thresholds(target)  # may fail: before it is used up
        challenge = self._store.use(challenge_id, nonce, target.name)
        _require_in_time(frames, challenge)
        faces = self._faces(frames, target, policy, has_liveness=thresholds is not None)
        self._store.remember(_hashes(frames, faces))
        prompts = tuple(map(Prompt, challenge.prompts))
        presentation = judge_presentation(prompts, faces, policy, thresholds)
        if identity_id is None or presentation.best is None or presentation.verdict is not LivenessVerdict.LIVE:
            return ChallengeResult(presentation)
        best = frames[presentation.best].photo
        verification = self._verification.verify_identity([best], identity_id, collection=collection, is_exact=is_exact)
        return ChallengeResult(presentation, verification)

    def _faces(
        self, frames: Sequence[Frame], target: Collection, policy: Policy, *, has_liveness: bool
    ) -> list[FrameFace]:
        """Return the only face of each frame; a frame without one has the code of the reason."""
        analyse = partial(
            self._analysis_of(target).analyse,
            is_flip_averaged=target.settings.is_flip_averaged,
            most=1,
            has_liveness=has_liveness,
        )
        return [_frame_face(number, frame, analyse, policy) for number, frame in enumerate(frames)]


def _require_intact(frames: Sequence[Frame]) -> None:
    """Raise FramesInvalid unless frames match their SHA-256, differ from each other, and are in order of time."""
    for number, each in enumerate(frames):
        if sha256(each.photo).hexdigest() != each.sha256:
            raise FramesInvalid(f"frame {number} has another SHA-256 than was stated for it")
    if len({each.sha256 for each in frames}) < len(frames):
        raise FramesInvalid("two frames are the same photo; a camera never takes the same one twice")
    if any(before.at_ms >= after.at_ms for before, after in pairwise(frames)):
        raise FramesInvalid("the frames are not in order of their times")


def _require_in_time(frames: Sequence[Frame], challenge: Challenge) -> None:
    """Raise FramesInvalid if the time of a frame is before the challenge or in the future."""
    elapsed_ms = (datetime.now(UTC) - challenge.created_at).total_seconds() * 1000
    if frames[0].at_ms < 0 or frames[-1].at_ms > elapsed_ms + _MOST_DRIFT_MS:
        raise FramesInvalid("the times of the frames are not between the challenge and its answer")


def _hashes(frames: Sequence[Frame], faces: Sequence[FrameFace]) -> set[str]:
    """Return the hashes of the frames, and of their faces: bytes that change no pixel do not make a new frame."""
    crops = [each.face.face.crop for each in faces if each.face is not None]
    return {each.sha256 for each in frames} | {sha256(each.tobytes()).hexdigest() for each in crops if each is not None}


def _frame_face(number: int, frame: Frame, analyse: Callable[[bytes], AnalysedFaces], policy: Policy) -> FrameFace:
    try:
        faces = analyse(frame.photo)
    except PhotoRefused as error:
        return FrameFace(number, frame.at_ms, None, error.code)
    if not faces or faces.rivals:
        return FrameFace(number, frame.at_ms, None, SeveralFaces.code if faces else NoFace.code)
    return FrameFace(number, frame.at_ms, JudgedFace(faces[0], policy.quality(faces[0])))
