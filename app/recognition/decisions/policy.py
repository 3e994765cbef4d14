"""Decision rules from a tolerated error rate or an explicit threshold. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.errors import CalibrationMissing
from app.gallery.store.values import Collection
from app.recognition.analysis import Face
from app.recognition.decisions.calibration.error_rates import RateCurve, rate_for_chance
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.recognition.decisions.scoring import AS_STORED, Scoring
from app.recognition.decisions.stated_rates import UNKNOWN, StatedRate, stated_rate
from app.types import Floats
from app.vision.quality import Quality, judge

DEFAULT_MAX_FMR = 1e-4
DEFAULT_MAX_FPIR = 0.01


class Outcome(StrEnum):
    """Verdict on a similarity under a rule."""

    MATCH = "match"
    POSSIBLE = "possible"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Rule:
    """Threshold rule. Similarities in [doubt_from, doubt_to) are `possible`: the threshold's 95 % interval."""

    threshold: float
    doubt_from: float
    doubt_to: float

    def has_doubt(self) -> bool:
        """Whether the rule comes from an error rate; an explicit threshold has no doubt range."""
        return self.doubt_from < self.doubt_to

    def outcome(self, similarity: float, *, is_doubtful: bool = False) -> Outcome:
        """Decide on one similarity; with another doubt, the result is at best possible."""
        if similarity >= self.doubt_to:
            return Outcome.POSSIBLE if is_doubtful and self.has_doubt() else Outcome.MATCH
        return Outcome.POSSIBLE if similarity >= self.doubt_from else Outcome.NO_MATCH


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of one collection: from its calibration, or from a fixed threshold without one.

    A probe below `probe_quality` (0..1) cannot match firmly. Parameters of the request take precedence, then the
    collection's `threshold`, `max_fmr` and `max_fpir`, then the service's defaults. `calibration` is for two enrolled
    faces and for two photos, `probe_calibration` for a probe against enrolled people (see `for_probes`).
    `scoring` makes the similarities.
    """

    calibration: RateCurve | None
    fallback: float
    probe_quality: float = 0
    max_fmr: float | None = None
    max_fpir: float | None = None
    threshold: float | None = None
    probe_calibration: RateCurve | None = None
    scoring: Scoring = AS_STORED

    def for_probes(self) -> "Policy":
        """Return the policy for probes against the gallery, which may come from other cameras than the gallery."""
        return self if self.probe_calibration is None else replace(self, calibration=self.probe_calibration)

    def for_verification(
        self, faces: float = 1, probes: float = 1, *, max_fmr: float | None = None, threshold: float | None = None
    ) -> Rule:
        """Return the rule for a template of `faces`: at most the share `max_fmr` of other people's probes matches it.

        `probes` is the number of faces in the probe's template. Raises CalibrationMissing when a rate is asked for and
        there is no calibration.
        """
        threshold, max_fmr = self._said(threshold, max_fmr, self.max_fmr)
        if threshold is not None:
            return _exact(threshold)
        return self._at(max_fmr, DEFAULT_MAX_FMR, TemplateComparisons(1, faces, probes))

    def for_identification(
        self,
        comparisons: TemplateComparisons,
        *,
        max_fpir: float | None = None,
        threshold: float | None = None,
        default: float = DEFAULT_MAX_FPIR,
    ) -> Rule:
        """Return the rule for a search of `comparisons`: at most the share `max_fpir` of strangers matches in it.

        `default` is that share if neither the caller nor the collection sets a rate or a threshold. Raises
        CalibrationMissing as above.
        """
        threshold, max_fpir = self._said(threshold, max_fpir, self.max_fpir)
        if threshold is not None:
            return _exact(threshold)
        return self._at(max_fpir, default, comparisons)

    def fmr(self, similarity: float, faces: float = 1, probes: float = 1) -> StatedRate:
        """Return the share of other people that reach a similarity to a template of `faces`.

        `probes` is the number of faces in the probe's template.
        """
        return self.fpir(similarity, TemplateComparisons(1, faces, probes))

    def fpir(self, similarity: float, comparisons: TemplateComparisons) -> StatedRate:
        """Return the chance that a stranger reaches a similarity in a search of `comparisons`."""
        return UNKNOWN if self.calibration is None else stated_rate(self.calibration, similarity, comparisons)

    def quality(self, face: Face) -> Quality:
        """Judge a face by the scale of the network in use."""
        return judge(face.measures, face.norm, self.calibration.typical_norm if self.calibration else None)

    def vector(self, face: Face) -> Floats:
        """Return the vector (d,) by which a face is compared."""
        return self.scoring.vector(face.vector, face.norm)

    def is_poor(self, *qualities: Quality) -> bool:
        """Return whether the quality of a face is too low for a firm match."""
        return any(each.score < self.probe_quality for each in qualities)

    def _said(
        self, threshold: float | None, rate: float | None, own_rate: float | None
    ) -> tuple[float | None, float | None]:
        """Return the threshold or rate of the request, or else of the collection; None for neither."""
        if threshold is not None or rate is not None:
            return threshold, rate
        return self.threshold, own_rate

    def _at(self, wanted: float | None, default: float, comparisons: TemplateComparisons) -> Rule:
        if self.calibration is None:
            if wanted is not None:
                raise CalibrationMissing(
                    "the network in use has no calibration, so no error rate can be promised; run arcid calibrate, "
                    "or send a threshold"
                )
            return _exact(self.fallback)
        rate = rate_for_chance(wanted if wanted is not None else default, comparisons.count)
        scale = TemplateScale.of(self.calibration, comparisons)
        singles = (self.calibration.threshold(rate), *self.calibration.doubt(rate))
        return Rule(*map(scale.to_templates, singles))


PolicyOf = Callable[[Collection], Policy]
"""The policy of a collection."""


def _exact(threshold: float) -> Rule:
    return Rule(threshold, threshold, threshold)
