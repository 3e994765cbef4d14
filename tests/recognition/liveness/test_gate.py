"""The gate by itself, and in each service of the world of colours: PINK is a print of RED, PALE cannot be judged."""

from dataclasses import replace

import pytest

from app.errors import (
    LivenessForbidden,
    LivenessUnavailable,
    NetworkMissing,
    NothingEnrolled,
    PresentationAttack,
    SettingsInvalid,
)
from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.policy import Outcome, Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.liveness.decisions import LivenessDecision, LivenessVerdict
from app.recognition.liveness.gate import AS_SET, UNCHECKED, LivenessCheck, LivenessGate, LivenessRequest
from app.recognition.liveness.record import LivenessLog
from app.recognition.liveness.thresholds import UNCALIBRATED, LivenessThresholds
from app.recognition.probe_learning import ProbeLearning
from app.recognition.verification import VerificationService
from app.statistics.counts import Operation
from app.types import LivenessMode
from app.vision.liveness import AttackSign, LivenessEvidence
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, WHITE, ColourJudge, colour_analysis, photo

OFF, OBSERVE, ENFORCE = LivenessMode
LIVE, UNCERTAIN, ATTACK = LivenessVerdict
PALE = (255, 30, 30)  # a red face, too
EVIDENCE = {
    PINK: LivenessEvidence(0.1, (AttackSign.REGULAR_PATTERN, AttackSign.NETWORK)),
    PALE: LivenessEvidence(0, (AttackSign.FACE_TOO_SMALL,), is_usable=False),
}


class NotedProbes(ProbeLearning):
    """Notes how many probes it gets."""

    def __init__(self):
        super().__init__()
        self.counts: list[int] = []

    def learn(self, _collection, probes, _matches):
        self.counts.append(len(probes))


class Gated:
    """The services behind one gate, on a collection whose mode can be changed."""

    def __init__(self, gallery, store):
        self.judge = ColourJudge(EVIDENCE)
        self.lines: list[tuple[str, str, int]] = []
        self.log = LivenessLog(lambda *line: self.lines.append(line))
        self.gate = LivenessGate(lambda: self.judge, log=self.log)
        self.gallery, self.store = gallery, store
        self.learning = NotedProbes()
        analysis = colour_analysis(judge=self.judge)
        parts = (lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
        self.verification = VerificationService(*parts, gate=self.gate)
        self.identification = IdentificationService(*parts, gate=self.gate, learning=self.learning)
        self.enrollment = EnrollmentService(*parts, gate=self.gate)

    def set(self, mode):
        self.store.change_settings("people", replace(CollectionSettings(), liveness=mode))

    def counted(self):
        return {(each.operation.value, each.mode.value, each.verdict.value): n for each, n in self.log.counts().items()}


@pytest.fixture
def gated(gallery, store):
    gated = Gated(gallery, store)
    gated.enrollment.enroll([photo(RED)], collection="people", identity_id="ada")
    return gated


# The mode


def test_a_request_may_ask_for_more_and_for_less_only_with_permission(gallery, store):
    gate = LivenessGate(lambda: ColourJudge({}))
    store.change_settings("people", CollectionSettings(liveness=OBSERVE))
    people = store.collection("people")
    trusted = [LivenessRequest(each, may_lower=True) for each in (None, *LivenessMode)]
    asked = {each.mode: gate.check(people, Operation.VERIFY, each).mode for each in trusted}
    assert asked == {None: OBSERVE, OFF: OFF, OBSERVE: OBSERVE, ENFORCE: ENFORCE}
    for mode in (None, OBSERVE, ENFORCE):
        assert gate.check(people, Operation.VERIFY, LivenessRequest(mode)).mode is (mode or OBSERVE)
    with pytest.raises(LivenessForbidden, match=r"'observe'.*'manage'"):
        gate.check(people, Operation.VERIFY, LivenessRequest(OFF))
    assert gate.check(None, Operation.DETECT, AS_SET) is UNCHECKED


def test_thresholds_are_those_of_the_collection(gallery, store):
    people = store.collection("people")
    calibrated = LivenessThresholds(0.8, 0.7, "door/1")
    gate = LivenessGate(
        lambda: ColourJudge({}), thresholds_of=lambda each: calibrated if each == people else UNCALIBRATED
    )
    request = LivenessRequest(OBSERVE)
    assert gate.check(people, Operation.VERIFY, request).thresholds == calibrated
    assert gate.check(None, Operation.DETECT, request).thresholds == UNCALIBRATED


@pytest.mark.parametrize("error", [NetworkMissing("run arcid models pull minifas"), SettingsInvalid("no such pack")])
def test_a_missing_detector_is_an_error_and_never_off(error):
    def missing():
        raise error

    for gate in (LivenessGate(missing), LivenessGate()):
        with pytest.raises(LivenessUnavailable, match="arcid doctor"):
            gate.check(None, Operation.DETECT, LivenessRequest(OBSERVE))
        assert gate.check(None, Operation.DETECT, LivenessRequest(OFF)) is UNCHECKED


def test_several_frames_need_a_detector_only_in_a_collection_that_checks_liveness(gallery, store):
    gate = LivenessGate()
    assert gate.thresholds(store.collection("people")) is None
    store.change_settings("people", CollectionSettings(liveness=ENFORCE))
    with pytest.raises(LivenessUnavailable):
        gate.thresholds(store.collection("people"))


def test_a_face_without_evidence_is_not_taken_for_live(analysis):
    (face,) = analysis.analyse(photo(RED), is_flip_averaged=False)
    with pytest.raises(LivenessUnavailable):
        LivenessCheck(OBSERVE, UNCALIBRATED).decide(face)


@pytest.mark.parametrize(
    ("mode", "verdict", "outcomes"),
    [
        (OBSERVE, ATTACK, (Outcome.MATCH, Outcome.POSSIBLE, Outcome.NO_MATCH)),
        (ENFORCE, LIVE, (Outcome.MATCH, Outcome.POSSIBLE, Outcome.NO_MATCH)),
        (ENFORCE, UNCERTAIN, (Outcome.POSSIBLE, Outcome.POSSIBLE, Outcome.NO_MATCH)),
        (ENFORCE, ATTACK, (Outcome.NO_MATCH, Outcome.NO_MATCH, Outcome.NO_MATCH)),
    ],
)
def test_enforced_only_a_live_face_matches(mode, verdict, outcomes):
    check, decision = LivenessCheck(mode, UNCALIBRATED), LivenessDecision(verdict, 0.5)
    assert tuple(check.limited(each, decision) for each in Outcome) == outcomes


# Verification


def test_without_a_check_nothing_is_judged(gated):
    result = gated.verification.verify_identity([photo(PINK)], "ada", collection="people")
    assert (result.verdict, result.probe.liveness) == (Outcome.MATCH, None)
    assert gated.identification.identify(photo(PINK), collection="people", top_k=1).faces[0].liveness is None
    assert (gated.judge.photos, gated.counted(), gated.lines) == (0, {}, [])


def test_observed_verdicts_are_stated_and_change_nothing(gated):
    gated.set(OBSERVE)
    result = gated.verification.verify_photo([photo(PINK)], photo(RED), collection="people")
    assert result.verdict is Outcome.MATCH
    assert result.probe.liveness == LivenessDecision(ATTACK, 0.1, (AttackSign.REGULAR_PATTERN, AttackSign.NETWORK))
    assert result.reference.liveness is None
    assert gated.judge.photos == 1  # the reference is not in front of the camera
    assert gated.counted() == {("verify", "observe", "attack"): 1}
    assert gated.lines == []


def test_enforced_an_attack_is_refused_and_noted(gated):
    gated.set(ENFORCE)
    against = ((gated.verification.verify_photo, photo(RED)), (gated.verification.verify_identity, "ada"))
    for verify, reference in against:
        with pytest.raises(PresentationAttack):
            verify([photo(PINK)], reference, collection="people")
    assert gated.lines == [("people", "verify", 1)] * 2
    assert gated.counted() == {("verify", "enforce", "attack"): 2}


def test_enforced_an_uncertain_face_is_possible_at_best(gated):
    gated.set(ENFORCE)
    result = gated.verification.verify_identity([photo(PALE)], "ada", collection="people", threshold=0.1)
    assert result.verdict is Outcome.POSSIBLE
    assert result.probe.liveness == LivenessDecision(UNCERTAIN, None, (AttackSign.FACE_TOO_SMALL,))
    assert result.similarity > 0.9
    assert gated.verification.verify_identity([photo(RED)], "ada", collection="people").verdict is Outcome.MATCH


def test_one_attack_among_the_photos_of_a_probe_is_enough(gated):
    gated.set(OBSERVE)
    result = gated.verification.verify_identity([photo(RED), photo(PINK)], "ada", collection="people")
    assert result.probe.liveness.verdict is ATTACK
    assert [each.face.liveness.verdict for each in result.photos] == [LIVE, ATTACK]
    gated.set(ENFORCE)
    with pytest.raises(PresentationAttack):
        gated.verification.verify_identity([photo(RED), photo(PINK)], "ada", collection="people")


# Identification


def test_enforced_an_attack_is_unknown_and_names_nobody(gated):
    gated.set(ENFORCE)
    (face,) = gated.identification.identify(photo(PINK), collection="people", top_k=5).faces
    assert (face.verdict, face.candidates, face.rates, face.margin) == (Outcome.NO_MATCH, [], [], None)
    assert face.liveness.verdict is ATTACK
    (person,) = gated.identification.identify_person([photo(PINK)] * 2, collection="people", top_k=5).faces
    assert (person.verdict, person.candidates) == (Outcome.NO_MATCH, [])
    assert gated.lines == [("people", "identify", 1)] * 2


def test_a_print_beside_a_person_takes_nothing_from_them(gated):
    """A person is in a photo once: the more similar of two faces has the match."""
    (paler,) = gated.enrollment.enroll([photo(PINK)], collection="people", identity_id="eve").faces
    gated.set(OBSERVE)
    both = photo(PALE, WHITE, PINK)
    observed = gated.identification.identify(both, collection="people", top_k=1).faces
    assert [each.candidates[0].identity_id for each in observed] == ["ada", "eve"]
    gated.set(ENFORCE)
    enforced = gated.identification.identify(both, collection="people", top_k=1).faces
    assert [each.verdict for each in enforced] == [Outcome.POSSIBLE, Outcome.NO_MATCH]
    assert enforced[0].candidates == observed[0].candidates
    assert paler.liveness is None


def test_observed_attacks_are_identified(gated):
    gated.set(OBSERVE)
    (answer,) = gated.identification.identify_each([photo(PINK, WHITE, BLUE)], collection="people", top_k=1).answers
    assert [each.liveness.verdict for each in answer.result.faces] == [ATTACK, LIVE]
    assert answer.result.faces[0].verdict is Outcome.MATCH
    assert gated.counted() == {("identify", "observe", "attack"): 1, ("identify", "observe", "live"): 1}


def test_a_request_decides_for_all_its_photos(gated):
    request = LivenessRequest(ENFORCE, may_lower=False)
    answers = gated.identification.identify_each(
        [photo(PINK), photo(RED)], collection="people", top_k=1, liveness=request
    ).answers
    assert [each.result.faces[0].verdict for each in answers] == [Outcome.NO_MATCH, Outcome.MATCH]


# Enrollment


def test_enforced_an_attack_is_not_enrolled(gated):
    gated.set(ENFORCE)
    with pytest.raises(NothingEnrolled) as refused:
        gated.enrollment.enroll([photo(PINK)], collection="people", identity_id="eve")
    assert [(each.photo, each.code) for each in refused.value.rejected] == [(0, "presentation_attack")]
    both = gated.enrollment.enroll([photo(PINK), photo(GREEN)], collection="people", identity_id="eve")
    assert [(each.photo, each.liveness.verdict) for each in both.faces] == [(1, LIVE)]
    assert [(each.photo, each.code) for each in both.rejected] == [(0, "presentation_attack")]
    assert gated.lines == [("people", "enroll", 1)] * 2


def test_a_repeated_enrollment_has_no_decisions(gated):
    gated.set(OBSERVE)
    asked = {"collection": "people", "identity_id": "eve", "idempotency_key": "k"}
    first, again = (gated.enrollment.enroll([photo(PINK)], **asked) for _ in range(2))
    assert first.faces[0].liveness.verdict is ATTACK
    assert again.faces == [replace(first.faces[0], liveness=None)]


def test_enrollments_may_not_lower_it_either(gated):
    gated.set(ENFORCE)
    with pytest.raises(LivenessForbidden):
        gated.enrollment.enroll([photo(RED)], collection="people", liveness=LivenessRequest(OFF))
    enrollment = gated.enrollment.enroll(
        [photo(PINK)], collection="people", identity_id="eve", liveness=LivenessRequest(OFF, may_lower=True)
    )
    assert enrollment.faces[0].liveness is None


def test_probes_that_are_not_live_are_not_learned_from(gated):
    gated.set(OBSERVE)
    gated.identification.identify(photo(PINK, WHITE, PALE), collection="people", top_k=1)
    gated.identification.identify(photo(BLUE), collection="people", top_k=1)
    assert gated.learning.counts == [0, 1]
