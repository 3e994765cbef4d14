"""Which networks the settings serve, and how each of them is opened."""

from functools import cache, cached_property

from app.config import Settings, shipped
from app.observability.logs import get_logger
from app.recognition.analysis import Analysis, Assessors, ProbeWork
from app.recognition.decisions.calibration.applicable import Calibrations, file_name
from app.recognition.decisions.calibration.error_rates import CalibrationOrigin
from app.recognition.model_registry import ModelRegistry, ServedModel
from app.types import Effort
from app.vision.attributes import NETWORK_ATTRIBUTES
from app.vision.detection.frames import DetectorSet
from app.vision.embedding import Embedder
from app.vision.imaging.decode import Limits
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.quality import SignNetworks
from app.wiring.batching import batching_of
from app.wiring.liveness import LivenessLoader
from app.wiring.networks import (
    AGE_GENDER_PACK,
    detector_of,
    embedder_of,
    open_detectors,
    open_embedder,
    open_runtime,
    open_signs,
)

_log = get_logger(__name__)


class ModelLoader:
    """Opens the networks of ARCID_PACK and ARCID_PACKS; collections that name the same detector share it.

    An analysis is opened by one thread at a time: see `ModelRegistry`.
    """

    def __init__(self, settings: Settings, packs: Packs, *, is_batched: bool = False) -> None:
        """With `is_batched`, concurrent requests share runs of an embedder, and the caller calls `close`."""
        self._settings = settings
        self._packs = packs
        self._is_batched = is_batched
        self.embedders: dict[str, Embedder] = {}
        """The embedders that are open, by model."""
        self._detectors = cache(self._open_detectors)
        self.liveness = LivenessLoader(packs, settings.liveness.pack)

    def close(self) -> None:
        """Stop batching."""
        for embedder in list(self.embedders.values()):
            embedder.close()

    @cached_property
    def runtime(self) -> Runtime:
        """How networks run on this machine; raises ProviderUnavailable."""
        return open_runtime(self._settings)

    @cached_property
    def signs(self) -> SignNetworks:
        """The networks that see coverings and motion blur; all analyses share them."""
        return open_signs()

    @cached_property
    def served(self) -> list[ServedModel]:
        """The networks of ARCID_PACK and ARCID_PACKS, in this order; raises PackUnknown, SettingsInvalid."""
        names = dict.fromkeys([self._settings.pack, *self._settings.packs])
        return [self._served_by(name) for name in names]

    @property
    def further_packs(self) -> list[str]:
        """The packs that the settings need besides those of recognition."""
        return [AGE_GENDER_PACK] if NETWORK_ATTRIBUTES.intersection(self._settings.attributes) else []

    @property
    def packs_in_use(self) -> frozenset[str]:
        """The packs whose networks run: to embed, for attributes, and for liveness once a request needed it."""
        liveness = [self.liveness.manifest.name] if self.liveness.is_open else []
        return frozenset([*(each.pack for each in self.served), *self.further_packs, *liveness])

    def require_files(self) -> None:
        """Check the files of all needed networks; raises NetworkMissing, NetworkCorrupt with the remedy."""
        for further in map(self._packs.manifest, self.further_packs):
            for each in further.files:
                self._packs.verified(further, each.name)
        for network in self.served:
            pack = self._packs.manifest(network.pack)
            self._packs.verified(pack, embedder_of(pack).file)
            for part in map(self._packs.manifest, network.detector.split("+")):
                for file in part.detector.files if part.detector else ():
                    self._packs.verified(part, file)

    def registry(self) -> ModelRegistry:
        """Return the registry of the served networks; it opens each when it is first needed."""
        return ModelRegistry(
            self.served,
            open_analysis=self.analysis,
            calibrations_of=self.calibrations,
            is_adaptive=self._settings.calibration.is_adaptive,
            impostors=self._settings.calibration.impostors,
        )

    def default_analysis(self) -> Analysis:
        """Open the networks of ARCID_PACK; raises NetworkError's children and SettingsInvalid."""
        return self.analysis(self.served[0], self.served[0].detector)

    def analysis(self, network: ServedModel, detector: str) -> Analysis:
        """Open a network with a detector; raises NetworkError's children and SettingsInvalid."""
        limits, detection, effort = self._settings.limits, self._settings.detection, self._settings.effort
        detectors = self._detectors(detector)
        analysis = Analysis(
            detectors.photos[Effort.ACCURATE],
            self._embedder(network),
            limits=Limits(limits.photo_bytes, limits.photo_pixels),
            detection_side=detection.longest_side,
            most_faces=limits.faces,
            model=network.model,
            assessors=Assessors(signs=self.signs, liveness=self.liveness.open),
            probes=ProbeWork(detectors.photos[effort], effort is Effort.ACCURATE, detectors.frames),
        )
        _log.info("networks.opened", pack=network.pack, detector=detector, provider=self.runtime.provider.value)
        return analysis

    def calibrations(self, network: ServedModel, detector: str | None = None) -> Calibrations:
        """Return the calibrations of a network with a detector.

        A pack that was added from a folder has its own calibrations. For other packs, ArcID contains them.
        """
        origin = self.origin(network, detector, is_flip_averaged=True)

        def name_for(is_flip_averaged: bool) -> str:  # noqa: FBT001 - the only parameter
            return file_name(
                network_sha256=origin.network_sha256, detector=origin.detector, is_flip_averaged=is_flip_averaged
            )

        added = self._packs.calibrations_of(self._packs.manifest(network.pack))
        folder = self._settings.data_dir / "calibrations"
        return Calibrations(added or shipped("models") / "calibrations", folder, name_for)

    def origin(
        self, network: ServedModel, detector: str | None = None, source: str = "", *, is_flip_averaged: bool
    ) -> CalibrationOrigin:
        """Return the origin of a calibration of a network with a detector, before anything is counted."""
        pack = self._packs.manifest(network.pack)
        section = embedder_of(pack)
        sha256 = self._packs.source_sha256(pack, section.file)
        return CalibrationOrigin(sha256, section.model, detector or network.detector, is_flip_averaged, 0, 0, 0, source)

    def _served_by(self, name: str) -> ServedModel:
        pack = self._packs.manifest(name)
        section = embedder_of(pack)
        return ServedModel(
            pack.name, section.model, section.dimension, detector_of(self._settings, pack), section.threshold
        )

    def _open_detectors(self, name: str) -> DetectorSet:
        return open_detectors(self._packs, name, self.runtime, self._settings)

    def _embedder(self, network: ServedModel) -> Embedder:
        if network.model not in self.embedders:
            batching = batching_of(self._settings, self.runtime) if self._is_batched else None
            pack = self._packs.manifest(network.pack)
            self.embedders[network.model] = open_embedder(self._packs, pack, self.runtime, batching)
        return self.embedders[network.model]
