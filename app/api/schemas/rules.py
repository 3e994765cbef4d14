"""Schemas of rules for sightings."""

import re
from datetime import datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from app.api.schemas.cameras import CameraId
from app.api.schemas.fields import WHOLE, StrictSchema
from app.api.schemas.resources import Cursor
from app.names import CollectionName
from app.notify.rule_store import LONGEST_COOLDOWN
from app.notify.rules import QuietHours, RuleEvent, SightingRule
from app.notify.sighting import SightingVerdict

_MOST_NAMES = 100
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _clock_time(value: object) -> object:
    if isinstance(value, str) and not re.match(_CLOCK, value):
        raise ValueError("must be a time of day from 00:00 to 23:59, such as 22:00")
    return value


RuleId = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]
DestinationId = RuleId
ClockTime = Annotated[str, StringConstraints(pattern=_CLOCK), BeforeValidator(_clock_time), Field(examples=["22:00"])]
RuleName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
_COLLECTIONS = Field(min_length=1, max_length=_MOST_NAMES, description="Collections; null: all.")
_CAMERAS = Field(min_length=1, max_length=_MOST_NAMES, description="Ids of cameras; null: all.")
_VERDICTS = Field(min_length=1, max_length=len(SightingVerdict), description="Verdicts of sightings. Default: match.")
_LIVE = Field(description="Only sightings of faces that were found live.")
_COOLDOWN = Field(
    ge=0,
    le=int(LONGEST_COOLDOWN.total_seconds()),
    description="Least time between two events about one person on one camera, in seconds.",
)
_SEND_TO = Field(
    max_length=_MOST_NAMES, description="Ids of destinations; null: those that subscribe to the event; []: none."
)
_EVENT = Field(
    description="`watchlist.hit`: an additional event. `sighting`: where the sighting's own event is sent: if rules of "
    "this kind cover a camera and collection, only as they state."
)


class QuietHoursSchema(StrictSchema):
    """Hours of each day, by the clock of a time zone, in which a rule sends nothing; they may include midnight."""

    start: ClockTime
    end: Annotated[ClockTime, Field(description="First minute after the quiet hours.")]
    time_zone: Annotated[
        str, StringConstraints(min_length=1, max_length=64), Field(examples=["Europe/Berlin"], description="IANA name.")
    ]

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError) as error:
            raise ValueError(f"{value!r} is not a time zone; write one such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _some(self) -> "QuietHoursSchema":
        if self.start == self.end:
            raise ValueError("start and end are equal; disable the rule instead")
        return self

    def value(self) -> QuietHours:
        """Return the value."""
        return QuietHours(time.fromisoformat(self.start), time.fromisoformat(self.end), self.time_zone)

    @classmethod
    def of(cls, hours: QuietHours | None) -> "QuietHoursSchema | None":
        """Return the schema of quiet hours."""
        if hours is None:
            return None
        return cls(start=f"{hours.start:%H:%M}", end=f"{hours.end:%H:%M}", time_zone=hours.time_zone)


class RuleRequest(StrictSchema):
    """A new rule."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Banned", "collections": ["default"], "cooldown_seconds": 300}]}
    )

    name: RuleName
    event: Annotated[RuleEvent, _EVENT] = RuleEvent.WATCHLIST_HIT
    collections: Annotated[list[CollectionName] | None, _COLLECTIONS] = None
    cameras: Annotated[list[CameraId] | None, _CAMERAS] = None
    verdicts: Annotated[list[SightingVerdict], _VERDICTS, Field(default_factory=lambda: [SightingVerdict.MATCH])]
    is_live_required: Annotated[bool, _LIVE] = False
    quiet_hours: QuietHoursSchema | None = None
    cooldown_seconds: Annotated[int, _COOLDOWN, WHOLE] = 0
    send_to: Annotated[list[DestinationId] | None, _SEND_TO] = None
    is_enabled: bool = True

    def value(self) -> SightingRule:
        """Return the rule, still without an id."""
        now = datetime.now().astimezone()
        hours = None if self.quiet_hours is None else self.quiet_hours.value()
        values = {name: getattr(self, name) for name in type(self).model_fields} | {"quiet_hours": hours}
        return SightingRule(rule_id="", created_at=now, updated_at=now, **values)


class RuleChange(StrictSchema):
    """Changes of a rule; fields that are left out stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": False}], "minProperties": 1})

    name: Annotated[RuleName, Field(default_factory=str)]
    event: Annotated[RuleEvent, _EVENT, Field(default_factory=lambda: RuleEvent.WATCHLIST_HIT)]
    collections: Annotated[list[CollectionName] | None, _COLLECTIONS] = None
    cameras: Annotated[list[CameraId] | None, _CAMERAS] = None
    verdicts: Annotated[list[SightingVerdict], _VERDICTS, Field(default_factory=list)]
    is_live_required: Annotated[bool, _LIVE, Field(default_factory=bool)]
    quiet_hours: QuietHoursSchema | None = None
    cooldown_seconds: Annotated[int, _COOLDOWN, Field(default_factory=int), WHOLE]
    send_to: Annotated[list[DestinationId] | None, _SEND_TO] = None
    is_enabled: Annotated[bool, Field(default_factory=bool)]

    @model_validator(mode="after")
    def _something(self) -> "RuleChange":
        if not self.model_fields_set:
            raise ValueError("send at least one field to change")
        return self

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, as values."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        if self.quiet_hours is not None:
            sent["quiet_hours"] = self.quiet_hours.value()
        return sent


class SightingRuleSchema(BaseModel):
    """A rule."""

    rule_id: str
    name: str
    event: RuleEvent
    collections: Annotated[list[str] | None, Field(description="Null: all.")]
    cameras: Annotated[list[str] | None, Field(description="Null: all.")]
    verdicts: list[SightingVerdict]
    is_live_required: bool
    quiet_hours: QuietHoursSchema | None
    cooldown_seconds: int
    send_to: Annotated[list[str] | None, Field(description="Null: the destinations that subscribe to the event.")]
    is_enabled: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, rule: SightingRule) -> "SightingRuleSchema":
        """Return the schema of a rule."""
        values = {name: getattr(rule, name) for name in cls.model_fields}
        return cls(**values | {"quiet_hours": QuietHoursSchema.of(rule.quiet_hours)})


class RulesPage(BaseModel):
    """Rules, the oldest first."""

    rules: list[SightingRuleSchema]
    next_cursor: Cursor
