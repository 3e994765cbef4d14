"""The default collection: a service creates it at its start, `arcid db upgrade` does not."""

from app.container import Container
from app.wiring.resources import DEFAULT_COLLECTION


def ensure_default(container: Container, name: str = DEFAULT_COLLECTION) -> None:
    """Create the default collection if it is the one of this name, and missing."""
    if name == DEFAULT_COLLECTION:
        container.gallery.ensure(name, container.collection_settings)
