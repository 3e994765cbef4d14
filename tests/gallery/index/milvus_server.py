"""Milvus for tests: milvus-lite in a file, and the server that `.ci/milvus start` runs (address in TEST_MILVUS)."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from app.config import PROJECT
from app.gallery.index.milvus import MilvusIndex
from app.gallery.index.milvus_engine import Structure, connect

ADDRESS = "TEST_MILVUS"  # no ARCID_: those names are ArcID's settings
SCRIPT = PROJECT / ".ci" / "milvus"
ENGINES: tuple[tuple[str, Structure], ...] = (
    ("milvus-lite", "FLAT"),
    ("milvus-lite", "HNSW"),
    ("milvus-server", "FLAT"),
    ("milvus-server", "HNSW"),
)


def lite_address(folder: Path) -> str:
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed; run: pip install pymilvus milvus-lite")
    return str(folder / "faces.db")


def server_address() -> str:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: pip install pymilvus")
    if not (address := os.environ.get(ADDRESS)):
        pytest.skip(f"{ADDRESS} names no Milvus server; run: export {ADDRESS}=$(.ci/milvus start)")
    return address


def lite_index(folder: Path, dimension: int, structure: Structure = "FLAT") -> MilvusIndex:
    """Return an empty index in a file of a folder."""
    return EmptyIndexes(lite_address(folder), structure).new(dimension)


def server_index(address: str, dimension: int, structure: Structure = "FLAT") -> MilvusIndex:
    """Return an empty index on a server; the caller drops it."""
    return EmptyIndexes(address, structure).new(dimension)


class EmptyIndexes:
    """Hands out empty indexes; used ones are emptied and used again, since the server takes 3 s to create one."""

    def __init__(self, address: str, structure: Structure) -> None:
        self.address, self.structure = address, structure
        self.client = connect(address)
        self._free: list[MilvusIndex] = []
        self._used: list[MilvusIndex] = []

    def new(self, dimension: int) -> MilvusIndex:
        found = next((each for each in self._free if each.dimension == dimension), None)
        if found:
            self._free.remove(found)
        else:
            found = MilvusIndex(self.client, f"test_{uuid4().hex}", dimension, structure=self.structure)
        self._used.append(found)
        return found

    def take_back(self) -> None:
        """Empty all that were handed out."""
        for index in self._used:
            index.remove(index.keys())
        self._free += self._used
        self._used = []

    def close(self) -> None:
        for index in self._free + self._used:
            index.drop()
        self.client.close()
