"""Settings in, the networks that are served out: checked at once, opened when they are needed."""

from collections.abc import MutableMapping
from functools import cache

from app.config import Settings, shipped
from app.observability.logs import get_logger
from app.recognition.analysis import Analysis
from app.recognition.decisions.calibration.applicable import Calibrations, file_name
from app.recognition.decisions.calibration.error_rates import Origin
from app.recognition.model_registry import Served, Serving
from app.vision.detection.found import Detector
from app.vision.embedding import Embedder
from app.vision.imaging.decode import Limits
from app.vision.inference.batcher import Batching
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.wiring.networks import detector_of, embedder_of, open_detector, open_embedder

_log = get_logger(__name__)


def served_by(settings: Settings, packs: Packs) -> list[Served]:
    """Return the networks of ARCID_PACK and ARCID_PACKS, in this order; raises PackUnknown, SettingsInvalid."""
    served = []
    for name in dict.fromkeys([settings.pack, *settings.packs]):
        pack = packs.manifest(name)
        section = embedder_of(pack)
        detector = detector_of(settings, pack)
        served.append(Served(pack.name, section.model, section.dimension, detector, section.threshold))
    return served


def require_networks(packs: Packs, served: list[Served]) -> None:
    """Check the files of all networks that are served; raises NetworkMissing, NetworkCorrupt with the remedy."""
    for each in served:
        pack = packs.manifest(each.pack)
        packs.verified(pack, embedder_of(pack).file)
        for part in map(packs.manifest, each.detector.split("+")):
            for file in part.detector.files if part.detector else ():
                packs.verified(part, file)


def open_serving(
    settings: Settings,
    packs: Packs,
    runtime: Runtime,
    *,
    batching: Batching | None = None,
    embedders: MutableMapping[str, Embedder] | None = None,
) -> Serving:
    """Return the networks that are served, none of them open yet; detectors are shared by all who name the same.

    Embedders are noted in `embedders`, by model, once they are opened; with `batching`, the caller closes them.
    """
    served = served_by(settings, packs)
    opened = {} if embedders is None else embedders

    @cache  # called with the lock of Serving
    def detector(name: str) -> Detector:
        return open_detector(packs, name, runtime, settings)

    def embedder(network: Served) -> Embedder:
        if network.model not in opened:
            opened[network.model] = open_embedder(packs, packs.manifest(network.pack), runtime, batching)
        return opened[network.model]

    def analysis(network: Served, detector_name: str) -> Analysis:
        made = Analysis(
            detector(detector_name),
            embedder(network),
            limits=Limits(settings.limits.photo_bytes, settings.limits.photo_pixels),
            detection_side=settings.detection.longest_side,
            most_faces=settings.limits.faces,
            model=network.model,
        )
        _log.info("networks.opened", pack=network.pack, detector=detector_name, provider=runtime.provider.value)
        return made

    return Serving(
        served,
        open_analysis=analysis,
        calibrations_of=lambda network, name: open_calibrations(settings, packs, network, name),
    )


def open_calibrations(
    settings: Settings, packs: Packs, network: Served | None = None, detector: str | None = None
) -> Calibrations:
    """Return the calibrations of a network with a detector; without them, those of ARCID_PACK.

    An added pack brings its own, those of the others ship with ArcID.
    """
    origin = calibration_origin(settings, packs, network=network, detector=detector, is_flip_averaged=True)

    def name_for(is_flip_averaged: bool) -> str:  # noqa: FBT001 - all that it is for
        return file_name(
            network_sha256=origin.network_sha256, detector=origin.detector, is_flip_averaged=is_flip_averaged
        )

    added = packs.calibrations_of(packs.manifest(network.pack if network else settings.pack))
    return Calibrations(added or shipped("models") / "calibrations", settings.data_dir / "calibrations", name_for)


def calibration_origin(
    settings: Settings,
    packs: Packs,
    source: str = "",
    *,
    is_flip_averaged: bool,
    network: Served | None = None,
    detector: str | None = None,
) -> Origin:
    """Return what a calibration of a network (default: ARCID_PACK's) says of itself before anything is counted."""
    pack = packs.manifest(network.pack if network else settings.pack)
    section = embedder_of(pack)
    sha256 = packs.source_sha256(pack, section.file)
    detector = detector or detector_of(settings, pack)
    return Origin(sha256, section.model, detector, is_flip_averaged, 0, 0, 0, source)
