"""Identification in a process: of photos, and of tracks."""

from functools import cached_property

from app.names import nfc
from app.recognition.identification import IdentificationService
from app.recognition.probe_learning import ProbeLearning
from app.recognition.tracks.identification import TrackIdentification
from app.wiring.reviewing import Reviewing


class Identifying(Reviewing):
    """Resources of a process that identifies people."""

    @cached_property
    def probe_learning(self) -> ProbeLearning | None:
        """Running moments of this process' probes; None if they are not learned from."""
        calibration = self.settings.calibration
        return ProbeLearning() if calibration.is_adaptive and calibration.learn_from_probes else None

    @cached_property
    def identification(self) -> IdentificationService:
        """Identification, 1:N."""
        return IdentificationService(
            self.registry.analysis_of,
            self.gallery,
            self.registry.policy_of,
            open_metadata=frozenset(map(nfc, self.settings.open_metadata)),
            learning=self.probe_learning,
            gate=self.liveness_gate,
            reviews=self.review_queue,
        )

    @cached_property
    def track_identification(self) -> TrackIdentification:
        """Identification of the tracks of cameras."""
        registry = self.registry
        return TrackIdentification(
            registry.analysis_of, self.gallery, registry.policy_of, self.identification, gate=self.liveness_gate
        )
