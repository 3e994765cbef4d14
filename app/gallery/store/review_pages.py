"""Reading reviews, their images and their number."""

from collections.abc import Iterator

from sqlalchemy import Engine, func, select

from app.database.cipher import Sealer
from app.database.review_tables import ReviewCandidateTable, ReviewImageTable, ReviewTable
from app.database.tables import IdentityTable
from app.errors import ReviewUnknown
from app.gallery.store import review_rows
from app.gallery.store.review_images import image_context
from app.gallery.store.review_values import ReviewRecord, ReviewState
from app.gallery.store.values import Collection
from app.types import Page

_AT_ONCE = 200


class ReviewPages:
    """Reviews of all collections, to read."""

    def __init__(self, engine: Engine, sealer: Sealer | None = None) -> None:
        """Without a sealer, no image can be read."""
        self._reading = engine.execution_options(is_reader=True)
        self._sealer = sealer

    def get(self, collection: Collection, review_id: str) -> ReviewRecord:
        """Return a review; raises ReviewUnknown."""
        with self._reading.connect() as connection:
            return review_rows.required(connection, collection, review_id)

    def page(
        self,
        collection: Collection,
        *,
        after: int,
        limit: int,
        state: ReviewState | None = None,
        identity_id: str | None = None,
    ) -> Page[ReviewRecord]:
        """Return the reviews with keys above `after`, the oldest first: of one state, or of one candidate."""
        query = review_rows.REVIEWS.where(ReviewTable.collection_id == collection.key, ReviewTable.id > after)
        if state is not None:
            query = query.where(ReviewTable.state == state)
        if identity_id is not None:
            of_person = select(ReviewCandidateTable.review_key).join(
                IdentityTable, IdentityTable.id == ReviewCandidateTable.identity_key
            )
            query = query.where(ReviewTable.id.in_(of_person.where(IdentityTable.identity_id == identity_id)))
        with self._reading.connect() as connection:
            found = review_rows.records(connection, query.order_by(ReviewTable.id).limit(limit + 1))
        return Page(found[:limit], found[limit - 1].key if len(found) > limit else None)

    def all(
        self, collection: Collection, *, state: ReviewState | None = None, identity_id: str | None = None
    ) -> Iterator[ReviewRecord]:
        """Yield the reviews of all pages."""
        after: int | None = 0
        while after is not None:
            page = self.page(collection, after=after, limit=_AT_ONCE, state=state, identity_id=identity_id)
            yield from page.items
            after = page.after

    def open_count(self, collection: Collection) -> int:
        """Return the number of open reviews."""
        is_open = (ReviewTable.collection_id == collection.key) & (ReviewTable.state == ReviewState.OPEN)
        with self._reading.connect() as connection:
            return connection.scalar(select(func.count()).select_from(ReviewTable).where(is_open)) or 0

    def image(self, collection: Collection, review_id: str) -> bytes:
        """Return the image of the probe as a JPEG.

        Raises ReviewUnknown, also without an image, and SealBroken if the image was edited.
        """
        query = (
            select(ReviewImageTable.sealed)
            .join(ReviewTable, ReviewTable.id == ReviewImageTable.review_key)
            .where(ReviewTable.collection_id == collection.key, ReviewTable.review_id == review_id)
        )
        with self._reading.connect() as connection:
            sealed = connection.scalar(query)
        if sealed is None or self._sealer is None:
            raise ReviewUnknown(f"collection {collection.name!r} has no image of a review {review_id!r}")
        return self._sealer.open_file(image_context(review_id, collection.name), sealed)
