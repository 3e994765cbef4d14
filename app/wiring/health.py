"""Settings in, the health check of galleries out: indexes and database, no network."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.config import Settings
from app.gallery.gallery import Gallery
from app.gallery.index_projection import Projection
from app.gallery.store.identities import IdentityStore
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.values import Collection
from app.recognition.health.check import HealthService
from app.wiring.models import served_by
from app.wiring.projections import Projections
from app.wiring.services import open_database, open_packs, open_policy_of


@contextmanager
def open_health(settings: Settings) -> Iterator[HealthService]:
    """Open what a check needs; a running service and its snapshots are left alone. Raises SchemaOutdated."""
    default, *_ = served = served_by(settings, open_packs(settings))
    opened: list[Projection] = []
    with open_database(settings) as database:
        database.require_current()
        projections, store = Projections(settings, database), IdentityStore(database.engine, database.vault)

        def new(collection: Collection) -> Projection:
            opened.append(projections.new(collection))
            return opened[-1]

        further = {each.model: each.dimension for each in served}
        gallery = Gallery(store, new, model=default.model, dimension=default.dimension, further=further)
        try:
            yield HealthService(gallery, IdentityPages(database.engine, store), open_policy_of(settings))
        finally:
            for each in opened:
                each.close()
