"""Settings in, enrollment of many photos out, without the rest of the service: for `arcid import`."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.config import Settings
from app.gallery.gallery import Gallery
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.recognition.enrollment import EnrollmentService, FaceChoice
from app.transfer.bulk_enrollment import BulkEnrollment
from app.vision.embedding import Embedder
from app.wiring.batching import batching_of
from app.wiring.models import open_serving
from app.wiring.projections import Projections
from app.wiring.services import (
    DEFAULT_COLLECTION,
    new_practice,
    open_database,
    open_packs,
    open_runtime,
    sealer_of,
)


@contextmanager
def open_bulk(settings: Settings, collection: str, choice: FaceChoice) -> Iterator[BulkEnrollment]:
    """Open networks and one collection; a running service finds what is enrolled by following the change log.

    Raises NetworkError's children, SchemaOutdated, CollectionUnknown, ModelMismatch.
    """
    packs, embedders = open_packs(settings), dict[str, Embedder]()
    runtime = open_runtime(settings)
    serving = open_serving(settings, packs, runtime, batching=batching_of(settings, runtime), embedders=embedders)
    further = {each.model: each.dimension for each in serving.all}
    default = serving.default
    with open_database(settings) as database:
        database.require_current()
        new = Projections(settings, database).new
        store = IdentityStore(database.engine, database.vault)
        gallery = Gallery(store, new, model=default.model, dimension=default.dimension, further=further)
        if collection == DEFAULT_COLLECTION:
            gallery.ensure(collection, new_practice(settings))
        serving.analysis_of(gallery.require(collection))
        sealer = sealer_of(database)
        crops = CropSealer(sealer) if sealer is not None else None
        enrollment = EnrollmentService(serving.analysis_of, gallery, serving.policy_of, crops=crops)
        try:
            yield BulkEnrollment(enrollment, gallery, collection, choice)
        finally:
            for each in embedders.values():
                each.close()
            gallery.close()
