"""Error rates in answers, the ranges in which the true rates lie, and the people on whom they were measured."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AliasPath, BaseModel, ConfigDict, Field, WithJsonSchema

from app.recognition.decisions.reference_population import ReferencePopulation
from app.recognition.decisions.stated_rates import LEAST_STATED
from app.types import Impostors, RateRange

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


class AdaptedToSchema(BaseModel):
    """The collection's own people, to whom the calibration was adapted."""

    model_config = ConfigDict(from_attributes=True)

    version: Annotated[int, Field(description="1, 2, 3 ... in each collection.")]
    people: Annotated[int, Field(description="Number of people of the collection that were compared.")]
    at: Annotated[datetime, Field(description="Time of the version.")]


class ReferencePopulationSchema(BaseModel):
    """The people on whom the error rates were measured: the rates hold for people and cameras like these."""

    model_config = ConfigDict(from_attributes=True)

    source: Annotated[str, Field(description="Origin of the photos.")]
    people: Annotated[int, Field(description="Number of people whose photos were compared.")]
    adapted: Annotated[AdaptedToSchema | None, Field(description="Null: not adapted to the collection's own people.")]
    impostors: Annotated[
        Impostors, Field(description="Impostors that the rates are about; `similar`: of the same sex and origin.")
    ]


CalibrationField = Annotated[
    ReferencePopulationSchema | None,
    Field(description="Origin of the error rates; null if the network has no calibration."),
]
CALIBRATION_EXAMPLE: Final = {
    "source": "LFW, press photos of public figures",
    "people": 2835,
    "adapted": {"version": 3, "people": 412, "at": "2026-11-29T03:00:00Z"},
    "impostors": "any",
}


def population_of(population: ReferencePopulation | None) -> ReferencePopulationSchema | None:
    """Return the schema of the people behind the error rates of an answer."""
    return None if population is None else ReferencePopulationSchema.model_validate(population)
