"""Opening reviews: if a collection reviews a verdict, the verdict is queued."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from app.gallery.store.review_values import NewCandidate, NewReview, ReviewOrigin
from app.gallery.store.reviews import ReviewStore
from app.gallery.store.values import Collection
from app.notify.sighting import Sighting
from app.recognition.decisions.policy import Outcome
from app.recognition.probes import JudgedFace, Probe
from app.recognition.search_scope import SearchResult
from app.types import ReviewMode
from app.vision.imaging.portrait import encode_jpeg

_MOST_CANDIDATES = 3
_REVIEWED = {
    ReviewMode.OFF: frozenset[str](),
    ReviewMode.POSSIBLE: frozenset({Outcome.POSSIBLE.value}),
    ReviewMode.ALL_MATCHES: frozenset({Outcome.POSSIBLE.value, Outcome.MATCH.value}),
}


@dataclass(frozen=True, slots=True)
class RecognitionUse:
    """One use of recognition: the kind of request, when it started, and the photo (its bytes)."""

    origin: ReviewOrigin
    started_at: datetime
    photo: bytes

    @classmethod
    def of_probe(
        cls, origin: ReviewOrigin, started_at: datetime, photos: Sequence[object], probe: Probe
    ) -> "RecognitionUse":
        """Return the use with the photo of the probe's best face."""
        best = next((each.photo for each in probe.photos if each.face and each.face.face is probe.best.face), 0)
        photo = photos[best]
        return cls(origin, started_at, photo if isinstance(photo, bytes) else b"")


class ReviewQueue:
    """Opens reviews. Without a store, it opens none."""

    def __init__(
        self,
        store: ReviewStore | None = None,
        collection_of: Callable[[str], Collection] | None = None,
        *,
        has_images: bool = False,
    ) -> None:
        """Create the queue.

        Args:
            store: Stores reviews.
            collection_of: Returns a collection by its name; raises CollectionUnknown.
            has_images: Whether images can be stored encrypted.
        """
        self._store = store
        self._collection_of = collection_of
        self._has_images = has_images

    def keeps_images(self, collection: Collection) -> bool:
        """Return whether reviews of a collection get the images of their probes."""
        settings = collection.settings
        return self._has_images and settings.review is not ReviewMode.OFF and settings.is_crop_kept

    def open_found(
        self, collection: Collection, faces: Sequence[JudgedFace], found: Sequence[SearchResult], use: RecognitionUse
    ) -> list[str | None]:
        """Open the reviews of the faces of a photo; return the id of each face's review, None without one."""
        return [self._open_found(collection, face, each, use) for face, each in zip(faces, found, strict=True)]

    def open_verified(
        self,
        collection: Collection,
        face: JudgedFace,
        verdict: Outcome,
        candidate: NewCandidate,
        threshold: float,
        use: RecognitionUse,
    ) -> str | None:
        """Open the review of a verification against an enrolled person; return its id, None without one."""
        if self._store is None or verdict.value not in _REVIEWED[collection.settings.review]:
            return None
        return self._open(collection, face, verdict, [candidate], threshold, use)

    def open_for_sighting(self, sighting: Sighting) -> str | None:
        """Open the review of a sighting; return its id, None without one. Raises CollectionUnknown.

        Later sightings of the same person on the same track belong to the same review.
        """
        if self._store is None or self._collection_of is None or sighting.identity_id is None:
            return None
        collection = self._collection_of(sighting.collection)
        if sighting.verdict.value not in _REVIEWED[collection.settings.review] or sighting.similarity is None:
            return None
        image = sighting.best_shot if self.keeps_images(collection) else None
        review = NewReview(
            ReviewOrigin.CAMERA,
            _same_as(ReviewOrigin.CAMERA, sighting.track_id, sighting.identity_id),
            [NewCandidate(sighting.identity_id, sighting.similarity, fpir=sighting.fpir)],
            sighting.first_seen,
            sighting.last_seen,
            sighting.quality,
            sighting.verdict.value,
            input_sha256=None if sighting.best_shot is None else hashlib.sha256(sighting.best_shot).hexdigest(),
            camera=sighting.camera,
            image=image,
        )
        return self._store.open(collection, str(uuid4()), review)

    def _open_found(
        self, collection: Collection, face: JudgedFace, found: SearchResult, use: RecognitionUse
    ) -> str | None:
        if self._store is None or found.verdict.value not in _REVIEWED[collection.settings.review]:
            return None
        candidates = [
            NewCandidate(each.identity_id, each.similarity, each.face_id, rates.fmr.value, rates.fpir.value)
            for each, rates in zip(found.candidates, found.rates, strict=True)
        ]
        return self._open(collection, face, found.verdict, candidates[:_MOST_CANDIDATES], found.threshold, use)

    def _open(
        self,
        collection: Collection,
        face: JudgedFace,
        verdict: Outcome,
        candidates: Sequence[NewCandidate],
        threshold: float,
        use: RecognitionUse,
    ) -> str | None:
        if self._store is None or not candidates:
            return None
        sha256, portrait = hashlib.sha256(use.photo).hexdigest(), face.face.portrait
        image = encode_jpeg(portrait) if portrait is not None and self.keeps_images(collection) else None
        review = NewReview(
            use.origin,
            _same_as(use.origin, sha256, candidates[0].identity_id),
            candidates,
            use.started_at,
            datetime.now(UTC),
            face.quality.score,
            verdict.value,
            threshold,
            sha256,
            image=image,
        )
        return self._store.open(collection, str(uuid4()), review)


def _same_as(origin: ReviewOrigin, source: str, identity_id: str) -> str:
    """Return the hash by which a repeated match is recognised: same photo or track, same first candidate."""
    return hashlib.sha256(json.dumps([origin.value, source, identity_id]).encode()).hexdigest()
