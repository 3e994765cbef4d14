"""Sightings of people, rules for them, and the events that they become."""

from functools import cached_property

from app.notify.rule_store import RuleStore
from app.notify.sighting_service import SightingService
from app.wiring.resources import Resources


class Sightings(Resources):
    """Resources of a process that records sightings."""

    @cached_property
    def rules(self) -> RuleStore:
        """The rules for sightings."""
        return RuleStore(self.current_database.engine)

    @cached_property
    def sightings(self) -> SightingService:
        """The service that makes events of sightings."""
        return SightingService(self.current_database.engine, self.current_database.vault)
