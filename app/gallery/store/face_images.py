"""Images of enrolled faces, from their stored crops."""

from sqlalchemy import Engine, select

from app.database.tables import CropTable, FaceTable
from app.errors import FaceImageUnknown
from app.gallery.store import rows
from app.gallery.store.binding import crop_context
from app.gallery.store.crops import CropSealer
from app.gallery.store.values import Collection

_CROPS = rows.owned(select(CropTable.sealed, *rows.OWNER).select_from(FaceTable)).outerjoin(
    CropTable, CropTable.face_key == FaceTable.id
)


class FaceImages:
    """Images of enrolled faces. Without `crops`, no image can be decrypted, so none exists."""

    def __init__(self, engine: Engine, crops: CropSealer | None) -> None:
        self._reading = engine.execution_options(is_reader=True)
        self._crops = crops

    def image(self, collection: Collection, face_id: str) -> bytes:
        """Return a face as a JPEG; raises FaceUnknown, FaceImageUnknown, and SealBroken if the crop was edited."""
        query = _CROPS.where(FaceTable.collection_id == collection.key, FaceTable.face_id == face_id)
        with self._reading.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise rows.no_face(collection, face_id)
        if row.sealed is None or self._crops is None:
            raise FaceImageUnknown(
                f"face {face_id!r} has no image: collection {collection.name!r} kept no crops when it was enrolled"
            )
        context = crop_context(face_id, identity_id=row.bound_identity, collection=row.bound_collection)
        return self._crops.image(row.sealed, context)
