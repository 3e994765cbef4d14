"""Specification of a backbone."""

from dataclasses import dataclass

from app.errors import TrainingInvalid

NAMES = ("iresnet18", "iresnet34", "iresnet50", "iresnet100", "mobilefacenet")
OUTPUTS = ("A", "B", "C", "D", "E")
_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Name and options of a backbone.

    `dimension` is the length of the embedding. `width` multiplies all inner channel counts, rounded to a multiple of 8;
    1 is the published width. Only IResNet has `output` (A to E, see app/training/backbones/output.py), `has_se`
    (squeeze-and-excitation) and `dropout` (for output E). Raises TrainingInvalid if an option is invalid.
    """

    name: str = "iresnet18"
    dimension: int = 512
    width: float = 1.0
    output: str = "E"
    has_se: bool = False
    dropout: float = 0.4

    def __post_init__(self) -> None:
        wrong = {
            f"name must be one of {', '.join(NAMES)}": self.name not in NAMES,
            "dimension must be 2 to 4096": not 2 <= self.dimension <= 4096,
            "width must be above 0, at most 4": not 0 < self.width <= 4,
            f"output must be one of {', '.join(OUTPUTS)}": self.output not in OUTPUTS,
            "dropout must be at least 0, below 1": not 0 <= self.dropout < 1,
            "mobilefacenet has one output and no squeeze-and-excitation": self.name == "mobilefacenet"
            and (self.output != "E" or self.has_se),
        }
        for rule, is_wrong in wrong.items():
            if is_wrong:
                raise TrainingInvalid(f"backbone {self.name}: {rule}")

    def channels(self, published: int) -> int:
        """Return a published channel count scaled to this width."""
        return max(_MULTIPLE, round(published * self.width / _MULTIPLE) * _MULTIPLE)
