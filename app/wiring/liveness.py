"""The detector of presentation attacks of ARCID_LIVENESS__PACK, opened when it is first needed."""

import hashlib
import json
import threading
from functools import cached_property

from app.errors import ManifestInvalid, SettingsInvalid
from app.observability.logs import get_logger
from app.recognition.liveness.thresholds import LivenessThresholds
from app.vision.inference.manifest import LivenessNetworkSection, LivenessSection, Manifest
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.liveness import PresentationAttackDetector
from app.vision.liveness.crops import CropKind
from app.vision.liveness.detector import FusedDetector, WeightedNetwork
from app.vision.liveness.networks import LivenessInput, LivenessNetwork

_log = get_logger(__name__)


class LivenessLoader:
    """Opens the detector of a pack once. Safe under concurrent calls."""

    def __init__(self, packs: Packs, pack: str) -> None:
        self._packs = packs
        self._pack = pack
        self._opening = threading.Lock()
        self._detector: PresentationAttackDetector | None = None

    @cached_property
    def manifest(self) -> Manifest:
        """The pack's manifest; raises PackUnknown, and SettingsInvalid if it is not against presentation attacks."""
        manifest = self._packs.manifest(self._pack)
        liveness_of(manifest)
        return manifest

    @property
    def section(self) -> LivenessSection:
        """The pack's section, with its default thresholds; raises as `manifest`."""
        return liveness_of(self.manifest)

    @cached_property
    def sha256s(self) -> dict[str, str]:
        """The SHA-256 of the source of each network, by its file; conversion does not change it."""
        return {each.file: self._packs.source_sha256(self.manifest, each.file) for each in self.section.networks}

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of all that shapes a score: the networks, their crops and weights."""
        described = [
            self.sha256s,
            self.section.model_dump(exclude={"attack_below", "live_from"}, exclude_defaults=True),
        ]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def thresholds(self) -> LivenessThresholds:
        """Return the thresholds without a calibration; raises as `manifest`."""
        return LivenessThresholds(self.section.live_from, self.section.attack_below)

    def require_files(self) -> None:
        """Check the files of the pack; raises NetworkMissing (with the command that pulls it) and NetworkCorrupt."""
        for each in self.section.networks:
            self._packs.verified(self.manifest, each.file)

    @property
    def is_open(self) -> bool:
        """Whether a request has needed the detector."""
        return self._detector is not None

    def open(self) -> PresentationAttackDetector:
        """Return the detector. The first call opens it; raises NetworkError's children and SettingsInvalid."""
        with self._opening:
            if self._detector is None:
                self._detector = open_liveness(self._packs, self.manifest)
                _log.info("liveness.opened", pack=self._pack)
            return self._detector


def liveness_of(manifest: Manifest) -> LivenessSection:
    """Return the manifest's section. Raises SettingsInvalid for a pack that is not against presentation attacks."""
    if manifest.liveness is None:
        raise SettingsInvalid(f"pack {manifest.name!r} does not detect presentation attacks; set ARCID_LIVENESS__PACK")
    return manifest.liveness


def open_liveness(packs: Packs, manifest: Manifest) -> PresentationAttackDetector:
    """Open the detector of a pack; raises as `open_networks`."""
    section = liveness_of(manifest)
    networks = open_networks(packs, manifest)
    return FusedDetector(networks, bias=section.bias, pattern_weight=section.pattern_weight)


def open_networks(packs: Packs, manifest: Manifest) -> list[WeightedNetwork]:
    """Open the networks of a pack on the CPU: they are too small to gain from a GPU or from threads.

    Raises NetworkMissing, NetworkCorrupt, NetworkInvalid, ManifestInvalid, SettingsInvalid.
    """
    networks = liveness_of(manifest).networks
    return [WeightedNetwork(_network(packs.read(manifest, each.file), each), each.weight) for each in networks]


def require_form(section: LivenessNetworkSection, session: Session) -> None:
    """Raise ManifestInvalid unless a network takes the input and has the class of its section."""
    side = section.input_size
    if session.fixed_size not in {None, (side, side)}:
        raise ManifestInvalid(f"{section.file} takes {session.fixed_size}, the manifest has {side}")
    (shape, *_) = session.output_shapes.values()
    if len(shape) != 2 or (shape[1] is not None and shape[1] <= max(section.live_class, 1)):
        raise ManifestInvalid(f"{section.file} must give logits (n, classes) with the class {section.live_class}")


def _network(network: bytes, section: LivenessNetworkSection) -> LivenessNetwork:
    session = Session(network, Runtime(), name=section.file)
    require_form(section, session)
    is_bgr = section.color == "bgr"
    return LivenessNetwork(
        session,
        LivenessInput(
            CropKind(section.crop), section.crop_scale, section.input_size, is_bgr, section.divisor, section.live_class
        ),
    )
