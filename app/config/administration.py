"""The groups of settings for administration."""

from pathlib import Path
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


class EventSettings(BaseModel):
    """Events about people, cameras and jobs; see docs/sightings.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    is_enabled: Annotated[bool, Field(description="Record events, for destinations and open pages.")] = True
    keep_days: Annotated[
        float, Field(gt=0, le=366, description="Days to keep events with their images, also undelivered ones.")
    ] = 7


class BackupSettings(BaseModel):
    """Backups by jobs; see docs/operations.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[
        Path | None, Field(description="Folder of the backups that jobs write. Unset: `backups` in the data folder.")
    ] = None
    keep: Annotated[int, Field(ge=1, description="Number of backups to keep; a new one deletes the oldest.")] = 7


class ReviewSettings(BaseModel):
    """Reviews of matches; see docs/review.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open: Annotated[
        int,
        Field(
            gt=0, description="Maximum open reviews of a collection. Further matches open none until some are decided."
        ),
    ] = 1000
