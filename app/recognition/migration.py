"""Model migration: embed the crops of a served collection with another network, then switch the collection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np

from app.errors import (
    CollectionSwitched,
    CollectionUnknown,
    DatabaseError,
    EncryptionRequired,
    ModelMismatch,
    NoWayBack,
    RequestInvalid,
    TemplatesMissing,
)
from app.gallery.gallery import Gallery
from app.gallery.store.migration_sql import FaceName, templates_missing
from app.gallery.store.model_migration import (
    CropBlock,
    MigrationProgress,
    MigrationRepository,
    NextTemplates,
    SwitchResult,
)
from app.gallery.store.values import Collection
from app.recognition.analysis import Face
from app.recognition.decisions.policy import PolicyOf
from app.recognition.model_registry import ModelRegistry, ServedModel
from app.recognition.retry_on_migration import retry_on_migration
from app.types import Page

MOST_NAMED = 1000
"""Faces without a crop that the outcome names; all are counted."""
_CHUNK = 16  # crops that a thread embeds together
_MOST_BY_THE_WAY = 64  # faces that a switch embeds itself; more are a job's work
_ATTEMPTS = 20  # of a switch, each after the faces enrolled during the previous attempt

OnProgress = Callable[[int, int], None]
"""Hears how many faces have a template, of how many; may raise to end the work."""


@dataclass(frozen=True, slots=True)
class MigrationOutcome:
    """Outcome of a migration: `missing` faces have no crop and no template (`named` are the first ones).

    They prevented the switch, or were `dropped`. `model` is the target network.
    """

    before: str
    model: str
    faces: int
    is_switched: bool
    missing: int = 0
    named: tuple[FaceName, ...] = ()
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class MigrationOverview:
    """Status of a migration: by model, the faces with an additional template (`before`: of the previous model).

    `without_crop` is a page of the faces that need a new photo.
    """

    collection: Collection
    before: str | None
    ready: dict[str, int]
    crops_missing: int
    without_crop: Page[FaceName]


class MigrationService:
    """See `embed_and_switch`, `switch`, `roll_back`, `discard` and `overview`."""

    def __init__(
        self,
        gallery: Gallery,
        work: MigrationRepository,
        registry: ModelRegistry,
        policy_of: PolicyOf,
        *,
        threads: int,
        give_way: Callable[[], None] | None = None,
        has_crops: bool,
        is_served_here: bool = True,
    ) -> None:
        """`threads` embed concurrently and call `give_way` first. `has_crops`: stored crops can be decrypted.

        `is_served_here`: this process answers requests, so it builds the coming index before the switch.
        """
        self._gallery = gallery
        self._work = work
        self._registry = registry
        self._policy_of = policy_of
        self._threads = threads
        self._give_way = give_way
        self._has_crops = has_crops
        self._is_served_here = is_served_here

    def require_possible(self, name: str, model: str) -> ServedModel:
        """Return the network meant by a model or pack.

        Raises CollectionUnknown, EncryptionRequired where crops cannot be opened, and RequestInvalid for a network that
        is not served, or the collection's own.
        """
        network, collection = self._registry.named(model), self._gallery.collection(name)
        _require_another(collection, network)
        self._require_crops(self._work.standing(collection, network.model))
        return network

    def embed_and_switch(
        self,
        name: str,
        model: str,
        *,
        is_rest_dropped: bool,
        is_switched: bool,
        on_progress: OnProgress = lambda *_: None,
    ) -> MigrationOutcome:
        """Embed faces that have a crop and no template of a network; then switch, unless disabled or faces are missing.

        It may be interrupted and called again: it continues with missing templates, and does nothing if the collection
        already uses that network. Raises the errors of `require_possible`, and CollectionSwitched if another process
        switches the collection at the same time.
        """
        network, collection = self._registry.named(model), self._gallery.collection(name)
        if collection.model == network.model:
            on_progress(collection.faces, collection.faces)
            before = self._work.before(collection) or collection.model
            return MigrationOutcome(before, network.model, collection.faces, is_switched=True)
        standing = self._embed(collection, network, on_progress)
        missing = standing.without_crop
        named = tuple(self._work.without_crop(collection, network.model, limit=MOST_NAMED)) if missing else ()
        if is_switched and (is_rest_dropped or not missing):
            done = self._switch(collection, network, is_rest_dropped=is_rest_dropped, on_progress=on_progress)
            return MigrationOutcome(
                collection.model,
                network.model,
                done.collection.faces,
                is_switched=True,
                missing=len(done.dropped),
                named=tuple(done.dropped[:MOST_NAMED]),
                dropped=len(done.dropped),
            )
        self._work.keep(collection)
        return MigrationOutcome(
            collection.model, network.model, standing.faces, is_switched=False, missing=missing, named=named
        )

    @retry_on_migration
    def switch(self, name: str, model: str, *, is_rest_dropped: bool) -> SwitchResult:
        """Switch a collection to a network whose templates are ready. First embed the few faces that lack one.

        With `is_rest_dropped`, faces without a crop are deleted. Raises the errors of `require_possible`. Raises
        TemplatesMissing, with the faces, if many faces with a crop lack a template, or if a face without a crop is
        not to be deleted.
        """
        network, collection = self._registry.named(model), self._gallery.collection(name)
        return self._switch_if_ready(collection, network, is_rest_dropped=is_rest_dropped)

    @retry_on_migration
    def roll_back(self, name: str, *, is_rest_dropped: bool) -> SwitchResult:
        """Roll back to the previous network. Raises the errors of `switch`, NoWayBack, and ModelMismatch if not served.

        A second rollback returns to the new network.
        """
        collection = self._gallery.collection(name)
        before = self._work.before(collection)
        if before is None or not (self._work.counts(collection).get(before) or not collection.faces):
            raise NoWayBack(f"collection {name!r} has no templates of a previous network")
        if before not in self._registry.models:
            raise ModelMismatch(f"{before} is not served, so the collection could not be searched: see ARCID_PACKS")
        # Of the collection as read: if another process has just switched it to that network, all is asked again.
        return self._switch_if_ready(collection, self._registry.named(before), is_rest_dropped=is_rest_dropped)

    def _switch_if_ready(self, collection: Collection, network: ServedModel, *, is_rest_dropped: bool) -> SwitchResult:
        _require_another(collection, network)
        standing = self._work.standing(collection, network.model)
        waiting = standing.faces - standing.ready - standing.without_crop
        if waiting > _MOST_BY_THE_WAY or (standing.without_crop and not is_rest_dropped):
            named = self._work.without_crop(collection, network.model, limit=MOST_NAMED)
            raise templates_missing(collection, network.model, named, waiting + standing.without_crop)
        return self._switch(collection, network, is_rest_dropped=is_rest_dropped)

    @retry_on_migration
    def discard(self, name: str) -> int:
        """Delete all templates of networks that are not the collection's, and return how many: no way leads back."""
        collection = self._gallery.collection(name)
        return sum(self._work.discard(collection, model) for model in self._work.counts(collection))

    @retry_on_migration
    def overview(self, name: str, model: str | None, *, after: int, limit: int) -> MigrationOverview:
        """Return the status of a collection, with a page of the faces without a crop (and a template of `model`)."""
        collection = self._gallery.collection(name)
        wanted = "" if model is None else self._registry.named(model).model
        standing = self._work.standing(collection, wanted)
        named = self._work.without_crop(collection, wanted, after=after, limit=limit + 1)
        page = Page(named[:limit], named[limit - 1].key if len(named) > limit else None)
        counts, before = self._work.counts(collection), self._work.before(collection)
        return MigrationOverview(collection, before, counts, standing.without_crop, page)

    def _embed(
        self, collection: Collection, network: ServedModel, on_progress: OnProgress = lambda *_: None
    ) -> MigrationProgress:
        """Embed until all faces with a crop have a template, including new ones."""
        coming = self._coming(collection, network)
        standing = self._work.standing(collection, network.model)
        on_progress(standing.ready, standing.faces)
        if standing.ready + standing.without_crop == standing.faces:
            return standing
        self._require_crops(standing)
        self._registry.analysis_of(coming)  # opened once, not by each thread
        pool = ThreadPoolExecutor(self._threads, "arcid-reembed", self._give_way)
        try:
            while standing.ready + standing.without_crop < standing.faces:
                done = standing.ready
                for block in self._work.blocks(collection, network.model, size=self._threads * _CHUNK):
                    done += self._work.put(collection, network.model, self._made(pool, coming, block))
                    on_progress(done, max(standing.faces, done))
                standing = self._work.standing(collection, network.model)
        finally:
            pool.shutdown(cancel_futures=True)
        on_progress(standing.ready, standing.faces)
        return standing

    def _made(self, pool: ThreadPoolExecutor, coming: Collection, block: CropBlock) -> NextTemplates:
        analysis, policy = self._registry.analysis_of(coming), self._policy_of(coming)
        is_flip_averaged = coming.settings.is_flip_averaged

        def faces_of(first: int) -> list[Face]:
            part = slice(first, first + _CHUNK)
            return analysis.of_crops(block.crops[part], block.detections[part], is_flip_averaged=is_flip_averaged)

        faces = [face for part in pool.map(faces_of, range(0, len(block.keys), _CHUNK)) for face in part]
        return NextTemplates(
            block.keys,
            np.stack([face.vector for face in faces]),
            np.array([face.norm for face in faces], np.float32),
            np.array([policy.quality(face).score for face in faces], np.float32),
        )

    def _switch(
        self,
        collection: Collection,
        network: ServedModel,
        *,
        is_rest_dropped: bool,
        on_progress: OnProgress = lambda *_: None,
    ) -> SwitchResult:
        """Switch atomically, after preparing as much as possible."""
        # The revision before the embedding: from there on, the prepared index reads the change log.
        now = self._gallery.collection(collection.name)
        coming = self._coming(replace(collection, revision=now.revision), network)
        self._embed(collection, network, on_progress)
        self._work.keep(collection)
        self._registry.analysis_of(coming)
        if self._is_served_here:
            with self._gallery.prepare_migration(coming, self._work.templates(collection, network.model)):
                done = self._swapped(
                    collection, coming, network, is_rest_dropped=is_rest_dropped, on_progress=on_progress
                )
                self._gallery.catch_up(done.collection, done.collection.revision)
        else:
            done = self._swapped(collection, coming, network, is_rest_dropped=is_rest_dropped, on_progress=on_progress)
        with suppress(CollectionSwitched, CollectionUnknown, DatabaseError):  # leftovers do no harm
            self._work.tidy(done.collection)
        return done

    def _swapped(
        self,
        collection: Collection,
        coming: Collection,
        network: ServedModel,
        *,
        is_rest_dropped: bool,
        on_progress: OnProgress,
    ) -> SwitchResult:
        for attempt in range(_ATTEMPTS):
            try:
                done = self._work.switch(
                    collection,
                    model=network.model,
                    dimension=network.dimension,
                    is_rest_dropped=is_rest_dropped,
                    uid=coming.uid,
                    detector=coming.settings.detector,
                )
            except TemplatesMissing:
                standing = self._embed(collection, network, on_progress)  # faces enrolled since
                if attempt == _ATTEMPTS - 1 or (standing.without_crop and not is_rest_dropped):
                    raise
            else:
                return done
        raise AssertionError  # the last attempt returns or raises

    def _coming(self, collection: Collection, network: ServedModel) -> Collection:
        """Return the collection as a switch will make it. Its detector stays, by name where it was the usual one."""
        detector = self._registry.detector_of(collection)
        own = collection.settings.detector if detector == network.detector else detector
        settings = replace(collection.settings, detector=own)
        uid = str(uuid4())
        return replace(collection, uid=uid, model=network.model, dimension=network.dimension, settings=settings)

    def _require_crops(self, standing: MigrationProgress) -> None:
        if not self._has_crops and standing.ready + standing.without_crop < standing.faces:
            raise EncryptionRequired


def _require_another(collection: Collection, network: ServedModel) -> None:
    if collection.model == network.model:
        detail = f"collection {collection.name!r} uses {network.model} already"
        raise RequestInvalid.at("model", detail)
