"""The evaluation's pipeline by the settings, and the configuration that its report records."""

from typing import Any

from app import __version__
from app.config import Settings
from app.evaluation.degradation import degrade
from app.evaluation.ijb_faces import EmbedCrops
from app.evaluation.liveness.photo_scoring import LivenessPipeline, LivenessScoring
from app.evaluation.pipeline import CropEmbedding, FrameEmbedding, PhotoEmbedding, Pipeline
from app.evaluation.video.simulation import VERSION as SIMULATION_VERSION
from app.recognition.decisions.calibration.error_rates import Calibration, scoring_of
from app.types import Floats, Pixels
from app.vision.imaging.decode import Limits
from app.vision.inference.packs import Packs
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import embedder_of, open_embedder, signs_sha256s
from app.wiring.storage import open_packs

_PNG_BYTES = 4  # a PNG has fewer for each pixel, whatever it shows


def open_pipeline(settings: Settings, *, is_aligned: bool, is_degraded: bool = False) -> Pipeline:
    """Open the networks; with `is_aligned` a photo is the 112x112 crop and nothing is detected.

    With `is_degraded` each photo is made worse before. Raises NetworkError's children and SettingsInvalid.
    """
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    packs = open_packs(settings)
    models = ModelLoader(_roomy(settings) if is_degraded else settings, packs)
    is_flip_averaged = settings.inference.flip
    calibration = models.calibrations(models.served[0]).shipped(is_flip_averaged=is_flip_averaged)
    typical_norm = calibration.typical_norm if calibration else None
    setup = _setup(settings, packs, models, calibration) | {"aligned": is_aligned, "degraded": is_degraded}
    enroll: CropEmbedding | PhotoEmbedding
    if is_aligned:
        embedder = open_embedder(packs, packs.manifest(settings.pack), models.runtime)
        enroll = CropEmbedding(embedder, limits, is_flip_averaged, typical_norm, models.signs)
    else:
        setup |= {"detector": models.served[0].detector, "detection": settings.detection.model_dump()}
        setup["sha256"] |= detector_sha256s(packs, models.served[0].detector)
        enroll = PhotoEmbedding(models.default_analysis(), is_flip_averaged, typical_norm)
    if is_degraded:
        return Pipeline(lambda data: enroll(degrade(data, limits, is_size_kept=is_aligned)), setup, calibration)
    return Pipeline(enroll, setup, calibration)


def open_video_pipelines(settings: Settings) -> tuple[Pipeline, Pipeline]:
    """Open the networks for photos, which are enrolled, and for the frames of a camera.

    Raises NetworkError's children and SettingsInvalid.
    """
    packs = open_packs(settings)
    models = ModelLoader(settings, packs)
    is_flip_averaged, network = settings.inference.flip, models.served[0]
    calibration = models.calibrations(network).shipped(is_flip_averaged=is_flip_averaged)
    typical_norm = calibration.typical_norm if calibration else None
    analysis = models.default_analysis()
    setup = _setup(settings, packs, models, calibration)
    setup |= {"detector": network.detector, "detection": settings.detection.model_dump()}
    setup["sha256"] |= detector_sha256s(packs, network.detector)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    return (
        Pipeline(
            PhotoEmbedding(analysis, is_flip_averaged, typical_norm),
            setup | {"aligned": False, "degraded": False},
            calibration,
        ),
        Pipeline(
            FrameEmbedding(analysis, limits, is_flip_averaged, typical_norm),
            setup | {"effort": settings.effort.value, "frames": SIMULATION_VERSION},
            calibration,
        ),
    )


def open_crop_embedding(settings: Settings) -> tuple[EmbedCrops, dict[str, Any]]:
    """Return a function that embeds crops as the service scores them, and its configuration.

    Raises NetworkError's children and SettingsInvalid.
    """
    packs = open_packs(settings)
    models = ModelLoader(settings, packs)
    is_flip_averaged = settings.inference.flip
    calibration = models.calibrations(models.served[0]).shipped(is_flip_averaged=is_flip_averaged)
    scoring = scoring_of(calibration)
    embedder = open_embedder(packs, packs.manifest(settings.pack), models.runtime)

    def embed(crops: Pixels) -> tuple[Floats, Floats]:
        embeddings = embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        return scoring.vectors(embeddings.vectors, embeddings.norms), embeddings.norms

    return embed, _setup(settings, packs, models, calibration)


def open_liveness_pipeline(settings: Settings, models: ModelLoader, detector: str | None = None) -> LivenessPipeline:
    """Open the detectors of faces and of presentation attacks.

    Raises NetworkError's children, also if a network against presentation attacks is missing, and SettingsInvalid.
    """
    models.liveness.require_files()
    network = models.served[0]
    analysis = models.analysis(network, detector or network.detector)
    setup = {
        "liveness_pack": models.liveness.manifest.name,
        "liveness": models.liveness.fingerprint,
        "detector": detector or network.detector,
        "effort": settings.effort.value,
        "detection": settings.detection.model_dump(),
        "limits": {"photo_bytes": settings.limits.photo_bytes, "photo_pixels": settings.limits.photo_pixels},
        "version": __version__,
        "sha256": {**models.liveness.sha256s, **detector_sha256s(open_packs(settings), detector or network.detector)},
    }
    return LivenessPipeline(LivenessScoring(analysis), setup)


def detector_sha256s(packs: Packs, detector: str) -> dict[str, str | None]:
    """Return the SHA-256s of a detector's files by their names."""
    manifests = [packs.manifest(name) for name in detector.split("+")]
    files = [(manifest, file) for manifest in manifests if manifest.detector for file in manifest.detector.files]
    return {file: packs.sha256(manifest, file) for manifest, file in files}


def _setup(settings: Settings, packs: Packs, models: ModelLoader, calibration: Calibration | None) -> dict[str, Any]:
    """Return everything that shapes an embedding or its quality, except detection."""
    pack = packs.manifest(settings.pack)
    section = embedder_of(pack)
    return {
        "pack": pack.name,
        "model": section.model,
        "detector": None,
        "flip": settings.inference.flip,
        "typical_norm": calibration.typical_norm if calibration else None,
        "centred": calibration is not None and calibration.mean is not None,
        "provider": models.runtime.provider.value,
        "version": __version__,
        "sha256": {section.file: packs.sha256(pack, section.file), **signs_sha256s()},
        "limits": {"photo_bytes": settings.limits.photo_bytes, "photo_pixels": settings.limits.photo_pixels},
        "preprocessing": {"mean": section.mean, "scale": section.scale, "color": section.color},
    }


def _roomy(settings: Settings) -> Settings:
    """Return settings that accept, as a PNG, every photo that was accepted as it came."""
    most = max(settings.limits.photo_bytes, settings.limits.photo_pixels * _PNG_BYTES)
    return settings.model_copy(update={"limits": settings.limits.model_copy(update={"photo_bytes": most})})
