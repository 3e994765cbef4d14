"""Error rates in answers, and the ranges in which the true rates lie."""

from typing import Annotated, Any

from pydantic import AliasPath, Field, WithJsonSchema

from app.recognition.decisions.stated_rates import LEAST_STATED
from app.types import RateRange

RangeSchema = Annotated[
    RateRange, WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2})
]
_BOUND = f" {LEAST_STATED:g} stands for this rate or a smaller one."
FMR = f"Share of other people at least as similar; null if the network has no calibration.{_BOUND}"
FPIR = f"Chance that a stranger is as similar to anyone in a gallery of this size.{_BOUND}"
RANGE = "The true `{}` lies between these two numbers (95 %). If the first is 0, only the second is known."

Fmr = Annotated[float | None, Field(description=FMR)]
FmrRange = Annotated[RangeSchema | None, Field(description=RANGE.format("fmr"))]
Fpir = Annotated[float | None, Field(description=FPIR)]
FpirRange = Annotated[RangeSchema | None, Field(description=RANGE.format("fpir"))]


def rate_of(name: str, description: str) -> Any:
    """Return the field of the number of a `StatedRate`, which is the attribute `name`."""
    return Field(description=description, validation_alias=AliasPath(name, "value"))


def range_of(name: str) -> Any:
    """Return the field of the range of a `StatedRate`, which is the attribute `name`."""
    return Field(description=RANGE.format(name), validation_alias=AliasPath(name, "range"))
