"""Served embedding networks, and the one of each collection."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.errors import ArcidError, RequestInvalid
from app.gallery.store.values import Collection
from app.recognition.analysis import Analysis
from app.recognition.decisions.calibration.applicable import Calibrations
from app.recognition.decisions.calibration.error_rates import Calibration, RateCurve, scoring_of
from app.recognition.decisions.calibration.similar_impostors import SimilarImpostorCurve
from app.recognition.decisions.calibration.versions import curves
from app.recognition.decisions.policy import Policy
from app.types import Impostors


@dataclass(frozen=True, slots=True)
class ServedModel:
    """An embedding network that is served: its pack, its model and the length of its vectors.

    `detector` is its default detector; `threshold` decides without a calibration.
    """

    pack: str
    model: str
    dimension: int
    detector: str
    threshold: float


class ModelRegistry:
    """Networks by collection, each opened at its first use; thread-safe."""

    def __init__(
        self,
        served: Sequence[ServedModel],
        *,
        open_analysis: Callable[[ServedModel, str], Analysis],
        calibrations_of: Callable[[ServedModel, str], Calibrations],
        is_adaptive: bool = True,
        impostors: Impostors = Impostors.ANY,
    ) -> None:
        """Create the registry.

        Args:
            served: The networks; the first one is the default.
            open_analysis: Opens a network with the detector of a name.
            calibrations_of: Returns the calibrations of a network with the detector of a name.
            is_adaptive: Whether policies use the adaptive calibration of a collection, if it has one.
            impostors: Impostors that error rates are about in collections that do not choose.
        """
        self._is_adaptive = is_adaptive
        self._impostors = impostors
        self.default = served[0]
        self._served = {each.model: each for each in reversed(served)}  # the first of those of one model
        self._open_analysis = open_analysis
        self._calibrations_of = calibrations_of
        self._analyses: dict[tuple[str, str], Analysis] = {}
        self._calibrations: dict[tuple[str, str], Calibrations] = {}
        self._opening = threading.Lock()

    @property
    def all(self) -> list[ServedModel]:
        """The networks, the usual one first."""
        return [self.default, *(each for each in self._served.values() if each is not self.default)]

    @property
    def models(self) -> frozenset[str]:
        """The models of the networks."""
        return frozenset(self._served)

    def named(self, name: str | None) -> ServedModel:
        """Return the network of a model or pack, the default without a name.

        Raises RequestInvalid if it is not served.
        """
        if name is None:
            return self.default
        for each in self.all:
            if name in {each.model, each.pack}:
                return each
        there = ", ".join(f"{each.model} (pack {each.pack})" for each in self.all)
        detail = f"the network {name!r} is not served; known: {there}; ARCID_PACKS adds packs"
        raise RequestInvalid.at("model", detail)

    def of(self, collection: Collection) -> ServedModel:
        """Return a collection's network, the usual one where that is not served."""
        return self._served.get(collection.model, self.default)

    def detector_of(self, collection: Collection) -> str:
        """Return the name of what finds faces for a collection."""
        return collection.settings.detector or self.of(collection).detector

    def analysis(self, network: ServedModel, detector: str | None = None) -> Analysis:
        """Return what analyses photos by a network.

        Raises NetworkError's children if a network cannot be opened, and SettingsInvalid if the detector is not one.
        """
        detector = detector or network.detector
        known = self._analyses.get((network.model, detector))
        if known is not None:
            return known
        with self._opening:  # one at a time: who waits for the same network finds it then
            known = self._analyses.get((network.model, detector))
            if known is None:
                known = self._analyses[network.model, detector] = self._open_analysis(network, detector)
            return known

    def analysis_of(self, collection: Collection) -> Analysis:
        """See `AnalysisOf`."""
        return self.analysis(self.of(collection), collection.settings.detector)

    def calibrations(self, network: ServedModel, detector: str | None = None) -> Calibrations:
        """Return the calibrations of a network with a detector."""
        detector = detector or network.detector
        known = self._calibrations.get((network.model, detector))
        if known is None:
            known = self._calibrations[network.model, detector] = self._calibrations_of(network, detector)
        return known

    def impostors_of(self, collection: Collection) -> Impostors:
        """Return the impostors that a collection's error rates are about."""
        return collection.settings.impostors or self._impostors

    def policy_of(self, collection: Collection) -> Policy:
        """See `PolicyOf`; raises CalibrationInvalid for a damaged file."""
        return self._policy(collection, is_adaptive=self._is_adaptive)

    def fitted_policy_of(self, collection: Collection) -> Policy:
        """Return the policy of a collection before adaptation; raises CalibrationInvalid for a damaged file."""
        return self._policy(collection, is_adaptive=False)

    def _policy(self, collection: Collection, *, is_adaptive: bool) -> Policy:
        settings, base = collection.settings, self.base_calibration(collection)
        of_gallery, of_probes = self._curves(collection, base, is_adaptive=is_adaptive)
        return Policy(
            of_gallery,
            self.of(collection).threshold,
            probe_quality=settings.probe_quality,
            max_fmr=settings.max_fmr,
            max_fpir=settings.max_fpir,
            threshold=settings.threshold,
            probe_calibration=of_probes,
            scoring=scoring_of(base),
        )

    def _curves(
        self, collection: Collection, base: Calibration | None, *, is_adaptive: bool
    ) -> tuple[RateCurve | None, RateCurve | None]:
        """Return the curves of a collection: for pairs of its gallery, and for probes against its gallery."""
        if base is None:
            return None, None
        every = curves(collection, base, is_on=is_adaptive)
        if self.impostors_of(collection) is Impostors.ANY:
            return every
        return SimilarImpostorCurve(every[0]), SimilarImpostorCurve(every[1])

    def base_calibration(self, collection: Collection) -> Calibration | None:
        """Return the fitted calibration of a collection, before adaptation.

        Raises CalibrationInvalid if its file is not valid.
        """
        settings = collection.settings
        of_network = self.calibrations(self.of(collection), settings.detector)
        return of_network.of(collection.name, is_flip_averaged=settings.is_flip_averaged)

    def require_detector(self, network: ServedModel, detector: str) -> None:
        """Open a detector for a network. Raises RequestInvalid if it is not available."""
        try:
            self.analysis(network, detector)
        except ArcidError as error:
            detail = (
                f"the detector {detector!r} is not available here; name a pulled pack with a detector (`arcid models "
                "list`), or finder+landmarker of two single-shot ones"
            )
            raise RequestInvalid.at("detector", detail) from error
