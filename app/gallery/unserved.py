"""Collections of networks that are not served: empty ones take a served network, the others need the operator."""

from collections.abc import Callable, Iterable

from app.errors import CollectionUnknown, ModelMismatch
from app.gallery.store.values import Collection
from app.observability.logs import get_logger

_log = get_logger(__name__)


def _unchanged(collection: Collection) -> Collection:
    return collection


def _general_remedy(_collection: Collection) -> str:
    return "add its pack to ARCID_PACKS, or migrate the collection to a network that runs (arcid reembed start)"


class UnservedCollections:
    """Gives empty collections a served network, and refuses or reports the others with the remedy."""

    def __init__(
        self,
        models: Iterable[str],
        *,
        adopt: Callable[[Collection], Collection] = _unchanged,
        remedy: Callable[[Collection], str] = _general_remedy,
    ) -> None:
        """Store the models and both functions.

        Args:
            models: The models that this service runs.
            adopt: Gives an empty collection a served network; returns the collection as it is then.
            remedy: Returns how the operator makes a collection usable.
        """
        self._models = sorted(models)
        self._adopt = adopt
        self._remedy = remedy

    def resolve(self, collection: Collection) -> Collection:
        """Return a collection of a served network, one of another network after it has taken a served one.

        Raises ModelMismatch if it cannot take one, and CollectionUnknown if it was just deleted.
        """
        if collection.model in self._models:
            return collection
        now = collection if collection.faces else self._adopt(collection)
        if now.model not in self._models:
            raise ModelMismatch(self.problem(now))
        if now.uid != collection.uid:
            _log.info("collection.network_taken", collection=now.name, before=collection.model, model=now.model)
        return now

    def problem(self, collection: Collection) -> str:
        """Return why a collection cannot be used here, and the remedy."""
        relation, reason = "was enrolled with", "embeddings of different networks cannot be compared: "
        if not collection.faces:
            relation, reason = (
                "is of",
                (
                    "being empty, it takes the network of the service once it has no threshold and no unfinished job, "
                    "at most once a minute; or "
                ),
            )
        models = ", ".join(self._models)
        found = f"collection {collection.name!r} {relation} {collection.model}, the service runs {models}"
        return f"{found}; {reason}{self._remedy(collection)}"

    def resolve_or_report(self, collection: Collection) -> Collection | None:
        """Return a collection as `resolve` does. If it cannot be used, log it with the remedy, and return None."""
        try:
            return self.resolve(collection)
        except CollectionUnknown:
            return None
        except ModelMismatch:
            fields = {"collection": collection.name, "model": collection.model, "faces": collection.faces}
            _log.warning("collection.not_served", **fields, hint=self._remedy(collection))
            return None
