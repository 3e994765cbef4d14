"""Sorting of photos into people, by the settings."""

from app.config import Settings
from app.errors import SettingsInvalid
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.calibration.applicable import file_name
from app.recognition.decisions.calibration.error_rates import scoring_of
from app.transfer.sorting.photo_sorting import PhotoSorting
from app.transfer.sorting.sorting_state import SortedFace
from app.vision.quality import judge
from app.wiring.batching import threads_of
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs


def open_sorting(settings: Settings, *, max_false: float, threshold: float | None = None) -> tuple[PhotoSorting, str]:
    """Open the networks of ARCID_PACK, and return a sorting with the name of what embeds.

    A threshold replaces the calibration. Raises NetworkError's children, and SettingsInvalid if the network has no
    calibration and there is no threshold.
    """
    models = ModelLoader(settings, open_packs(settings))
    network, is_flip_averaged = models.served[0], settings.inference.flip
    calibration = models.calibrations(network).shipped(is_flip_averaged=is_flip_averaged)
    if calibration is None and threshold is None:
        raise SettingsInvalid("no calibration ships for this network and detector; set a similarity with --threshold")
    typical_norm = calibration.typical_norm if calibration else None
    analysis = models.default_analysis()

    def find_faces(photo: bytes) -> tuple[SortedFace, ...]:
        return tuple(
            SortedFace(face.detection.box, face.vector, face.norm, judge(face.measures, face.norm, typical_norm).score)
            for face in analysis.analyse(photo, is_flip_averaged=is_flip_averaged)
        )

    rule = GroupingRule(calibration, max_false=max_false)
    if threshold is not None:
        rule = GroupingRule(None, threshold)
    scoring, most_bytes = scoring_of(calibration), settings.limits.photo_bytes
    sorting = PhotoSorting(find_faces, scoring, rule, threads=threads_of(settings), most_bytes=most_bytes)
    origin = models.origin(network, is_flip_averaged=is_flip_averaged)
    made_by = file_name(
        network_sha256=origin.network_sha256, detector=origin.detector, is_flip_averaged=is_flip_averaged
    )
    return sorting, made_by.removesuffix(".json")
