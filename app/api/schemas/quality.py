"""Quality of a face in answers."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app.vision.quality import Component, Reason

Hundredths = Annotated[float, AfterValidator(lambda value: round(value, 2))]


class QualitySchema(BaseModel):
    """Quality of a face. Imported faces and those of early versions have a score only: the other members are empty.

    `components` and `worst` are also empty if the request contains `components=false`.
    """

    model_config = ConfigDict(from_attributes=True)

    score: Annotated[float, Field(description="0 (useless) to 1.")]
    reasons: Annotated[list[Reason], Field(description="Flaws; may be empty at any score.", examples=[["blurred"]])]
    hints: Annotated[list[str], Field(description="Advice to the person for each reason.")] = []
    components: Annotated[
        dict[Component, Hundredths], Field(description="0 to 100 (good) of each component that could be measured.")
    ] = {}
    worst: Annotated[Component | None, Field(description="The component with the lowest value.")] = None

    @classmethod
    def of(cls, judged: object, *, has_components: bool) -> Self:
        """Return the schema of a judgement, with or without its components."""
        quality = cls.model_validate(judged)
        return quality if has_components else quality.model_copy(update={"components": {}, "worst": None})


def _of_score(stored: object) -> object:
    return QualitySchema(score=stored, reasons=[]) if isinstance(stored, float) else stored


StoredQuality = Annotated[QualitySchema, BeforeValidator(_of_score)]
"""Quality of an enrolled face, from its stored score."""
