"""Thresholds of liveness from the calibrations of collections."""

from collections.abc import Callable

from app.gallery.store.liveness_calibrations import LivenessCalibration, LivenessCalibrationRepository
from app.gallery.store.values import Collection
from app.recognition.liveness.thresholds import LivenessThresholds


class StoredThresholds:
    """The thresholds of a collection's newest calibration, and those of the pack for all others.

    A calibration of other networks, or of faces found by another detector, does not apply: scores of one mean nothing
    for another. Each call reads the database, so that all replicas use a new calibration at once.
    """

    def __init__(
        self,
        repository: LivenessCalibrationRepository,
        *,
        fingerprint: Callable[[], str],
        detector_of: Callable[[Collection], str],
        default: Callable[[], LivenessThresholds],
    ) -> None:
        """Create the lookup.

        Args:
            repository: The stored calibrations.
            fingerprint: Returns the SHA-256 of all that shapes a score.
            detector_of: Returns the detector of faces of a collection.
            default: Returns the thresholds without a calibration.
        """
        self._repository = repository
        self._fingerprint = fingerprint
        self._detector_of = detector_of
        self._default = default

    def __call__(self, collection: Collection | None) -> LivenessThresholds:
        """Return the thresholds of a collection, or of requests without one."""
        calibration = None if collection is None else self._repository.newest(collection)
        if collection is None or calibration is None or not self.applies(calibration, collection):
            return self._default()
        return LivenessThresholds(
            calibration.live_from, calibration.attack_below, f"{collection.name}/{calibration.version}"
        )

    def stale(self, collection: Collection) -> LivenessCalibration | None:
        """Return the newest calibration of a collection if it does not apply, else None."""
        calibration = self._repository.newest(collection)
        return None if calibration is None or self.applies(calibration, collection) else calibration

    def applies(self, calibration: LivenessCalibration, collection: Collection) -> bool:
        """Return whether a calibration was made with the networks and the detector in use."""
        in_use = self._fingerprint(), self._detector_of(collection)
        return (calibration.fingerprint, calibration.detector) == in_use
