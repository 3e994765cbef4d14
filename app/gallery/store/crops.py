"""Crops of enrolled faces, stored only encrypted.

A crop is the aligned one, which another network can embed in a model migration, as a PNG: it loses nothing. The
portrait, for people to look at, follows as a JPEG; crops of earlier versions have none.
"""

from collections.abc import Iterable

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.database.cipher import Context, Sealed, Sealer
from app.database.tables import CropTable
from app.gallery.store.values import NewFace
from app.types import Pixels
from app.vision.imaging.lossless import decode_png, encode_png
from app.vision.imaging.portrait import encode_jpeg

# The last chunk of a PNG, with its checksum.
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


class CropSealer:
    """Encryption of crops; contexts come from `app.gallery.store.binding.crop_context`."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, crop: Pixels, context: Context, portrait: Pixels | None = None) -> Sealed:
        """Return a crop (112, 112, 3) and a portrait, both RGB, as they are stored."""
        jpeg = b"" if portrait is None else encode_jpeg(portrait)
        return self._sealer.seal_file(context, encode_png(crop) + jpeg)

    def open(self, sealed: bytes, context: Context) -> Pixels:
        """Return the exact crop (112, 112, 3), RGB; raises as the sealer does."""
        return decode_png(self._sealer.open_file(context, sealed))

    def image(self, sealed: bytes, context: Context) -> bytes:
        """Return the portrait, or without one the crop, as a JPEG; raises as the sealer does."""
        png, end, jpeg = self._sealer.open_file(context, sealed).partition(_PNG_END)
        return jpeg or encode_jpeg(decode_png(png + end))


def put(session: Session, faces: Iterable[tuple[int, NewFace]]) -> None:
    """Store the sealed crops of faces, given with their keys, in an enrollment's transaction."""
    sealed = [
        {"face_key": key, "sealed": face.sealed_crop.data, "data_key_id": face.sealed_crop.data_key_id}
        for key, face in faces
        if face.sealed_crop is not None
    ]
    if sealed:
        session.execute(insert(CropTable), sealed)
