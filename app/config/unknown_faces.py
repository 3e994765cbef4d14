"""Settings of unknown faces that collections keep."""

from typing import Annotated

from pydantic import Field

from app.config.groups import Group


class UnknownFaceSettings(Group):
    """Unknown faces; see docs/unnamed-people.md."""

    most_days: Annotated[
        int, Field(ge=0, le=3650, description="Maximum of remember_unknown_days of a collection; 0: none keeps any.")
    ] = 30
    most_faces: Annotated[
        int, Field(ge=1, le=1_000_000, description="Maximum unknown faces of a collection; more are not kept.")
    ] = 50_000
    group_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="Interval at which new unknown faces are grouped, in seconds.")
    ] = 60
