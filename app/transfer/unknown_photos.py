"""Import of photos whose people have no names: faces that match nobody are kept, to be grouped and named later."""

from collections.abc import Mapping, Sequence

from app.gallery.store.unknown.values import FaceOrigin
from app.gallery.store.values import Person
from app.recognition.identification import IdentificationService
from app.recognition.unknown_faces import UnknownFace, UnknownFaceService
from app.transfer.photo_import import Added


class UnknownPhotos:
    """Looks for the people of photos in a collection, and keeps the unknown faces. Thread-safe."""

    def __init__(self, identification: IdentificationService, memory: UnknownFaceService, collection: str) -> None:
        """Raise CollectionUnknown, ModelMismatch, and UnknownFacesOff if the collection keeps no unknown faces."""
        self._identification = identification
        self._memory = memory
        self._collection = memory.require(collection)

    def is_known(self, identity_id: str, image_sha256: str) -> bool:  # noqa: ARG002 - nobody is named
        """Return whether faces of this exact photo are kept."""
        return self._memory.has_photo(self._collection, image_sha256)

    def prepare(self, photo: bytes, image_sha256: str) -> list[UnknownFace]:  # noqa: ARG002 - computed again
        """Return the faces of a photo that match nobody; raises a PhotoRefused."""
        found = self._identification.identify(photo, collection=self._collection.name, top_k=1)
        return self._memory.unknown_in(self._collection, [photo], found)

    def compares_photos(self) -> bool:
        """Return False: each photo is kept by itself."""
        return False

    def add(self, people: Sequence[tuple[Person, Sequence[list[UnknownFace]]]]) -> list[Added]:
        """Keep the faces of photos; raises CollectionSwitched."""
        done = []
        for _, photos in people:
            faces = [face for each in photos for face in each]
            kept = self._memory.remember(self._collection, faces, origin=FaceOrigin.IMPORT)
            done.append(Added(kept, 0, is_new=False))
        return done


def remembered(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of an import of unnamed photos."""
    return {
        "photos": counts["photos"],
        "remembered": counts["enrolled"],
        "known": counts["known"],
        "refused": counts["refused"],
    }
