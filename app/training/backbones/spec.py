"""Specification of a backbone."""

import re
from dataclasses import dataclass, field
from typing import Any

from app.errors import TrainingInvalid
from app.training.external import is_external
from app.training.near_names import one_of, unknown_name

TIMM = "timm:"
IRESNETS = ("iresnet18", "iresnet34", "iresnet50", "iresnet100")
NAMES = (*IRESNETS, "mobilefacenet", "sphere20")
OUTPUTS = ("A", "B", "C", "D", "E")
STEMS = ("3x3", "7x7")
UNITS = ("ir", "plain")
_TIMM_NAME = re.compile(r"timm:[\w.-]+")
_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Name and options of a backbone.

    Args:
        name: One of NAMES, timm:NAME for a network of the package timm, or package.module:Class.
        dimension: Length of the embedding.
        width: Multiplies all inner channel counts, rounded to a multiple of 8; 1 is the published width. Not for timm
            and other packages.
        output: A to E, see app/training/backbones/output.py; for IResNet and timm.
        has_se: Squeeze-and-excitation; for IResNet.
        stem: First layer of IResNet: 3x3 with stride 1 (the L of the ArcFace paper's LResNet), or 7x7 with stride 2.
        unit: Residual unit of IResNet: improved ("ir") or plain.
        dropout: Before the last layer; for output E of IResNet and timm.
        options: Further arguments of a network of timm or of another package.

    Raises TrainingInvalid if an option is invalid.
    """

    name: str = "iresnet18"
    dimension: int = 512
    width: float = 1.0
    output: str = "E"
    has_se: bool = False
    stem: str = "3x3"
    unit: str = "ir"
    dropout: float = 0.4
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_iresnet, is_foreign = self.name in IRESNETS, self.is_timm or is_external(self.name)
        is_changed = self.has_se or self.stem != "3x3" or self.unit != "ir"
        if self.name not in NAMES and not is_foreign:
            advice = one_of(NAMES, ", timm:NAME or package.module:Class")
            raise TrainingInvalid(unknown_name("backbone", self.name, NAMES, otherwise=advice))
        wrong = {
            "dimension must be 2 to 4096": not 2 <= self.dimension <= 4096,
            "width must be above 0, at most 4": not 0 < self.width <= 4,
            f"output must be one of {', '.join(OUTPUTS)}": self.output not in OUTPUTS,
            f"stem must be one of {', '.join(STEMS)}": self.stem not in STEMS,
            f"unit must be one of {', '.join(UNITS)}": self.unit not in UNITS,
            "dropout must be at least 0, below 1": not 0 <= self.dropout < 1,
            "only IResNet has squeeze-and-excitation, a stem and a unit": is_changed and not is_iresnet,
            "only IResNet and networks of timm have several outputs": self.output != "E"
            and not (is_iresnet or self.is_timm),
            "a network of another package has no width; set backbone.options": is_foreign and self.width != 1,
            "only a network of another package has options": bool(self.options) and not is_foreign,
        }
        for rule, is_wrong in wrong.items():
            if is_wrong:
                raise TrainingInvalid(f"backbone {self.name}: {rule}")

    @property
    def is_timm(self) -> bool:
        """Return whether this is a network of timm."""
        return _TIMM_NAME.fullmatch(self.name) is not None

    def channels(self, published: int) -> int:
        """Return a published channel count scaled to this width."""
        return max(_MULTIPLE, round(published * self.width / _MULTIPLE) * _MULTIPLE)
