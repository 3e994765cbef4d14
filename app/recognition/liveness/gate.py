"""The liveness gate: the mode that applies to a request, and what a verdict on liveness does to its result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.errors import LivenessForbidden, LivenessUnavailable, NetworkError, PresentationAttack, SettingsInvalid
from app.gallery.store.values import Collection
from app.recognition.analysis import Face
from app.recognition.decisions.policy import Outcome
from app.recognition.liveness.decisions import (
    LivenessDecision,
    LivenessVerdict,
    decide_liveness,
    is_attack,
    worst_liveness,
)
from app.recognition.liveness.record import LivenessLog, LivenessRecord
from app.recognition.liveness.thresholds import LivenessThresholds, LivenessThresholdsOf, uncalibrated
from app.statistics.counts import Operation
from app.types import LivenessMode
from app.vision.liveness import PresentationAttackDetector

_REMEDY = "arcid doctor on the server names the remedy"


@dataclass(frozen=True, slots=True)
class LivenessRequest:
    """The mode that a caller asks for, None for the collection's; with `may_lower` it may be less strict than that.

    `is_about_reference`: a reference photo is checked like the probe.
    """

    mode: LivenessMode | None = None
    may_lower: bool = False
    is_about_reference: bool = False


AS_SET = LivenessRequest()
"""The mode that is set for the collection."""


@dataclass(frozen=True, slots=True)
class LivenessCheck:
    """The check of one request; without `thresholds` it is off."""

    mode: LivenessMode = LivenessMode.OFF
    thresholds: LivenessThresholds | None = None
    record: LivenessRecord | None = None

    @property
    def is_on(self) -> bool:
        """Whether faces need evidence of their liveness."""
        return self.thresholds is not None

    def decide(self, face: Face) -> LivenessDecision | None:
        """Decide on a face, and count the verdict; None if the check is off.

        Raises LivenessUnavailable for a face without evidence.
        """
        if self.thresholds is None:
            return None
        if face.liveness is None:
            raise LivenessUnavailable(f"the face was analysed without a detector of presentation attacks; {_REMEDY}")
        decision = decide_liveness(face.liveness, self.thresholds)
        if self.record is not None:
            self.record.count(self.mode, decision.verdict)
        return decision

    def is_refused(self, decision: LivenessDecision | None) -> bool:
        """Return whether a face with this decision is refused."""
        return is_attack(decision) and self.mode is LivenessMode.ENFORCE

    def require(self, decision: LivenessDecision | None) -> None:
        """Raise PresentationAttack if a face with this decision is refused, and note that in the audit trail."""
        if self.is_refused(decision):
            self.note_refused([decision])
            raise PresentationAttack

    def note_refused(self, decisions: Iterable[LivenessDecision | None]) -> None:
        """Note in the audit trail how many faces of a request are refused, if any."""
        refused = sum(map(self.is_refused, decisions))
        if refused and self.record is not None:
            self.record.note_refused(refused)

    def limited(self, outcome: Outcome, *decisions: LivenessDecision | None) -> Outcome:
        """Return the outcome after the check. If enforced, only a live face matches, and an attack gives `NO_MATCH`."""
        decision = worst_liveness(each for each in decisions if each is not None)
        if decision is None or self.mode is not LivenessMode.ENFORCE or decision.verdict is LivenessVerdict.LIVE:
            return outcome
        if decision.verdict is LivenessVerdict.ATTACK:
            return Outcome.NO_MATCH
        return Outcome.POSSIBLE if outcome is Outcome.MATCH else outcome

    def may_match(self, decision: LivenessDecision | None) -> bool:
        """Return whether a face with this decision can match; for callers that decide by a similarity alone."""
        return self.limited(Outcome.MATCH, decision) is Outcome.MATCH


UNCHECKED = LivenessCheck()


class LivenessGate:
    """Opens the check of each request."""

    def __init__(
        self,
        detector: Callable[[], PresentationAttackDetector] | None = None,
        *,
        thresholds_of: LivenessThresholdsOf = uncalibrated,
        log: LivenessLog | None = None,
    ) -> None:
        """`detector` opens the detector when it is first needed; None if the service has none."""
        self._detector = detector
        self._thresholds_of = thresholds_of
        self.log = log or LivenessLog()

    def check(
        self, collection: Collection | None, operation: Operation, request: LivenessRequest = AS_SET
    ) -> LivenessCheck:
        """Return the check of a request, in a collection or without one.

        Raises LivenessForbidden if the request asks for less than the collection's mode and may not, and
        LivenessUnavailable if the service has no detector.
        """
        stored = LivenessMode.OFF if collection is None else collection.settings.liveness
        mode = request.mode or stored
        if mode.is_below(stored) and not request.may_lower:
            raise LivenessForbidden(
                f"the collection has liveness {stored.value!r}, and only a key with scope 'manage' may ask for "
                f"{mode.value!r}; leave it out, or ask for more"
            )
        if mode is LivenessMode.OFF:
            return UNCHECKED
        self.require_detector()
        name = None if collection is None else collection.name
        return LivenessCheck(mode, self._thresholds_of(collection), LivenessRecord(self.log, operation, name))

    def thresholds(self, collection: Collection) -> LivenessThresholds | None:
        """Return the thresholds of a collection, whatever its mode.

        If the detector cannot be opened, return None for a collection whose mode is off, and raise LivenessUnavailable
        for others.
        """
        try:
            self.require_detector()
        except LivenessUnavailable:
            if collection.settings.liveness is not LivenessMode.OFF:
                raise
            return None
        return self._thresholds_of(collection)

    def require_detector(self) -> None:
        """Open the detector; raises LivenessUnavailable if that is not possible."""
        if self._detector is None:
            raise LivenessUnavailable(f"this service has no detector of presentation attacks; {_REMEDY}")
        try:
            self._detector()
        except (NetworkError, SettingsInvalid) as error:
            detail = f"the detector of presentation attacks cannot be opened; {_REMEDY}"
            raise LivenessUnavailable(detail, reason=str(error)) from error
