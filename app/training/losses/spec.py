"""Specification of a loss; the defaults are those of the papers."""

import math
from dataclasses import dataclass

from app.errors import TrainingInvalid

_SCALES = {"normface": 16.0, "cosface": 64.0, "arcface": 64.0, "combined": 64.0, "sphereface": 64.0}
_MARGINS = {"sphereface": 4.0, "cosface": 0.35, "arcface": 0.5, "triplet": 0.2}
_COMBINED = (1.0, 0.3, 0.2)

NAMES = ("softmax", "normface", "sphereface", "cosface", "arcface", "combined", "triplet")


@dataclass(frozen=True, slots=True)
class LossSpec:
    """Name and parameters of a loss; None means the default of the paper.

    Args:
        name: One of NAMES.
        scale: s of NormFace (16), of CosFace, ArcFace and the combined margin (64), and of normalised SphereFace (64).
        margin: m of SphereFace (4, an integer), CosFace (0.35) and ArcFace (0.5 radians); alpha of Triplet (0.2).
        m1: Of the combined margin cos(m1 theta + m2) - m3 (1).
        m2: Of the combined margin (0.3).
        m3: Of the combined margin (0.2).
        lambda_max: SphereFace's lambda is max(lambda_min, lambda_max / (1 + lambda_decay * iteration)).
        lambda_decay: See lambda_max.
        lambda_min: See lambda_max.
        is_feature_normalised: Whether SphereFace normalises the features.
        sub_centers: Sub-centres per class, for cosine losses.
        sample_rate: Share of the classes that is sampled in each step (Partial FC), for cosine losses.

    Raises TrainingInvalid if a parameter is out of range or the loss does not have it.
    """

    name: str
    scale: float | None = None
    margin: float | None = None
    m1: float | None = None
    m2: float | None = None
    m3: float | None = None
    lambda_max: float = 1000.0
    lambda_decay: float = 0.12
    lambda_min: float = 5.0
    is_feature_normalised: bool = False
    sub_centers: int = 1
    sample_rate: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise TrainingInvalid(f"unknown loss {self.name!r}; use one of {', '.join(NAMES)}")
        self._check_parameters()
        self._check_ranges()

    def scale_or_default(self) -> float:
        """Return s; 1 if the loss has no scale and keeps the norm of the features."""
        return (_SCALES[self.name] if self.scale is None else self.scale) if self._has_scale() else 1.0

    def margin_or_default(self) -> float:
        """Return m; 0 if the loss has no margin."""
        return _MARGINS.get(self.name, 0.0) if self.margin is None else self.margin

    def combined_or_default(self) -> tuple[float, float, float]:
        """Return m1, m2 and m3."""
        m1, m2, m3 = _COMBINED
        return (
            m1 if self.m1 is None else self.m1,
            m2 if self.m2 is None else self.m2,
            m3 if self.m3 is None else self.m3,
        )

    def _has_scale(self) -> bool:
        return self.name in _SCALES and (self.name != "sphereface" or self.is_feature_normalised)

    def _check_parameters(self) -> None:
        is_cosine_loss = self.name in _SCALES
        unused = {
            "scale": self.scale is not None and not self._has_scale(),
            "margin": self.margin is not None and self.name not in _MARGINS,
            "m1, m2, m3": self.name != "combined" and (self.m1, self.m2, self.m3) != (None, None, None),
            "is_feature_normalised": self.is_feature_normalised and self.name != "sphereface",
            "sub_centers": self.sub_centers != 1 and not is_cosine_loss,
            "sample_rate": self.sample_rate != 1 and not is_cosine_loss,
        }
        for parameter, is_unused in unused.items():
            if is_unused:
                raise TrainingInvalid(f"the loss {self.name} has no {parameter}")

    def _check_ranges(self) -> None:
        m1, m2, m3 = self.combined_or_default()
        margin = self.margin_or_default()
        wrong = {
            "scale must be above 0": not 0 < self.scale_or_default() < math.inf,
            "margin must be a positive integer": self.name == "sphereface" and not (margin >= 1 and margin % 1 == 0),
            "margin must be 0 to 1": self.name == "cosface" and not 0 <= margin <= 1,
            "margin must be 0 to pi / 2": self.name == "arcface" and not 0 <= margin <= math.pi / 2,
            "margin must be above 0, at most 4": self.name == "triplet" and not 0 < margin <= 4,
            "m1 must be at least 1, m2 at least 0, m1 * pi / 2 + m2 at most pi": not (
                m1 >= 1 and m2 >= 0 and m1 * math.pi / 2 + m2 <= math.pi
            ),
            "m3 must be 0 to 1": not 0 <= m3 <= 1,
            "lambda_min must be at least 0 and at most lambda_max": not 0
            <= self.lambda_min
            <= self.lambda_max
            < math.inf,
            "lambda_decay must be at least 0": not 0 <= self.lambda_decay < math.inf,
            "sub_centers must be at least 1": self.sub_centers < 1,
            "sample_rate must be above 0, at most 1": not 0 < self.sample_rate <= 1,
        }
        for rule, is_wrong in wrong.items():
            if is_wrong:
                raise TrainingInvalid(f"loss {self.name}: {rule}")
