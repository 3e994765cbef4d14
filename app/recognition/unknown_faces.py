"""Unknown faces: faces that nobody enrolled, kept for a while so that people can name them.

A collection keeps them only with the setting `remember_unknown_days`, which needs encryption.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from app.database.scrubbing import Scrubber
from app.errors import PhotoRefused, UnknownFacesOff
from app.gallery.gallery import Gallery
from app.gallery.store.crops import CropSealer
from app.gallery.store.rows import switched
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.unknown.sealing import unknown_crop_context
from app.gallery.store.unknown.values import FaceOrigin, NewUnknownFace
from app.gallery.store.values import Collection
from app.observability.logs import get_logger
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.decisions.policy import Outcome, PolicyOf
from app.recognition.identification import Identification
from app.recognition.liveness.decisions import is_attack
from app.vision.quality import Quality

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UnknownFace:
    """An unknown face of a photo, as `UnknownFaceService.remember` takes it.

    Attributes:
        face: The analysed face, with its crop.
        quality: Its quality.
        image_sha256: SHA-256 of the photo. Two faces of one photo are never grouped together.
        place: Place of the face in the photo, from 0.
        seen_at: When it was seen.
    """

    face: Face
    quality: Quality
    image_sha256: str
    place: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class UnknownFaceLimits:
    """Limits of the service: `most_days` that a face is kept, and `most_faces` of one collection."""

    most_days: int
    most_faces: int


class UnknownFaceService:
    """Stores the unknown faces of collections that remember them."""

    def __init__(
        self,
        gallery: Gallery,
        store: UnknownFaceStore,
        analysis_of: AnalysisOf,
        policy_of: PolicyOf,
        limits: UnknownFaceLimits,
        *,
        crops: CropSealer | None = None,
        scrubber: Scrubber | None = None,
    ) -> None:
        """`crops` seals crops; without it, no collection remembers unknown faces."""
        self._gallery = gallery
        self._store = store
        self._analysis_of = analysis_of
        self._policy_of = policy_of
        self._limits = limits
        self._crops = crops
        self._scrubber = scrubber

    def is_on(self, collection: Collection) -> bool:
        """Return whether a collection remembers unknown faces."""
        return self._crops is not None and collection.settings.remember_unknown_days is not None

    def require(self, name: str) -> Collection:
        """Return a collection that remembers unknown faces.

        Raises UnknownFacesOff, CollectionUnknown, and ModelMismatch if its network is not served.
        """
        collection = self._gallery.require(name)
        if not self.is_on(collection):
            raise UnknownFacesOff(
                f"collection {name!r} does not remember unknown faces; set remember_unknown_days, which needs "
                "encryption"
            )
        return collection

    def remember(
        self,
        collection: Collection,
        faces: Sequence[UnknownFace],
        *,
        origin: FaceOrigin,
        source: str | None = None,
    ) -> int:
        """Store faces that match nobody, and return how many are new.

        Faces below the collection's `enroll_quality` are left out, and so are faces of photos that are stored already.
        Nothing is stored if the collection does not remember unknown faces.

        Args:
            collection: The collection that was searched.
            faces: Faces whose verdict is `no_match`.
            origin: How they came.
            source: The id of the camera, if they come from one.

        Raises CollectionUnknown, and CollectionSwitched if the collection has moved to another network.
        """
        least = collection.settings.enroll_quality
        good = [each for each in faces if each.quality.score >= least]
        if not good or not self.is_on(collection):
            return 0
        new = [self._new(collection, each, origin, source) for each in good]
        return self._store.add(collection, new, most=self._limits.most_faces)

    def remember_identified(
        self, name: str, photos: Sequence[bytes | PhotoRefused], identification: Identification, *, origin: FaceOrigin
    ) -> int:
        """Store the faces of an identification that match nobody, and return how many are new.

        `photos` are those that were identified: one, several of one person, or many (`Identification.answers`). Raises
        as `require` and `remember` do.
        """
        collection = self.require(name)
        return self.remember(collection, self.unknown_in(collection, photos, identification), origin=origin)

    def unknown_in(
        self, collection: Collection, photos: Sequence[bytes | PhotoRefused], identification: Identification
    ) -> list[UnknownFace]:
        """Return the faces of an identification that match nobody and are not attacks.

        Raises CollectionSwitched if the identification was made with another network than the collection's.
        """
        if identification.model != collection.model:
            raise switched(collection)
        now = datetime.now(UTC)
        unknown: list[UnknownFace] = []
        for shown, result in _results(photos, identification):
            image_sha256 = hashlib.sha256(shown).hexdigest()
            unknown += [
                UnknownFace(each.face, each.quality, image_sha256, place, now)
                for place, each in enumerate(result.faces)
                if each.verdict is Outcome.NO_MATCH and not is_attack(each.liveness)
            ]
        return unknown

    def has_photo(self, collection: Collection, image_sha256: str) -> bool:
        """Return whether faces of this exact photo are kept."""
        return self._store.has_photo(collection, image_sha256)

    def remember_photo(
        self,
        name: str,
        photo: bytes,
        *,
        origin: FaceOrigin,
        source: str | None = None,
        seen_at: datetime | None = None,
    ) -> int:
        """Store the main face of a photo that was found to match nobody, such as a camera's best shot.

        Returns 0 also if the photo shows no face. Raises as `require` and `remember` do, or a PhotoRefused if the bytes
        are not a photo.
        """
        collection = self.require(name)
        settings = collection.settings
        faces = self._analysis_of(collection).analyse(
            photo, is_flip_averaged=settings.is_flip_averaged, most=1, has_portraits=settings.is_crop_kept
        )
        policy, image_sha256 = self._policy_of(collection), hashlib.sha256(photo).hexdigest()
        seen = seen_at or datetime.now(UTC)
        unknown = [UnknownFace(each, policy.quality(each), image_sha256, 0, seen) for each in faces[:1]]
        return self.remember(collection, unknown, origin=origin, source=source)

    def delete_expired(self) -> None:
        """Delete the faces whose time has ended."""
        deleted = self._store.delete_expired(datetime.now(UTC), self._limits.most_days)
        if deleted:
            _log.info("unknown_faces.erased", faces=deleted)
            if self._scrubber is not None:
                self._scrubber.scrub()

    def _new(
        self, collection: Collection, unknown: UnknownFace, origin: FaceOrigin, source: str | None
    ) -> NewUnknownFace:
        face, face_id = unknown.face, str(uuid4())
        sealed = None
        if self._crops is not None and collection.settings.is_crop_kept and face.crop is not None:
            context = unknown_crop_context(face_id, collection_key=collection.key)
            sealed = self._crops.seal(face.crop, context, face.portrait)
        return NewUnknownFace(
            face_id,
            face.vector,
            face.norm,
            unknown.quality,
            face.detection,
            unknown.image_sha256,
            unknown.place,
            origin,
            unknown.seen_at,
            source,
            sealed,
        )


def _results(
    photos: Sequence[bytes | PhotoRefused], identification: Identification
) -> list[tuple[bytes, Identification]]:
    """Return each usable photo with its own result; several photos of one person count as one photo."""
    usable = [each for each in photos if isinstance(each, bytes)]
    if not identification.answers:
        return [(b"".join(usable), identification)]
    return [
        (photo, answer.result)
        for photo, answer in zip(photos, identification.answers, strict=True)
        if isinstance(photo, bytes) and answer.result is not None
    ]
