"""All use of pymilvus: connections, collections of the engine, and the mapping of errors."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from app.errors import IndexUnavailable, IndexUnusable, SettingsInvalid
from app.observability.logs import get_logger
from app.types import Floats

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_log = get_logger(__name__)

Structure = Literal["FLAT", "HNSW"]
"""FLAT compares with every vector; HNSW walks a graph: faster on millions, but with a recall below 1."""

KEY, VECTOR = "key", "vector"

_TIMEOUT_S = 10.0  # of one call; pymilvus tries again until then
_OPEN_TIMEOUT_S = 600.0  # to create or load: an engine that has just started takes half a minute

_GRAPH = {"M": 32, "efConstruction": 200}
_LOOKED_AT = 256  # vectors of a graph, to find the best

# Every read sees all earlier writes. For that it waits for the engine's next tick: 0.2 s, or the engine's
# proxy.timeTickInterval. The levels that do not wait are faster but give no guarantee: on Milvus 2.3.5 a Session read
# finds rows that this process has just deleted, and a Bounded read may miss the last 5 s.
_STRONG = "Strong"

# Templates go directly to the engine, ignoring proxies in the environment.
_DIRECT = {"grpc.enable_http_proxy": 0}

_COLLECTION_NOT_FOUND = 100  # a code of the engine


def connect(address: str, token: str = "") -> "MilvusClient":
    """Connect to Milvus at an address (http://host:19530), or to milvus-lite in a file (/folder/faces.db).

    One connection serves all collections and threads, and reconnects after a restart of the engine. Raises
    SettingsInvalid if the package is missing or the address is invalid, IndexUnavailable if nothing answers.
    """
    try:
        # An extra, and slow to import.
        from pymilvus import MilvusClient  # noqa: PLC0415
        from pymilvus.exceptions import ConnectionConfigException  # noqa: PLC0415
    except ImportError as error:
        raise SettingsInvalid("the Milvus index needs the package pymilvus: pip install arcid[milvus]") from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each error with its traceback; `answering` logs
    try:
        with answering("connect"):
            return MilvusClient(address, token=token, timeout=_TIMEOUT_S, grpc_options=_DIRECT)
    except IndexUnavailable as error:
        if isinstance(error.__cause__, ConnectionConfigException):
            raise SettingsInvalid("the Milvus index needs an address such as http://host:19530") from error
        raise


@contextmanager
def answering(doing: str) -> Iterator[None]:
    """Turn pymilvus' errors into IndexUnavailable; into IndexUnusable if the engine's collection is missing."""
    import grpc  # noqa: PLC0415 - comes with pymilvus
    from pymilvus.exceptions import MilvusException  # noqa: PLC0415

    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        code = error.code() if isinstance(error, grpc.RpcError) else error.code
        _log.warning("index.engine_failed", doing=doing, code=str(code), error=str(error)[:300])
        if code == _COLLECTION_NOT_FOUND:
            raise IndexUnusable("the distributed index no longer has the collection") from error
        raise IndexUnavailable("the distributed index does not answer") from error


class EngineCollection:
    """A collection of the engine. Every method raises IndexUnavailable, or IndexUnusable if the engine has lost it."""

    def __init__(self, client: "MilvusClient", name: str, dimension: int, *, structure: Structure) -> None:
        """Create the collection if it is missing, and load it; see `MilvusIndex`.

        Each step can be repeated after a crash, or run in parallel by several processes.
        """
        self._client = client
        self._name = name
        with answering("open"):
            if not client.has_collection(name, timeout=_TIMEOUT_S):
                self._create(dimension)
            fields = {field["name"]: field for field in client.describe_collection(name, timeout=_TIMEOUT_S)["fields"]}
            found = int(fields.get(VECTOR, {}).get("params", {}).get("dim", 0))
            if found != dimension or KEY not in fields:
                raise IndexUnusable(f"{name} of the distributed index holds vectors of length {found}, not {dimension}")
            if not client.list_indexes(name):
                self._structure(structure)
            self.has_graph = client.describe_index(name, VECTOR, timeout=_TIMEOUT_S)["index_type"] == "HNSW"
            client.load_collection(name, timeout=_OPEN_TIMEOUT_S)

    def upsert(self, rows: list[dict[str, Any]]) -> None:
        """Add rows of KEY and VECTOR, in place of those of the same keys."""
        with answering("add"):
            self._client.upsert(self._name, rows, timeout=_TIMEOUT_S)

    def delete(self, keys: list[int]) -> None:
        """Remove the rows of some keys."""
        with answering("remove"):
            self._client.delete(self._name, ids=keys, timeout=_TIMEOUT_S)

    def count(self, condition: str = "") -> int:
        """Return the number of rows that match a condition."""
        with answering("count"):
            rows = self._client.query(
                self._name, condition, ["count(*)"], timeout=_TIMEOUT_S, consistency_level=_STRONG
            )
        return int(rows[0]["count(*)"])

    def query(self, condition: str, fields: list[str], **limit: int) -> Sequence[dict[str, Any]]:
        """Return the rows that match a condition, in no order."""
        with answering("query"):
            rows: Sequence[dict[str, Any]] = self._client.query(
                self._name, condition, fields, timeout=_TIMEOUT_S, consistency_level=_STRONG, **limit
            )
        return rows

    def search(self, vectors: Floats, k: int, condition: str) -> Sequence[Any]:
        """Return for each probe (n, d) its hits, best first: an object with `ids` and `distances` (inner products)."""
        options = {"params": {"ef": max(_LOOKED_AT, k)}} if self.has_graph else {}
        with answering("search"):
            hits: Sequence[Any] = self._client.search(
                self._name,
                vectors,
                condition,
                k,
                [KEY],  # without, milvus-lite sends the vectors too
                options,
                _TIMEOUT_S,
                anns_field=VECTOR,
                consistency_level=_STRONG,
            )
        return hits

    def drop(self) -> None:
        """Remove the collection with its content."""
        with answering("drop"):
            self._client.drop_collection(self._name, timeout=_TIMEOUT_S)

    def _create(self, dimension: int) -> None:
        from pymilvus import DataType  # noqa: PLC0415

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(KEY, DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
        self._client.create_collection(self._name, schema=schema, consistency_level=_STRONG, timeout=_OPEN_TIMEOUT_S)

    def _structure(self, structure: Structure) -> None:
        index = self._client.prepare_index_params()
        # IP, not COSINE: vectors are compared as they are; other lengths than 1 become visible.
        index.add_index(VECTOR, index_type=structure, metric_type="IP", params=_GRAPH if structure == "HNSW" else {})
        self._client.create_index(self._name, index, timeout=_OPEN_TIMEOUT_S)
