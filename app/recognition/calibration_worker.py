"""Calibration worker: adapt the calibrations of collections whose people or probes have changed."""

import threading
from dataclasses import replace

from app.errors import ArcidError
from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.calibration_versions import CalibrationRepository
from app.gallery.store.values import Collection
from app.observability.logs import get_logger
from app.recognition.adaptive_calibration import AdaptiveCalibrationService, GallerySample
from app.recognition.decisions.calibration.adaptation import LEAST_PEOPLE
from app.recognition.decisions.calibration.versions import ExaminedState, is_due
from app.recognition.model_registry import ModelRegistry
from app.recognition.probe_learning import ProbeLearning

_log = get_logger(__name__)

# Passing failures: database unavailable, a collection moves to another network, out of memory. The next run repeats.
_PASSING = (ArcidError, OSError, RuntimeError, MemoryError)


class CalibrationWorker:
    """A thread that looks for changed collections every `every` seconds; see `start`, `stop`.

    Every replica may run one: of two that write the same version, one succeeds.
    """

    def __init__(
        self,
        repository: CalibrationRepository,
        service: AdaptiveCalibrationService,
        registry: ModelRegistry,
        *,
        every: float,
        probes: ProbeLearning | None = None,
    ) -> None:
        """`probes` are those of this process; None if collections do not learn from probes."""
        self._probes = probes
        self._repository = repository
        self._service = service
        self._registry = registry
        self._every = every
        self._examined: dict[str, ExaminedState] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arcid-calibration", daemon=True)

    def start(self) -> None:
        """Start adapting."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the current collection to finish."""
        self._stopping.set()
        self._thread.join()

    def sweep(self) -> int:
        """Write one version for each collection that needs one, and return their number."""
        collections = self._repository.adaptive(LEAST_PEOPLE)
        known = {collection.uid for collection, _ in collections}
        self._examined = {uid: state for uid, state in self._examined.items() if uid in known}
        return sum(self._examine(*each) for each in collections if not self._stopping.is_set())

    def _examine(self, collection: Collection, probes: ProbeSums) -> bool:
        probes = self._with_own_probes(collection, probes) if self._probes is not None else ProbeSums()
        base = self._registry.base_calibration(collection)
        if base is None or not is_due(collection, base, probes, self._examined.get(collection.uid)):
            return False
        sample = self._service.sample(collection)
        self._compare_probes_with(sample, collection)
        version = self._service.update(collection, probes, sample)
        if version is None:
            self._examined[collection.uid] = ExaminedState(collection.identities, collection.revision, probes.probes)
            return False
        self._examined.pop(collection.uid, None)
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
        return True

    def _with_own_probes(self, collection: Collection, known: ProbeSums) -> ProbeSums:
        """Add this process' probes to the collection's, and keep the people up to date whom they are compared with."""
        if self._probes is None or not self._probes.is_wanted(collection):
            return known
        own = self._probes.take(collection)
        if own.probes:
            self._repository.add_probes(collection, own)
        reference = self._probes.reference(collection)
        if reference is None or abs(reference.identities - collection.identities) * 10 >= collection.identities:
            self._compare_probes_with(self._service.sample(collection), collection)
        elif reference.revision != collection.revision:  # an erased person's vector must not stay in memory
            enrolled = self._repository.enrolled_among(reference.keys.tolist())
            kept = [place for place, key in enumerate(reference.keys.tolist()) if key in enrolled]
            self._probes.set_reference(collection, replace(reference.only(kept), revision=collection.revision))
        return self._repository.probe_sums(collection) if own.probes else known

    def _compare_probes_with(self, sample: GallerySample, collection: Collection) -> None:
        if self._probes is not None and self._probes.is_wanted(collection):
            self._probes.set_reference(collection, self._service.reference(collection, sample))

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self.sweep()
            except _PASSING as error:
                _log.warning("calibration.failed", error=error.code if isinstance(error, ArcidError) else repr(error))
