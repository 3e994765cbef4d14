"""Collections: list, create, change and delete."""

from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.database.scrubbing import Scrubber
from app.errors import EncryptionRequired, RequestInvalid
from app.gallery.gallery import Gallery
from app.gallery.store.collections import CollectionRepository, require_one_rule
from app.gallery.store.identities import IdentityStore
from app.gallery.store.listing import ListingRepository
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.policy import DEFAULT_MAX_FMR, DEFAULT_MAX_FPIR
from app.recognition.liveness.gate import LivenessGate
from app.recognition.model_registry import ModelRegistry, ServedModel
from app.types import Impostors, IndexKind, LivenessMode, Page


@dataclass(frozen=True, slots=True)
class CollectionDefaults:
    """Default settings of a new collection, and its options; the collection `name` always exists.

    `index_kind` is the index of collections that choose none. Unknown faces are kept for at most
    `most_remembered_days`.
    """

    name: str
    settings: CollectionSettings
    index_kinds: frozenset[str]
    index_kind: IndexKind = IndexKind.AUTO
    most_remembered_days: int = 0


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """The values of settings that a collection may leave to the service.

    The error rates are None if the collection has a threshold instead.
    """

    detector: str
    max_fmr: float | None
    max_fpir: float | None
    impostors: Impostors
    index: IndexKind


def require_rememberable(settings: CollectionSettings, most_days: int, *, has_sealer: bool) -> None:
    """Raise RequestInvalid if `remember_unknown_days` is above the service's limit, or EncryptionRequired."""
    days = settings.remember_unknown_days
    if days is None:
        return
    if days > most_days:
        detail = f"unknown faces are kept for at most {most_days} days here (ARCID_UNKNOWN_FACES__MOST_DAYS)"
        raise RequestInvalid.at("remember_unknown_days", detail)
    if not has_sealer:
        raise EncryptionRequired("unknown faces are stored encrypted or not at all: see ARCID_ENCRYPTION__KEY_FILE")


class CollectionService:
    """List, change and delete collections of any network; create them for a served one."""

    def __init__(  # noqa: PLR0913 - what collections concern
        self,
        gallery: Gallery,
        store: IdentityStore,
        collections: CollectionRepository,
        listing: ListingRepository,
        defaults: CollectionDefaults,
        *,
        registry: ModelRegistry,
        gate: LivenessGate | None = None,
        has_sealer: bool = False,
        scrubber: Scrubber | None = None,
    ) -> None:
        """`has_sealer`: crops can be stored encrypted, so collections may keep them, and unknown faces."""
        self._registry = registry
        self._gate = gate or LivenessGate()
        self._has_sealer = has_sealer
        self._gallery = gallery
        self._store = store
        self._collections = collections
        self._listing = listing
        self._defaults = defaults
        self._scrubber = scrubber

    def page(self, *, after: int, limit: int, among: Iterable[str] | None = None) -> Page[Collection]:
        """Return a page of all collections, or of those `among` these names."""
        return self._listing.collections(after=after, limit=limit, among=among)

    def get(self, name: str) -> Collection:
        """Return a collection; raises CollectionUnknown."""
        return self._store.collection(name)

    def in_force(self, collection: Collection) -> SettingsInForce:
        """Return the collection's own values, and the service's where it has none."""
        settings, network = collection.settings, self._registry.of(collection)
        has_rates = settings.threshold is None
        return SettingsInForce(
            detector=settings.detector or network.detector,
            max_fmr=(settings.max_fmr or DEFAULT_MAX_FMR) if has_rates else None,
            max_fpir=(settings.max_fpir or DEFAULT_MAX_FPIR) if has_rates else None,
            impostors=self._registry.impostors_of(collection),
            index=IndexKind(collection.index_kind or self._defaults.index_kind),
        )

    def create(
        self, name: str, settings: Mapping[str, Any], index_kind: str | None, *, model: str | None = None
    ) -> Collection:
        """Create an empty collection; `settings` has the fields of `CollectionSettings` that differ from the defaults.

        `model` is a network's model or pack. Raises CollectionExists, EncryptionRequired if crops cannot be
        encrypted, LivenessUnavailable if liveness cannot be checked, and RequestInvalid if an index, network or
        detector is not available here.
        """
        network = self._registry.named(model)
        if index_kind is not None and index_kind not in self._defaults.index_kinds:
            kinds = ", ".join(sorted(self._defaults.index_kinds))
            detail = f"the index {index_kind} is not available here; available: {kinds}"
            raise RequestInvalid.at("index", detail)
        wanted: CollectionSettings = replace(self._defaults.settings, **settings)
        self._require_possible(network, wanted, settings)
        self._require_liveness(settings)
        require_one_rule(wanted)
        return self._gallery.create(name, wanted, index_kind, model=network.model)

    def change(self, name: str, settings: Mapping[str, Any], versions: AnyOf[str] | None) -> Collection:
        """See `CollectionRepository.change`.

        Raises EncryptionRequired, LivenessUnavailable and RequestInvalid as `create` does.
        """
        self._require_liveness(settings)
        if settings.get("detector") or settings.get("is_crop_kept") or settings.get("remember_unknown_days"):
            collection = self.get(name)
            self._require_possible(self._registry.of(collection), replace(collection.settings, **settings), settings)
        return self._collections.change(name, settings, versions)

    def delete(self, name: str) -> None:
        """Delete a collection with all its contents; the default one is created again, empty.

        Raises CollectionUnknown.
        """
        self._gallery.drop(self._store.collection(name), self._collections.delete)
        if self._scrubber is not None:
            self._scrubber.scrub()
        if name == self._defaults.name:
            self._gallery.ensure(name, self._defaults.settings)

    def _require_possible(self, network: ServedModel, settings: CollectionSettings, said: Mapping[str, Any]) -> None:
        if said.get("detector"):
            self._registry.require_detector(network, said["detector"])
        if settings.is_crop_kept and not self._has_sealer:
            raise EncryptionRequired
        require_rememberable(settings, self._defaults.most_remembered_days, has_sealer=self._has_sealer)

    def _require_liveness(self, said: Mapping[str, Any]) -> None:
        if said.get("liveness", LivenessMode.OFF) is not LivenessMode.OFF:
            self._gate.require_detector()
