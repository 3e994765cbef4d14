"""Settings in, the way from one network to another out: for the service, as a job, and for the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.config import Settings
from app.database.cipher import Sealer
from app.database.connection import Database
from app.gallery.gallery import Gallery
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.gallery.store.model_migration import Reembedding
from app.jobs.progress import Parameters, Progress, Result, Work
from app.recognition.migration import Changed, NetworkChange
from app.recognition.model_registry import Serving
from app.transfer.photo_import import give_way
from app.vision.embedding import Embedder
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.wiring.batching import batching_of
from app.wiring.models import open_serving
from app.wiring.projections import Projections

CROP_MISSING = "crop_missing"
_IN_RESULT = 100


def open_network_change(
    settings: Settings,
    database: Database,
    gallery: Gallery,
    serving: Serving,
    crops: CropSealer | None,
    *,
    is_served_here: bool = True,
) -> NetworkChange:
    """Return what leads collections to other networks; where requests are answered it gives way to them."""
    return NetworkChange(
        gallery,
        Reembedding(database.engine, crops, database.vault),
        serving,
        serving.policy_of,
        threads=settings.inference.concurrency or os.cpu_count() or 1,
        give_way=give_way if is_served_here else None,
        has_crops=crops is not None,
        is_served_here=is_served_here,
    )


def reembed_work(change: NetworkChange) -> Work:
    """Return the kind of job that embeds a collection by another network."""

    def work(parameters: Parameters, progress: Progress) -> Result:
        def told(ready: int, faces: int) -> None:
            # The templates are stored as they are made. Said as a checkpoint, they keep a job alive that loses its
            # process often and yet comes forward.
            is_forward = ready > progress.checkpoint.get("ready", 0)
            progress.advance(ready, total=faces, checkpoint={"ready": ready} if is_forward else None)

        done = change.embed_and_switch(
            parameters["collection"],
            parameters["model"],
            is_rest_dropped=parameters["on_missing"] == "drop",
            is_switched=parameters["switch"],
            told=told,
        )
        refuse_missing(done, progress)
        return described(done)

    return work


def refuse_missing(done: Changed, progress: Progress) -> None:
    """List the faces that have no crop among what could not be done."""
    what = "it was deleted" if done.dropped else "it needs a new photo"
    for each in done.named:
        progress.refuse(each.face_id, CROP_MISSING, f"no crop is stored of this face of {each.identity_id!r}; {what}")


def described(done: Changed) -> dict[str, Any]:
    """Return what a job answers."""
    return {
        "from": done.before,
        "to": done.model,
        "faces": done.faces,
        "is_switched": done.is_switched,
        "missing": done.missing,
        "dropped": done.dropped,
        "missing_faces": [
            {"face_id": each.face_id, "identity_id": each.identity_id} for each in done.named[:_IN_RESULT]
        ],
    }


@contextmanager
def open_alone(
    settings: Settings, database: Database, packs: Packs, runtime: Runtime, sealer: Sealer | None
) -> Iterator[NetworkChange]:
    """Open networks and store without the rest of the service: a running one follows what is done.

    Raises NetworkError's children, SchemaOutdated.
    """
    database.require_current()
    embedders = dict[str, Embedder]()
    serving = open_serving(settings, packs, runtime, batching=batching_of(settings, runtime), embedders=embedders)
    further = {each.model: each.dimension for each in serving.all}
    default, store = serving.default, IdentityStore(database.engine, database.vault)
    new = Projections(settings, database).new
    gallery = Gallery(store, new, model=default.model, dimension=default.dimension, further=further)
    crops = CropSealer(sealer) if sealer is not None else None
    try:
        yield open_network_change(settings, database, gallery, serving, crops, is_served_here=False)
    finally:
        for each in embedders.values():
            each.close()
        gallery.close()
