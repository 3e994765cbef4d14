"""The indexes of the service's own process. CONTRIBUTING.md lists the steps to add one."""

from collections.abc import Callable, Mapping
from functools import partial

from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
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

DEVICE_INDEXES = frozenset({IndexKind.GPU})
"""The kinds that need a device. A collection can have one only if it is also the index of the service."""
