"""Settings in, the treatment of collections of networks that are not served out."""

from collections.abc import Iterator, Sequence

from app.config import Settings
from app.database.connection import Database
from app.gallery.store.network_adoption import NetworkAdoption
from app.gallery.store.values import Collection
from app.gallery.unserved import UnservedCollections
from app.recognition.model_registry import ServedModel
from app.vision.inference.packs import Packs


def open_unserved(
    settings: Settings, packs: Packs, served: Sequence[ServedModel], database: Database
) -> UnservedCollections:
    """Return the treatment of collections of networks other than the `served` ones; the first is the default."""
    default, adoption = served[0], NetworkAdoption(database.engine)

    def adopt(collection: Collection) -> Collection:
        return adoption.adopt(collection, model=default.model, dimension=default.dimension)

    def remedy(collection: Collection) -> str:
        return remedy_for(collection, settings, packs, default.pack)

    return UnservedCollections((each.model for each in served), adopt=adopt, binding=adoption.binding, remedy=remedy)


def remedy_for(collection: Collection, settings: Settings, packs: Packs, default: str) -> str:
    """Return how to serve a collection again, and how to move it to the pack `default`."""
    names = sorted(_packs_of(collection.model, packs), key=lambda name: not packs.has(packs.manifest(name)))
    move = f"move the collection to {default} (arcid reembed start {collection.name} --model {default})"
    if not names:
        return f"add a pack with this network (arcid models add), or {move}"
    return f"serve its pack too (ARCID_PACKS={','.join([*settings.packs, names[0]])}), or {move}"


def _packs_of(model: str, packs: Packs) -> Iterator[str]:
    return (each.name for each in packs.manifests() if each.embedder is not None and each.embedder.model == model)
