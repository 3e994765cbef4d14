"""Images of the probes of reviews, stored only encrypted."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from app.database.cipher import Context
from app.database.review_tables import ReviewImageTable, ReviewTable
from app.database.tables import CollectionTable
from app.database.vault import Vault
from app.gallery.store.binding import write_sealed


def image_context(review_id: str, collection: str) -> Context:
    """Return the encryption context of the image of a review's probe."""
    return Context("review", f"review:{review_id}", (collection,))


class SealedImageKind(NamedTuple):
    """The sealed images of reviews, for key rotations, as `app.gallery.store.binding.SealedKind` for faces."""

    table: type[ReviewImageTable] = ReviewImageTable
    keys: tuple[str, ...] = ("review_key",)
    column: str = "sealed"
    faces: type[ReviewTable] = ReviewTable

    def rows(self) -> Select[*tuple[Any, ...]]:
        """Return the query of all rows; a review's id stands in for that of a face."""
        return (
            select(
                ReviewImageTable.review_key,
                ReviewImageTable.review_key.label("of_face"),
                ReviewTable.review_id.label("face_id"),
                CollectionTable.name.label("collection"),
                ReviewImageTable.sealed,
                ReviewImageTable.data_key_id,
            )
            .select_from(ReviewImageTable)
            .join(ReviewTable, ReviewTable.id == ReviewImageTable.review_key)
            .join(CollectionTable, CollectionTable.id == ReviewTable.collection_id)
            .order_by(ReviewImageTable.review_key)
        )

    def context(self, row: Row[*tuple[Any, ...]]) -> Context:
        """Return the encryption context of a row of `rows`."""
        return image_context(row.face_id, row.collection)

    def write(
        self, session: Session, vault: Vault, plain: Iterable[tuple[Row[*tuple[Any, ...]], Context, bytes]]
    ) -> int:
        """Reseal rows of `rows`, each with a context, and return their number."""
        return write_sealed(session, vault, self, plain)


REVIEW_IMAGES = SealedImageKind()
