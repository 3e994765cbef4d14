"""Aligned crops of enrolled faces, stored only encrypted. Another network can embed them in a model migration."""

from collections.abc import Iterable

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.database.cipher import Context, Sealed, Sealer
from app.database.tables import CropTable
from app.gallery.store.values import NewFace
from app.types import Pixels
from app.vision.imaging.lossless import decode_png, encode_png
from app.vision.imaging.portrait import encode_jpeg


class CropSealer:
    """Encryption of crops; contexts come from `app.gallery.store.binding.crop_context`."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, crop: Pixels, context: Context) -> Sealed:
        """Return a crop (112, 112, 3), RGB, as it is stored: a PNG, which loses nothing, sealed."""
        return self._sealer.seal_file(context, encode_png(crop))

    def open(self, sealed: bytes, context: Context) -> Pixels:
        """Return the exact crop (112, 112, 3), RGB; raises as the sealer does."""
        return decode_png(self._sealer.open_file(context, sealed))

    def image(self, sealed: bytes, context: Context) -> bytes:
        """Return the face as a JPEG; raises as the sealer does."""
        return encode_jpeg(self.open(sealed, context))


def put(session: Session, faces: Iterable[tuple[int, NewFace]]) -> None:
    """Store the sealed crops of faces, given with their keys, in an enrollment's transaction."""
    sealed = [
        {"face_key": key, "sealed": face.sealed_crop.data, "data_key_id": face.sealed_crop.data_key_id}
        for key, face in faces
        if face.sealed_crop is not None
    ]
    if sealed:
        session.execute(insert(CropTable), sealed)
