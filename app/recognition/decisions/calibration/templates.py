"""Comparisons of templates: the rate at which strangers reach a similarity to the mean of several faces. Pure.

A calibration counts single faces. A template is the mean of several faces, brought to length 1. Two effects raise its
similarity to strangers:

- The mean is shorter than its faces, because they differ. At length 1, the part that all people have in common is
  larger, which shifts all similarities. The shift is known from the median similarity of strangers.
- The differences between the photos cancel each other out, and those between people remain. They have fewer dimensions,
  so similarities spread further around the median. `Calibration.template_stretch` measures by how much.

So a similarity of templates is a line of that of single faces which as many strangers reach (docs/thresholds.md).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from app.recognition.decisions.calibration.error_rates import RateCurve, chance_among
from app.types import Floats

# Mean similarity of two faces of a person, over the people of LFW: 0.69 with both shipped networks.
_WITHIN_PERSON = 0.7
_LEAST_VARIATION = 1e-6  # divides
_LEAST_WEIGHT = 0.02  # as in templates (`matching`)


@dataclass(frozen=True, slots=True)
class TemplateComparisons:
    """Comparisons of a probe with templates: `count` of them, with templates of `faces` faces on average.

    `probes` is the number of faces in the probe's template.
    """

    count: float = 1
    faces: float = 1
    probes: float = 1

    def repeated(self, looks: float) -> "TemplateComparisons":
        """Return the comparisons of a search that is repeated: `looks` times as many."""
        return replace(self, count=self.count * looks)


def comparisons_among(identities: int, faces: int, probes: float = 1) -> TemplateComparisons:
    """Return the comparisons of a search among `identities` with `faces` in all, by a probe of `probes` faces.

    If the identities have different numbers of faces, strangers match slightly less often than counted.
    """
    return TemplateComparisons(identities, max(faces / max(identities, 1), 1), probes)


def independent_faces(vectors: Floats, qualities: Floats) -> float:
    """Return the number of photos of a person that vary as much as these faces: vectors (n, d), qualities (n,).

    It is the number of photos, taken on different days, whose mean is as long as the weighted mean of the faces: 1 for
    n copies of one face, and n for n photos. Frames of one scene are in between.
    """
    weights = qualities.astype(np.float64) + _LEAST_WEIGHT
    weights /= weights.sum()
    lengths = np.linalg.norm(vectors, axis=1)
    length = float(np.linalg.norm(weights @ (vectors / lengths[:, None])))
    most = 1 / float(np.square(weights).sum())
    return float(np.clip((1 - _WITHIN_PERSON) / max(length**2 - _WITHIN_PERSON, _LEAST_VARIATION), 1, most))


@dataclass(frozen=True, slots=True)
class TemplateScale:
    """Line between similarities of single faces and those of templates that as many strangers reach.

    `centre` is the median similarity of two strangers, `centre_of_templates` that of their templates.
    """

    centre: float
    centre_of_templates: float
    stretch: float

    @classmethod
    def of(cls, calibration: RateCurve, comparisons: TemplateComparisons) -> "TemplateScale":
        """Return the scale for templates of so many faces."""
        centre = calibration.centre
        lengths = mean_length(comparisons.faces) * mean_length(comparisons.probes)
        several = (1 - 1 / comparisons.faces) + (1 - 1 / comparisons.probes)
        shift = max(centre, 0) * (1 / lengths - 1)
        return cls(centre, centre + shift, 1 + calibration.template_stretch * several)

    def to_single(self, similarity: float) -> float:
        """Return the similarity of single faces for one of templates."""
        spread = (similarity - self.centre_of_templates) * (1 - 1 / self.stretch)
        return similarity - self._shift() - spread

    def to_templates(self, similarity: float) -> float:
        """Return the similarity (at most 1) of templates for one of single faces."""
        spread = (similarity - self.centre) * (self.stretch - 1)
        return min(similarity + self._shift() + spread, 1.0)

    def _shift(self) -> float:
        return self.centre_of_templates - self.centre


def stranger_rate(calibration: RateCurve, similarity: float, comparisons: TemplateComparisons) -> float:
    """Return the chance (0..1) that a stranger reaches a similarity in these comparisons.

    A single comparison of single faces has the rate of `calibration.fmr`.
    """
    single = TemplateScale.of(calibration, comparisons).to_single(similarity)
    return chance_among(calibration.fmr(single), comparisons.count)


def mean_length(faces: float) -> float:
    """Return the length of the mean of the unit vectors of so many faces of a person."""
    return math.sqrt(_WITHIN_PERSON + (1 - _WITHIN_PERSON) / faces)
