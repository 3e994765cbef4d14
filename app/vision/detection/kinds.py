"""The kinds of detectors that a manifest may name. A new detector is its module, its test and a row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.vision.detection import mtcnn, retinaface, yunet
from app.vision.detection.detections import Detector, Network
from app.vision.detection.mtcnn import Mtcnn
from app.vision.detection.retinaface import RetinaFace
from app.vision.detection.scrfd import Scrfd
from app.vision.detection.yunet import Yunet
from app.vision.inference.session import Session

Outputs = tuple[str, ...] | None
"""The names of a network's outputs in the order in which they are read; None for all, as published."""


@dataclass(frozen=True, slots=True)
class SingleShotKind:
    """One network that finds faces in views. It is used alone or as either half of a cascade."""

    open: Callable[[Session], Network]
    outputs: Outputs = None


@dataclass(frozen=True, slots=True)
class WholePhotoKind:
    """A detector of several networks, one for each entry of `outputs`. It takes whole photos and no cascade."""

    open: Callable[..., Detector]
    outputs: tuple[Outputs, ...]


DETECTOR_KINDS: Mapping[str, SingleShotKind | WholePhotoKind] = {
    "yunet": SingleShotKind(Yunet, yunet.OUTPUTS),
    "retinaface": SingleShotKind(RetinaFace, retinaface.OUTPUTS),
    "scrfd": SingleShotKind(Scrfd),
    "mtcnn": WholePhotoKind(Mtcnn, (mtcnn.PNET_OUTPUTS, mtcnn.RNET_OUTPUTS, mtcnn.ONET_OUTPUTS)),
}
