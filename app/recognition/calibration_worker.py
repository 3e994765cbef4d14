"""Calibration worker: adapt the calibrations of collections whose people or probes have changed."""

from app.gallery.store.calibration_state import CalibrationVersion, ProbeSums
from app.gallery.store.calibration_versions import CalibrationRepository
from app.gallery.store.values import Collection
from app.observability.logs import get_logger
from app.periodic_worker import PASSING, PeriodicWorker, reason_of
from app.recognition.adaptive_calibration import AdaptiveCalibrationService
from app.recognition.decisions.calibration.adaptation import LEAST_PEOPLE
from app.recognition.decisions.calibration.versions import ExaminedState, is_due
from app.recognition.probe_learning import ProbeLearning

_log = get_logger(__name__)


class CalibrationWorker(PeriodicWorker):
    """A thread that looks for changed collections every `every` seconds.

    Every replica may run one: of two that write the same version, one succeeds.
    """

    def __init__(
        self,
        repository: CalibrationRepository,
        service: AdaptiveCalibrationService,
        *,
        every: float,
        probes: ProbeLearning | None = None,
    ) -> None:
        """`probes` are those of this process; None if collections do not learn from probes."""
        super().__init__("calibration", every=every)
        self._probes = probes
        self._repository = repository
        self._service = service
        self._examined: dict[str, ExaminedState] = {}
        self._failing: set[str] = set()

    def step(self) -> None:
        """See `sweep`."""
        self.sweep()

    def sweep(self) -> int:
        """Write one version for each collection that needs one, and return their number.

        A collection that fails is logged and tried again in the next sweep; the others do not wait for it.
        """
        collections = self._repository.adaptive(LEAST_PEOPLE)
        known = {collection.uid for collection, _ in collections}
        self._examined = {uid: state for uid, state in self._examined.items() if uid in known}
        self._failing &= known
        if self._probes is not None:
            self._probes.keep_only(known)
        return sum(self._try(*each) for each in collections if not self._stopping.is_set())

    def _try(self, collection: Collection, probes: ProbeSums) -> bool:
        try:
            is_written = self._examine(collection, probes)
        except PASSING as error:
            if collection.uid not in self._failing:
                _log.warning("calibration.failed", collection=collection.name, error=reason_of(error))
            self._failing.add(collection.uid)
            return False
        self._failing.discard(collection.uid)
        return is_written

    def _examine(self, collection: Collection, probes: ProbeSums) -> bool:
        base = self._service.base_of(collection)
        if base is None:
            return False
        probes = self._with_own_probes(collection, probes) if self._probes is not None else ProbeSums()
        is_wanted = is_due(collection, base, probes, self._examined.get(collection.uid))
        sample = self._service.sample(collection) if is_wanted or self._needs_people(collection) else None
        if self._probes is not None and self._probes.is_wanted(collection):
            if sample is not None:
                self._probes.set_reference(collection, self._service.reference(collection, base, sample))
            else:
                self._forget_erased(self._probes, collection)
        if not is_wanted or sample is None:
            return False
        version = self._service.update(collection, base, probes, sample)
        if version is None:
            self._examined[collection.uid] = ExaminedState.of(collection, base, probes)
            return False
        _log_version(collection, version)
        return True

    def _with_own_probes(self, collection: Collection, known: ProbeSums) -> ProbeSums:
        """Add this process' probes to the collection's, and return the sums over all of them."""
        own = self._probes.take(collection) if self._probes is not None else ProbeSums()
        if not own.probes:
            return known
        self._repository.add_probes(collection, own)
        return self._repository.probe_sums(collection)

    def _needs_people(self, collection: Collection) -> bool:
        """Return whether probes have nobody to be compared with, or a tenth of the people has changed since."""
        if self._probes is None or not self._probes.is_wanted(collection):
            return False
        reference = self._probes.reference(collection)
        return reference is None or abs(reference.identities - collection.identities) * 10 >= collection.identities

    def _forget_erased(self, probes: ProbeLearning, collection: Collection) -> None:
        """Stop comparing probes with faces that have been deleted."""
        reference = probes.reference(collection)
        if reference is not None and reference.revision != collection.revision:
            enrolled = self._repository.enrolled_among(reference.keys.tolist())
            probes.set_reference(collection, reference.still(enrolled, collection.revision))


def _log_version(collection: Collection, version: CalibrationVersion) -> None:
    _log.info(
        "calibration.adapted",
        collection=collection.name,
        version=version.version,
        people=round(version.gallery.count),
        probes=round(version.probes.count),
        shift=round(version.gallery.mean - version.base.mean, 4),
        stretch=round(version.gallery.deviation / version.base.deviation, 4),
        is_converged=version.is_converged,
    )
