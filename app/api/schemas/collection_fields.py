"""Field types of a collection's settings. Their names and limits are the API's contract."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.fields import WHOLE, StrictSchema
from app.types import Impostors, ReviewMode

RetentionDays = Annotated[
    int | None,
    Field(ge=1, le=36_500, description="Erase people this many days after their last photo; null: never."),
    WHOLE,
]
RememberUnknownDays = Annotated[
    int | None,
    Field(ge=1, le=3_650, description="Keep unknown faces this many days, encrypted; null: none are kept."),
    WHOLE,
]
ImpostorChoice = Annotated[
    Impostors | None,
    Field(
        description="Impostors that error rates are about: `any`, or `similar`, those of the same sex and origin; "
        "null: the service's setting."
    ),
]


class ReviewSettingsSchema(StrictSchema):
    """The settings of a collection's reviews."""

    review: Annotated[
        ReviewMode | None,
        Field(description="Verdicts that people review: `off`, `possible` ones, or also matches (`all_matches`)."),
    ] = None
    review_days: Annotated[
        int | None, Field(ge=1, le=3_650, description="An open review expires after this many days."), WHOLE
    ] = None
    reviewers: Annotated[
        int | None, Field(ge=1, le=2, description="How many different people have to agree on a review."), WHOLE
    ] = None
