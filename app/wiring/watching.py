"""Cameras of a process."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial

from app.database.leader_lock import TaskLock
from app.errors import CollectionSwitched, CollectionUnknown, PhotoRefused, UnknownFacesOff
from app.gallery.store.camera_values import Camera, CameraKind
from app.gallery.store.cameras import CameraRepository
from app.gallery.store.unknown.values import FaceOrigin
from app.notify.sighting import Sighting
from app.notify.sighting_service import SightingService
from app.recognition.unknown_faces import UnknownFaceService
from app.remote.camera_urls import CameraUrlRules
from app.remote.fetching import Fetcher, FetchLimits
from app.vision.imaging.decode import Image, Limits, decode
from app.watch.camera_reader import SourceOf
from app.watch.camera_service import CameraService
from app.watch.camera_tracks import CameraTracks, TrackOptions
from app.watch.camera_workers import CameraWorkers, WatchOptions
from app.watch.decoding import DecodingOptions
from app.watch.frames import FrameSource
from app.watch.posted_frames import PostedFrames
from app.watch.snapshots import SnapshotSource
from app.watch.sources import stream_source
from app.wiring.identifying import Identifying
from app.wiring.sightings import Sightings
from app.wiring.unknown_faces import UnknownFaces


class CameraSightings:
    """Makes events of sightings, and remembers unknown people."""

    def __init__(self, sightings: SightingService, unknown_faces: UnknownFaceService) -> None:
        self._sightings = sightings
        self._unknown_faces = unknown_faces

    def record(self, sighting: Sighting) -> list[str]:
        """See `SightingService.record`."""
        return self._sightings.record(sighting)

    def remember(self, sighting: Sighting) -> None:
        """Store the best shot of an unknown person, if the collection remembers unknown faces."""
        source, seen_at = sighting.camera, sighting.last_seen
        with suppress(UnknownFacesOff, CollectionUnknown, CollectionSwitched, PhotoRefused):
            self._unknown_faces.require(sighting.collection)
            self._unknown_faces.remember_photo(
                sighting.collection, sighting.best_shot or b"", origin=FaceOrigin.CAMERA, source=source, seen_at=seen_at
            )


class Watching(Sightings, UnknownFaces, Identifying):
    """Resources of a process that watches cameras."""

    @cached_property
    def camera_repository(self) -> CameraRepository:
        """The stored cameras."""
        return CameraRepository(self.current_database.engine, self.current_database.vault)

    @cached_property
    def cameras(self) -> CameraService:
        """Cameras, as callers manage them."""
        return CameraService(self.camera_repository, self._camera_rules, most=self.settings.cameras.most)

    @cached_property
    def camera_workers(self) -> CameraWorkers:
        """The threads that watch cameras."""
        settings = self.settings.cameras
        return CameraWorkers(
            self.camera_repository,
            TaskLock(self.database.engine),
            CameraSightings(self.sightings, self.unknown_faces),
            source_of=self._source_of,
            tracks_of=self.tracks_of,
            options=WatchOptions(threads=settings.threads, lost_seconds=settings.lost_seconds),
        )

    @cached_property
    def posted_frames(self) -> PostedFrames:
        """The frames that clients post."""
        workers = self.camera_workers
        return PostedFrames(workers.posted, self._decode_frame, workers.courtesy.has_waiting)

    def tracks_of(self, camera: Camera) -> CameraTracks:
        """Return new tracks of a camera."""
        setup = camera.setup
        options = TrackOptions(has_motion_gate=setup.has_motion_gate)
        return CameraTracks(setup.camera_id, setup.collection, self.track_identification, options)

    def decoding(self, fps: float) -> DecodingOptions:
        """Return how streams are decoded at a rate."""
        settings, limits = self.settings.cameras, self.settings.limits
        return DecodingOptions(fps, settings.seconds, limits.photo_pixels, settings.decoder)

    @property
    def _camera_rules(self) -> CameraUrlRules:
        return CameraUrlRules.parse(self.settings.cameras.hosts)

    def _source_of(self, camera: Camera) -> SourceOf:
        return partial(self._opened, camera)

    def _opened(self, camera: Camera, stopping: threading.Event) -> FrameSource:
        setup, rules = camera.setup, self._camera_rules
        url = setup.url or ""
        if setup.kind is CameraKind.STREAM:
            return stream_source(url, rules, self.decoding(setup.fps))
        return SnapshotSource(url, self._fetcher_of(rules), self._decode_frame, fps=setup.fps, pause=stopping.wait)

    def _fetcher_of(self, rules: CameraUrlRules) -> Callable[[], Fetcher]:
        limits = FetchLimits(self.settings.limits.photo_bytes, self.settings.cameras.seconds, redirects=0, at_once=1)
        return lambda: Fetcher(rules, limits, is_allowed=rules.allows)

    @cached_property
    def _decode_frame(self) -> Callable[[bytes], Image]:
        limits = self.settings.limits
        return partial(decode, limits=Limits(limits.photo_bytes, limits.photo_pixels))
