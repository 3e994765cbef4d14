"""Specification of a loss; the defaults are those of the papers."""

import math
from dataclasses import dataclass, field
from typing import Any

from app.errors import TrainingInvalid
from app.training.external import is_external
from app.training.near_names import one_of, unknown_name

Interval = tuple[float, float]

_DEFAULTS: dict[str, dict[str, float | Interval]] = {
    "softmax": {},
    "l2-softmax": {"scale": 16.0},
    "w-norm": {},
    "normface": {"scale": 16.0},
    "sphereface": {"margin": 4.0, "scale": 64.0},
    "cosface": {"scale": 64.0, "margin": 0.35},
    "arcface": {"scale": 64.0, "margin": 0.5},
    "combined": {"scale": 64.0, "m1": 1.0, "m2": 0.3, "m3": 0.2},
    "adaface": {"scale": 64.0, "margin": 0.4, "concentration": 0.333, "norm_momentum": 0.01},
    "magface": {"scale": 64.0, "norms": (10.0, 110.0), "margins": (0.45, 0.8), "weight": 35.0},
    "center": {"weight": 0.003, "center_rate": 0.5},
    "contrastive": {"margin": 1.0, "weight": 1.0},
    "triplet": {"margin": 0.2},
}
_PARAMETERS = tuple(dict.fromkeys(name for defaults in _DEFAULTS.values() for name in defaults))
_COSINE_LOSSES = ("w-norm", "normface", "sphereface", "cosface", "arcface", "combined", "adaface", "magface")
_MARGINS = {  # the smallest and the largest margin
    "cosface": (0.0, 1.0, "0 to 1"),
    "adaface": (0.0, 1.0, "0 to 1"),
    "arcface": (0.0, math.pi / 2, "0 to pi / 2"),
    "triplet": (1e-6, 4.0, "above 0, at most 4"),
    "contrastive": (1e-6, 2.0, "above 0, at most 2"),
}

NAMES = tuple(_DEFAULTS)


@dataclass(frozen=True, slots=True)
class LossSpec:
    """Name and parameters of a loss. A parameter that the loss has and that is None gets the default of the paper.

    Args:
        name: One of NAMES, or package.module:Class.
        scale: s of NormFace (16), of CosFace, ArcFace, the combined margin, AdaFace and MagFace (64), and of normalised
            SphereFace (64); alpha of the L2-constrained softmax (16).
        margin: m of SphereFace (4, an integer), CosFace (0.35), ArcFace (0.5 radians) and AdaFace (0.4); of the
            contrastive loss (1); alpha of Triplet (0.2).
        m1: Of the combined margin cos(m1 theta + m2) - m3 (1).
        m2: Of the combined margin (0.3).
        m3: Of the combined margin (0.2).
        concentration: h of AdaFace (0.333).
        norm_momentum: Share of a new batch in AdaFace's mean and deviation of the norms (0.01).
        norms: Bounds of MagFace's norms (10, 110).
        margins: MagFace's margins at these bounds (0.45, 0.8).
        weight: Weight of the center loss (0.003), of the contrastive loss (1) and of MagFace's regulariser (35).
        center_rate: Rate at which the centres of the center loss move (0.5).
        lambda_max: SphereFace's lambda is max(lambda_min, lambda_max / (1 + lambda_decay * iteration)).
        lambda_decay: See lambda_max.
        lambda_min: See lambda_max.
        is_feature_normalised: Whether SphereFace normalises the features.
        sub_centers: Sub-centres per class, for cosine losses.
        sample_rate: Share of the classes that is sampled in each step (Partial FC), for cosine losses.
        options: Further arguments of a class outside ArcID.

    Raises TrainingInvalid if a parameter is out of range or the loss does not have it.
    """

    name: str = "arcface"
    scale: float | None = None
    margin: float | None = None
    m1: float | None = None
    m2: float | None = None
    m3: float | None = None
    concentration: float | None = None
    norm_momentum: float | None = None
    norms: Interval | None = None
    margins: Interval | None = None
    weight: float | None = None
    center_rate: float | None = None
    lambda_max: float = 1000.0
    lambda_decay: float = 0.12
    lambda_min: float = 5.0
    is_feature_normalised: bool = False
    sub_centers: int = 1
    sample_rate: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in NAMES and not is_external(self.name):
            raise TrainingInvalid(
                unknown_name("loss", self.name, NAMES, otherwise=one_of(NAMES, " or package.module:Class"))
            )
        self._check_parameters()
        for name in self._parameters():
            if getattr(self, name) is None:
                object.__setattr__(self, name, _DEFAULTS[self.name][name])
        self._check_ranges()

    def number(self, name: str) -> float:
        """Return a parameter that the loss has."""
        value = getattr(self, name)
        if not isinstance(value, int | float):
            raise TypeError(f"the loss {self.name} has no number {name}")
        return value

    def interval(self, name: str) -> Interval:
        """Return a parameter with two bounds that the loss has."""
        low, high = getattr(self, name)
        return low, high

    def _parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters that the loss has."""
        keeps_norm = self.name == "sphereface" and not self.is_feature_normalised
        return tuple(name for name in _DEFAULTS.get(self.name, {}) if not (keeps_norm and name == "scale"))

    def _check_parameters(self) -> None:
        is_cosine_loss = self.name in _COSINE_LOSSES
        parameters = self._parameters()
        unused = {name: getattr(self, name) is not None and name not in parameters for name in _PARAMETERS} | {
            "is_feature_normalised": self.is_feature_normalised and self.name != "sphereface",
            "sub_centers": self.sub_centers != 1 and not is_cosine_loss,
            "sample_rate": self.sample_rate != 1 and not is_cosine_loss,
            "options": bool(self.options) and not is_external(self.name),
        }
        for parameter, is_unused in unused.items():
            if is_unused:
                raise TrainingInvalid(f"the loss {self.name} has no {parameter}")

    def _check_ranges(self) -> None:
        wrong = {
            "scale must be above 0": not _is_within(self.scale, above=0),
            "concentration must be above 0": not _is_within(self.concentration, above=0),
            "weight must be at least 0": not _is_within(self.weight, least=0),
            "norm_momentum must be above 0, at most 1": not _is_within(self.norm_momentum, above=0, most=1),
            "center_rate must be above 0, at most 1": not _is_within(self.center_rate, above=0, most=1),
            "lambda_min must be at least 0 and at most lambda_max": not 0
            <= self.lambda_min
            <= self.lambda_max
            < math.inf,
            "lambda_decay must be at least 0": not 0 <= self.lambda_decay < math.inf,
            "sub_centers must be at least 1": self.sub_centers < 1,
            "sample_rate must be above 0, at most 1": not 0 < self.sample_rate <= 1,
            **self._margin_rules(),
        }
        for rule, is_wrong in wrong.items():
            if is_wrong:
                raise TrainingInvalid(f"loss {self.name}: {rule}")

    def _margin_rules(self) -> dict[str, bool]:
        """Return the rules for this loss's margins, and whether each is broken."""
        if self.name in _MARGINS:
            least, most, rule = _MARGINS[self.name]
            return {f"margin must be {rule}": not _is_within(self.margin, least=least, most=most)}
        if self.name == "sphereface":
            margin = self.number("margin")
            return {"margin must be a positive integer": not (margin >= 1 and margin % 1 == 0)}
        if self.name == "combined":
            m1, m2, m3 = self.number("m1"), self.number("m2"), self.number("m3")
            return {
                "m1 must be at least 1, m2 at least 0, m1 * pi / 2 + m2 at most pi": not (
                    m1 >= 1 and m2 >= 0 and m1 * math.pi / 2 + m2 <= math.pi
                ),
                "m3 must be 0 to 1": not 0 <= m3 <= 1,
            }
        if self.name == "magface":
            (shortest, longest), (least, most) = self.interval("norms"), self.interval("margins")
            return {
                "norms must be two numbers above 0, the smaller one first": not 0 < shortest < longest < math.inf,
                "margins must be 0 to pi / 2, the smaller one first": not 0 <= least <= most <= math.pi / 2,
            }
        return {}


def _is_within(value: float | None, *, least: float = -math.inf, above: float = -math.inf, most: float = 1e9) -> bool:
    """Return whether a number is in a range; a parameter that the loss does not have (None) always is."""
    return value is None or (value >= least and above < value <= most)
