"""Boxes and landmarks in answers: pixels of the upright photo, rounded to tenths."""

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema


def _numbers(count: int) -> WithJsonSchema:
    """Describe a tuple of numbers without `prefixItems`, which some generators of clients do not know."""
    return WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count})


def _tenths(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(each, 1) for each in values)


_TENTHS = AfterValidator(_tenths)
"""A detector is not exact to a tenth of a pixel."""
BoxSchema = Annotated[
    tuple[float, float, float, float],
    _TENTHS,
    _numbers(4),
    Field(description="Left, top, right, bottom in pixels of the upright photo."),
]
PointSchema = Annotated[tuple[float, float], _TENTHS, _numbers(2)]
