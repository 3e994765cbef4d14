"""Sightings of people, rules for them, and the events that they become."""

from datetime import timedelta
from functools import cached_property

from app.notify.event_log import EventLog
from app.notify.event_retention import EventRetention
from app.notify.rule_store import RuleStore
from app.notify.sighting_service import SightingService
from app.wiring.reviewing import Reviewing


class Sightings(Reviewing):
    """Resources of a process that records sightings."""

    @cached_property
    def rules(self) -> RuleStore:
        """The rules for sightings."""
        return RuleStore(self.current_database.engine)

    @cached_property
    def event_log(self) -> EventLog:
        """The stored events."""
        return EventLog(self.current_database.engine, self.current_database.vault)

    @cached_property
    def event_retention(self) -> EventRetention:
        """The end of events and of the cooldowns of rules."""
        return EventRetention(self.database.engine, keep=timedelta(days=self.settings.events.keep_days))

    @cached_property
    def sightings(self) -> SightingService:
        """The service that makes events of sightings."""
        database = self.current_database
        return SightingService(database.engine, database.vault, reviews=self.review_queue)
