"""Collections of networks that are not served: empty ones take a served network, the others need the operator."""

from collections.abc import Callable, Iterable

from app.errors import CollectionUnknown, ModelMismatch
from app.gallery.store.network_adoption import Binding
from app.gallery.store.values import Collection
from app.observability.logs import get_logger

_log = get_logger(__name__)


_WHY_EMPTY = {
    Binding.THRESHOLD: (
        "it is empty, but its threshold is for this network: reset the threshold, and the next request gives it a "
        "network of the service (arcid collections set {0} --reset threshold)"
    ),
    Binding.JOB: (
        "it is empty, but a job about it is unfinished: wait for the job, or cancel it "
        "(arcid jobs list --collection {0})"
    ),
    Binding.RECENT_CHANGE: (
        "it is empty, but its network changed within the last minute: try again in a minute, and give all replicas "
        "the same packs"
    ),
    None: "it is empty: repeat the request, which gives it a network of the service",
}
"""Why an empty collection is not usable yet, and the easiest remedy; {0} is its name."""


def _unchanged(collection: Collection) -> Collection:
    return collection


def _bound_by_faces(collection: Collection) -> Binding | None:
    return Binding.FACE if collection.faces else None


def _general_remedy(_collection: Collection) -> str:
    return "add its pack to ARCID_PACKS, or migrate the collection to a network that runs (arcid reembed start)"


class UnservedCollections:
    """Gives empty collections a served network, and refuses or reports the others with the remedy."""

    def __init__(
        self,
        models: Iterable[str],
        *,
        adopt: Callable[[Collection], Collection] = _unchanged,
        binding: Callable[[Collection], Binding | None] = _bound_by_faces,
        remedy: Callable[[Collection], str] = _general_remedy,
    ) -> None:
        """Store the models and the functions.

        Args:
            models: The models that this service runs.
            adopt: Gives an empty collection a served network; returns the current collection.
            binding: Returns what keeps a collection on its network.
            remedy: Returns how the operator makes a collection usable.
        """
        self._models = sorted(models)
        self._adopt = adopt
        self._binding = binding
        self._remedy = remedy

    def resolve(self, collection: Collection) -> Collection:
        """Return a collection of a served network; an empty one of another network takes a served one first.

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
        relation = "was enrolled with" if collection.faces else "is of"
        found = f"collection {collection.name!r} {relation} {collection.model}, the service runs"
        return f"{found} {', '.join(self._models)}; {self._hint(collection)}"

    def is_permanent(self, collection: Collection) -> bool:
        """Return whether a collection is not served, and stays so until the operator acts."""
        if collection.model in self._models:
            return False
        return collection.faces > 0 or self._binding(collection) not in {None, Binding.RECENT_CHANGE}

    def resolve_or_report(self, collection: Collection) -> Collection | None:
        """Return a collection as `resolve` does. If it cannot be used, log it with the remedy, and return None."""
        try:
            return self.resolve(collection)
        except CollectionUnknown:
            return None
        except ModelMismatch:
            fields = {"collection": collection.name, "model": collection.model, "faces": collection.faces}
            _log.warning("collection.not_served", **fields, hint=self._hint(collection))
            return None

    def _hint(self, collection: Collection) -> str:
        """Return what keeps a collection on its network, and the remedies, the easiest one first."""
        binding, remedy = self._binding(collection), self._remedy(collection)
        if binding is Binding.FACE:
            return f"embeddings of different networks cannot be compared: {remedy}"
        return f"{_WHY_EMPTY[binding].format(collection.name)}; or {remedy}"
