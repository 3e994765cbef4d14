"""The indexes of the service's own process. CONTRIBUTING.md lists the steps to add one."""

from collections.abc import Callable, Mapping
from functools import partial

from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex, most_exact
from app.gallery.index.protocol import LocalIndex
from app.types import IndexKind

_LEAST_COMPRESSED = 2_000  # templates that codes can be learned from


def _gpu(dimension: int) -> LocalIndex:
    from app.gallery.index.gpu import GpuIndex  # noqa: PLC0415 - looks for a GPU when it is imported

    return GpuIndex(dimension)


LOCAL_INDEXES: Mapping[IndexKind, Callable[[int], LocalIndex]] = {
    IndexKind.AUTO: GrowingIndex,
    IndexKind.EXACT: FlatIndex,
    IndexKind.COMPRESSED: partial(GrowingIndex, limit=_LEAST_COMPRESSED),
    IndexKind.GPU: _gpu,
}
"""By kind: a function from the length of the vectors to an empty index."""


def kind_of_size(kind: IndexKind, faces: int, dimension: int) -> IndexKind:
    """Return the kind that a new index has with so many templates: `auto` and `compressed` start as exact ones."""
    limits = {IndexKind.AUTO: most_exact(dimension), IndexKind.COMPRESSED: _LEAST_COMPRESSED}
    if kind not in limits:
        return kind
    return IndexKind.COMPRESSED if faces > limits[kind] else IndexKind.EXACT


DEVICE_INDEXES = frozenset({IndexKind.GPU})
"""The kinds that need a device. A collection can have one only if it is also the index of the service."""
