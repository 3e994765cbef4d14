"""Grouping of the unknown faces of a collection, on request and in the background."""

import time
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from app.database.leader_lock import TaskLock
from app.errors import ArcidError
from app.gallery.gallery import Gallery
from app.gallery.store.unknown.grouping import GroupingStore
from app.gallery.store.values import Collection
from app.jobs.progress import Progress
from app.observability.logs import get_logger
from app.periodic_worker import PeriodicWorker, reason_of
from app.recognition.analysis import AnalysisOf
from app.recognition.clustering.face_groups import FaceGroups, FacesToGroup
from app.recognition.clustering.grouping import group_faces
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.policy import PolicyOf

_log = get_logger(__name__)
_CLAIM = "grouping"
_EMBEDDED_AT_ONCE = 16
_REST = 10  # times as long as the last grouping took, until the next one of the collection


@dataclass(frozen=True, slots=True)
class GroupingOutcome:
    """Result of a grouping.

    Attributes:
        faces: Unknown faces that were compared.
        grouped: Faces that are in a group now, and were in none.
        new_groups: New groups.
        embedded: Faces that were embedded again, because the collection has moved to another network.
        deleted: Faces that were deleted, because they could not be embedded again: no crop was kept.
    """

    faces: int
    grouped: int
    new_groups: int
    embedded: int
    deleted: int


class UnknownGroupingService:
    """Groups the unknown faces of collections."""

    def __init__(self, gallery: Gallery, store: GroupingStore, analysis_of: AnalysisOf, policy_of: PolicyOf) -> None:
        self._gallery = gallery
        self._store = store
        self._analysis_of = analysis_of
        self._policy_of = policy_of

    def waiting(self) -> list[tuple[Collection, int]]:
        """See `GroupingStore.waiting`."""
        return self._store.waiting()

    def group(self, collection: str, progress: Progress | None = None) -> GroupingOutcome:
        """Put the faces that are in no group into groups, by the collection's calibration.

        A group keeps its faces and its id. Two faces of one photo are never put together, and groups that a person has
        split are never merged. Raises CollectionUnknown, ModelMismatch, CollectionSwitched, and JobCancelled.
        """
        target = self._gallery.require(collection)
        embedded, deleted = self._embed_stale(target, progress)
        faces = self._store.read(target)
        _report(progress, 0, len(faces.keys))
        policy = self._policy_of(target).for_probes()
        rule = GroupingRule(policy.calibration, policy.fallback, least_quality=target.settings.enroll_quality)
        found = group_faces(
            FacesToGroup(
                policy.scoring.vectors(faces.vectors, faces.norms),
                faces.qualities,
                faces.photos,
                apart_groups=faces.apart,
            ),
            FaceGroups(faces.groups, faces.last_group),
            rule,
        )
        _report(progress, len(faces.keys), len(faces.keys))
        grouped, new = self._store.write(target, faces, found.ids)
        return GroupingOutcome(len(faces.keys), grouped, new, embedded, deleted)

    def _embed_stale(self, collection: Collection, progress: Progress | None) -> tuple[int, int]:
        """Embed the faces of another network from their crops, and delete those without one; return both numbers."""
        embedded = deleted = 0
        while stale := self._store.stale(collection, _EMBEDDED_AT_ONCE):
            _report(progress, 0, None)
            crops = [each.crop for each in stale if each.crop is not None]
            with_crop = [each for each in stale if each.crop is not None]
            without = [each for each in stale if each.crop is None]
            if without:
                self._store.forget(collection, without)
            if crops:
                faces = self._analysis_of(collection).of_crops(
                    np.stack(crops),
                    [each.detection for each in with_crop],
                    is_flip_averaged=collection.settings.is_flip_averaged,
                )
                vectors, norms = np.stack([each.vector for each in faces]), np.array([each.norm for each in faces])
                self._store.put(collection, with_crop, vectors, norms.astype(np.float32))
            embedded, deleted = embedded + len(with_crop), deleted + len(without)
        return embedded, deleted


class GroupingWorker(PeriodicWorker):
    """A thread that groups the unknown faces of collections that have new ones, in one replica at a time."""

    def __init__(self, service: UnknownGroupingService, lock: TaskLock, *, every: float) -> None:
        super().__init__("grouping", every=every)
        self._service = service
        self._lock = lock
        self._every = every
        self._seen: dict[str, int] = {}
        self._rest_until: dict[str, float] = {}

    def step(self) -> None:
        """Group the collections with new faces. One that took long is left alone for a while."""
        due = [each for each in self._service.waiting() if self._is_due(*each)]
        if not due or not self._lock.take(_CLAIM, timedelta(seconds=self._every + 600)):
            return
        for collection, newest in due:
            if self._stopping.is_set():
                return
            begun = time.monotonic()
            try:
                outcome = self._service.group(collection.name)
            except ArcidError as error:  # of one collection; the others do not wait for it
                _log.warning("grouping.failed", collection=collection.name, error=reason_of(error))
                continue
            finally:
                took = time.monotonic() - begun
                self._rest_until[collection.uid] = begun + took * (1 + _REST)
                self._seen[collection.uid] = newest
            if outcome.grouped or outcome.embedded or outcome.deleted:
                _log.info(
                    "unknown_faces.grouped",
                    collection=collection.name,
                    grouped=outcome.grouped,
                    new_groups=outcome.new_groups,
                    embedded=outcome.embedded,
                    deleted=outcome.deleted,
                )

    def _is_due(self, collection: Collection, newest: int) -> bool:
        is_new = newest > self._seen.get(collection.uid, 0)
        return is_new and time.monotonic() >= self._rest_until.get(collection.uid, 0)


def _report(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is not None:
        progress.advance(done, total=total)
