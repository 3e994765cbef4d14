"""Settings in, open networks out: the detector, alone or as a cascade, and the embedder."""

from collections.abc import Mapping

from app.config import Settings
from app.detection import mtcnn, retinaface, yunet
from app.detection.bounded import Bounded
from app.detection.cascade import Cascade
from app.detection.found import Detector, Network
from app.detection.scrfd import Scrfd
from app.detection.single_shot import Options, SingleShotDetector
from app.detection.turned import Turned
from app.embedding import Embedder, Preprocessing
from app.errors import ManifestInvalid, SettingsInvalid
from app.inference.batcher import Batching
from app.inference.manifest import EmbedderSection, Manifest
from app.inference.packs import Packs
from app.inference.runtime import Runtime
from app.inference.session import Session


def embedder_of(pack: Manifest) -> EmbedderSection:
    """Return what the manifest says of the pack's embedder; raises SettingsInvalid for a pack without one."""
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
    """Open the detector `name`: one pack, or finder+landmarker for a cascade.

    Raises SettingsInvalid for a combination that does not exist, NetworkMissing, NetworkCorrupt, NetworkInvalid.
    """
    side = settings.detection.longest_side
    options = Options(settings.detection.lowest_score, side)
    parts = [packs.manifest(part) for part in name.split("+")]
    if len(parts) == 1 and _kind(parts[0]) == "mtcnn":
        network = _open_mtcnn(packs, parts[0], runtime)
        return Turned(Bounded(network, side), network, side)
    if len(parts) > 2 or "mtcnn" in map(_kind, parts):
        raise SettingsInvalid(f"ARCID_DETECTOR={name}: a cascade is one single-shot detector + another")
    networks = [_open_network(packs, part, runtime) for part in parts]
    detectors = [SingleShotDetector(network, _sized(options, network)) for network in networks]
    if len(parts) == 1:
        return Turned(detectors[0], detectors[0], side)
    cascade = Cascade(detectors[0], networks[1], detectors[1], most=settings.limits.faces)
    return Turned(cascade, detectors[0], side)


def open_embedder(packs: Packs, pack: Manifest, runtime: Runtime, batching: Batching | None = None) -> Embedder:
    """Open the embedder of a pack; raises ManifestInvalid when its output is not what the manifest says.

    With `batching`, concurrent calls share its runs; the caller closes it.
    """
    section = embedder_of(pack)
    session = Session(packs.read(pack, section.file), runtime, name=section.file)
    _require_dimension(section, session)
    preprocessing = Preprocessing(section.mean, section.scale, is_bgr=section.color == "bgr")
    return Embedder(session, preprocessing, batching)


def require_openable(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Raise NetworkInvalid or ManifestInvalid unless ONNX Runtime opens all networks of a pack on the CPU."""
    opened = {file.name: Session(files[file.name], Runtime(), name=file.name) for file in manifest.files}
    if manifest.embedder is not None:
        _require_dimension(manifest.embedder, opened[manifest.embedder.file])


def _require_dimension(section: EmbedderSection, session: Session) -> None:
    (shape, *_) = session.output_shapes.values()
    if shape[-1] not in {None, section.dimension}:
        raise ManifestInvalid(f"{section.file} gives vectors of {shape[-1]}, the manifest says {section.dimension}")


def _kind(manifest: Manifest) -> str:
    if manifest.detector is None:
        raise SettingsInvalid(f"pack {manifest.name!r} has no detector")
    return manifest.detector.kind


def _open_network(packs: Packs, manifest: Manifest, runtime: Runtime) -> Network:
    kind, files = _kind(manifest), manifest.detector.files if manifest.detector else ()
    if kind == "yunet":
        return yunet.Yunet(_session(packs, manifest, files[0], runtime, yunet.OUTPUTS))
    if kind == "retinaface":
        return retinaface.RetinaFace(_session(packs, manifest, files[0], runtime, retinaface.OUTPUTS))
    return Scrfd(_session(packs, manifest, files[0], runtime))


def _open_mtcnn(packs: Packs, manifest: Manifest, runtime: Runtime) -> mtcnn.Mtcnn:
    pnet, rnet, onet = manifest.detector.files if manifest.detector else ("", "", "")
    return mtcnn.Mtcnn(
        _session(packs, manifest, pnet, runtime, mtcnn.PNET_OUTPUTS),
        _session(packs, manifest, rnet, runtime, mtcnn.RNET_OUTPUTS),
        _session(packs, manifest, onet, runtime, mtcnn.ONET_OUTPUTS),
    )


def _session(
    packs: Packs, manifest: Manifest, file: str, runtime: Runtime, outputs: tuple[str, ...] | None = None
) -> Session:
    return Session(packs.read(manifest, file), runtime, outputs, name=file)


def _sized(options: Options, network: Network) -> Options:
    """Take over the input size of a network that accepts no other."""
    shape = network.input_shape
    return Options(options.lowest_score, options.longest_side, input_shape=shape) if shape else options
