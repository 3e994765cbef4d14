"""Cameras as callers manage them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.access.keys import Principal
from app.errors import CameraUrlNotAllowed
from app.gallery.store.camera_values import Camera, CameraKind, CameraSetup
from app.gallery.store.cameras import CameraRepository
from app.remote.camera_urls import SNAPSHOT_SCHEMES, STREAM_SCHEMES, CameraUrlRules, require_allowed
from app.types import Page
from app.watch.sources import require_video

_MASKS = (":***@", "?***")


class CameraService:
    """Creates, lists, changes and deletes cameras of the collections that a caller may use."""

    def __init__(
        self,
        repository: CameraRepository,
        rules: CameraUrlRules,
        *,
        most: int,
        require_decoder: Callable[[], None] = require_video,
    ) -> None:
        """Allow at most `most` cameras. `require_decoder` raises VideoUnavailable if streams cannot be read."""
        self._repository = repository
        self._rules = rules
        self._most = most
        self._require_decoder = require_decoder

    def create(self, caller: Principal, setup: CameraSetup) -> Camera:
        """Store a camera.

        Raises CollectionForbidden, CollectionUnknown, CameraExists, TooManyCameras, CameraUrlNotAllowed, and
        VideoUnavailable if the camera is a stream and no decoder is installed.
        """
        caller.require_collection(setup.collection)
        self._require_readable(setup)
        return self._repository.create(setup, most=self._most)

    def get(self, caller: Principal, camera_id: str) -> Camera:
        """Return a camera; raises CameraUnknown, also if the caller may not use its collection."""
        return self._repository.get(camera_id, caller.collections)

    def page(self, caller: Principal, *, after: int, limit: int) -> Page[Camera]:
        """Return the cameras of the caller's collections with keys above `after`, the oldest first."""
        return self._repository.page(after=after, limit=limit, collections=caller.collections)

    def change(self, caller: Principal, camera_id: str, changes: Mapping[str, Any]) -> Camera:
        """Change fields of a camera's settings; raises as `create` and `get`."""
        before = self.get(caller, camera_id).setup
        setup = replace(before, **changes)
        if setup.url is None:
            setup = replace(setup, kind=CameraKind.POSTED)
        elif setup.kind is CameraKind.POSTED:
            setup = replace(setup, kind=CameraKind.STREAM)
        if (setup.url, setup.kind) != (before.url, before.kind):
            self._require_readable(setup)
        return self._repository.change(camera_id, {**changes, "kind": setup.kind}, caller.collections)

    def delete(self, caller: Principal, camera_id: str) -> None:
        """Delete a camera; raises CameraUnknown."""
        self._repository.delete(camera_id, caller.collections)

    def _require_readable(self, setup: CameraSetup) -> None:
        if setup.url is None:
            return
        if any(each in setup.url for each in _MASKS):
            raise CameraUrlNotAllowed("the URL has *** in place of the password or query; send them")
        is_stream = setup.kind is CameraKind.STREAM
        require_allowed(self._rules, setup.url, STREAM_SCHEMES if is_stream else SNAPSHOT_SCHEMES)
        if is_stream:
            self._require_decoder()
