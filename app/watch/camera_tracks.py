"""The tracks of one camera: frames in, one decision a track out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.notify.sighting import Sighting
from app.recognition.identity_consistency import ENROLLED_FACES, PROBE_FACES
from app.recognition.tracks.identification import TrackIdentification
from app.recognition.tracks.shots import Shot
from app.types import Detection
from app.vision.imaging.decode import Image
from app.vision.imaging.portrait import portrait
from app.watch.motion import Thumbnail, has_motion, thumbnail
from app.watch.track import Track
from app.watch.tracker import PATIENCE_S, Tracker, is_near

_REST_S = 1.0  # between detections while nothing moves


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Options of the tracks of a camera.

    `patience`: seconds without a face after which a track ends. `has_pictures`: sightings have a picture of the best
    shot. `has_motion_gate`: a frame without motion is not searched for faces, except once a second.
    """

    patience: float = PATIENCE_S
    has_pictures: bool = True
    has_motion_gate: bool = True


class CameraTracks:
    """The tracks of one camera; not safe under concurrent calls.

    `see` and `finish` raise the errors of `TrackIdentification`: CollectionUnknown, ModelMismatch, CalibrationMissing,
    LivenessUnavailable, and CancelledError if the service stops.
    """

    def __init__(
        self,
        camera: str,
        collection: str,
        identification: TrackIdentification,
        options: TrackOptions = TrackOptions(),
    ) -> None:
        """Create the tracks of a camera whose faces are searched in a collection."""
        self._camera = camera
        self._collection = collection
        self._identification = identification
        self._options = options
        self._tracker = Tracker(options.patience)
        self._tracks: dict[int, Track] = {}
        self._ended: list[Track] = []  # without their last decision
        self._thumbnail: Thumbnail | None = None
        self._searched = float("-inf")

    @property
    def open_tracks(self) -> frozenset[str]:
        """The ids of open tracks."""
        return frozenset(each.track_id for each in self._tracks.values())

    def see(self, frame: Image, at: datetime) -> list[Sighting]:
        """Add a frame that was not reduced, and return the decisions that are new or have changed.

        `at` must not be before that of the last frame.
        """
        seconds = at.timestamp()
        if self._is_at_rest(frame, seconds):
            self._tracker.rest(self._searched, seconds)
            return []
        faces = self._identification.detect(frame, self._collection)
        found = self._tracker.associate(faces.detections, seconds, certain=faces.certain)
        self._ended += [self._tracks.pop(each.key) for each in found.ended]
        for key in found.continued:
            self._tracks[key].see(at)
        chosen = self._promising(frame, found.continued, faces.certain, seconds)
        shots = self._identification.embed(frame, [*chosen.values(), *found.new], self._collection, seconds=seconds)
        grown = [
            self._add(key, detection, shot, frame, at)
            for (key, detection), shot in zip(chosen.items(), shots[: len(chosen)], strict=True)
        ]
        grown += [
            self._place(detection, shot, frame, at)
            for detection, shot in zip(found.new, shots[len(chosen) :], strict=True)
        ]
        self._searched = seconds
        return [*self._last_sightings(), *self._decisions(dict.fromkeys(grown))]

    def finish(self) -> list[Sighting]:
        """End all tracks, and return their last decisions if these are new or have changed."""
        self._thumbnail, self._searched = None, float("-inf")
        self._ended += [self._tracks.pop(each.key) for each in self._tracker.end()]
        return self._last_sightings()

    def _is_at_rest(self, frame: Image, seconds: float) -> bool:
        if not self._options.has_motion_gate:
            return False
        now = thumbnail(frame.pixels)
        if seconds - self._searched < _REST_S and not has_motion(self._thumbnail, now):
            return True
        self._thumbnail = now
        return False

    def _promising(
        self, frame: Image, continued: dict[int, Detection], certain: float, seconds: float
    ) -> dict[int, Detection]:
        """Return the faces of continued tracks that are worth embedding."""
        likely = {key: each for key, each in continued.items() if each.score >= certain}
        glances = self._identification.glance(frame, [*likely.values()])
        return {
            key: detection
            for (key, detection), glance in zip(likely.items(), glances, strict=True)
            if self._tracks[key].is_promising(glance, seconds)
        }

    def _add(self, key: int, detection: Detection, shot: Shot, frame: Image, at: datetime) -> int:
        """Add a shot to the track that its place suggests, unless it shows somebody else; return its track.

        A shot of lower quality than the track may only look like somebody else, so it takes several of them.
        """
        track = self._tracks[key]
        if self._is_alike(shot, track.shots):
            self._keep(track, detection, shot, frame)
            return key
        is_same = not track.unlike or self._is_alike(shot, track.unlike)
        if not track.doubt(shot, is_same=is_same) and shot.quality < track.quality:
            return key
        track.end_doubt()
        self._tracker.release(key, shot.seconds)
        return self._place(detection, shot, frame, at)

    def _is_alike(self, shot: Shot, shots: Sequence[Shot]) -> bool:
        """Return whether a shot can show the person of others, also if they are of another network."""
        likeness = self._identification.likeness(shot, shots, self._collection, rule=PROBE_FACES)
        return likeness is None or likeness >= 0

    def _place(self, detection: Detection, shot: Shot, frame: Image, at: datetime) -> int:
        """Add a shot without a track to the idle track that it resembles most, or start one; return its track."""
        key = self._same_person(detection, shot)
        if key is None:
            key = self._tracker.start(detection, shot.seconds)
            self._tracks[key] = Track(self._camera, self._collection, at, at)
        else:
            self._tracker.resume(key, detection, shot.seconds)
        self._tracks[key].see(at)
        self._keep(self._tracks[key], detection, shot, frame)
        return key

    def _same_person(self, detection: Detection, shot: Shot) -> int | None:
        """Return the idle track that shows the person of a shot; the rule is stricter for one that is far away."""
        alike: dict[int, float] = {}
        for each in self._tracker.idle(shot.seconds):
            rule = PROBE_FACES if is_near(each, detection, shot.seconds) else ENROLLED_FACES
            shots = self._tracks[each.key].shots
            likeness = self._identification.likeness(shot, shots, self._collection, rule=rule)
            if likeness is not None and likeness >= 0:
                alike[each.key] = likeness
        return max(alike, key=alike.__getitem__, default=None)

    def _keep(self, track: Track, detection: Detection, shot: Shot, frame: Image) -> None:
        picture = portrait(frame.pixels, detection) if self._options.has_pictures else None
        track.add(shot, picture)

    def _decisions(self, keys: Iterable[int]) -> list[Sighting]:
        """Decide on tracks with enough new evidence."""
        due = [each for key in keys if (each := self._tracks[key]).is_due()]
        return [sighting for each in due if (sighting := self._decided(each, is_last=False)) is not None]

    def _last_sightings(self) -> list[Sighting]:
        """Decide on the ended tracks; after an error, they are decided with the next frame."""
        sightings = [self._decided(each, is_last=True) for each in self._ended]
        self._ended.clear()
        return [each for each in sightings if each is not None]

    def _decided(self, track: Track, *, is_last: bool) -> Sighting | None:
        decision = self._identification.decide(track.shots, self._collection)
        return None if decision is None else track.report(decision, is_last=is_last)
