"""The groups of settings for administration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class StatisticsSettings(BaseModel):
    """Kept counts of requests, verdicts and quality; see docs/operations.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_days: Annotated[
        int, Field(ge=0, le=366, description="Days to keep the counts of GET /statistics; 0 counts nothing.")
    ] = 90
    write_seconds: Annotated[
        float, Field(gt=0, le=3600, description="Interval at which counts are written to the database, in seconds.")
    ] = 10
