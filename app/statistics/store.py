"""Statistics in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, Insert, Integer, cast, delete, func, select

from app.database.statistics_tables import StatisticsTable
from app.database.tables import CollectionTable
from app.database.upsert import insert_for
from app.errors import CollectionUnknown
from app.statistics.counts import Count

_UNIQUE = ("scope", "hour", "series", "operation", "label")
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Hours from `first` to `last`, in buckets of `hours`; of one collection and operation, or of all (None)."""

    first: int
    last: int
    hours: int
    collection: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class BucketCount:
    """A count in a bucket; `bucket` is its number since 1970."""

    bucket: int
    series: str
    operation: str
    label: str
    count: int


class StatisticsStore:
    """Adds and sums counts. Replicas write to the same rows, and the database adds."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def add(self, counts: Mapping[Count, int]) -> None:
        """Add counts in one transaction; those of collections that do not exist are dropped."""
        names = {each.collection for each in counts if each.collection is not None}
        with self._writing.begin() as connection:
            # The lock keeps others from deleting the collections until the counts are written.
            query = select(CollectionTable.name, CollectionTable.id).where(CollectionTable.name.in_(names))
            locked = query.order_by(CollectionTable.id).with_for_update(read=True, key_share=True)
            known = {row.name: row.id for row in connection.execute(locked)} if names else {}
            rows = [
                _row(each, known.get(each.collection or ""), count)
                for each, count in counts.items()
                if each.collection is None or each.collection in known
            ]
            rows.sort(key=lambda row: [row[name] for name in _UNIQUE])  # the same order in all replicas: no deadlock
            for start in range(0, len(rows), _AT_ONCE):
                connection.execute(self._adding(), rows[start : start + _AT_ONCE])

    def sums(self, of: Selection) -> list[BucketCount]:
        """Return the sums of each bucket; raises CollectionUnknown."""
        table, hours = StatisticsTable, of.hours
        bucket = cast(table.hour // hours, Integer)
        columns = (bucket, table.series, table.operation, table.label)
        query = select(*columns, func.sum(table.count)).where(table.hour.between(of.first, of.last)).group_by(*columns)
        if of.operation is not None:
            query = query.where(table.operation == of.operation)
        with self._reading.connect() as connection:
            if of.collection is not None:
                key = connection.scalar(select(CollectionTable.id).where(CollectionTable.name == of.collection))
                if key is None:
                    raise CollectionUnknown(of.collection)
                query = query.where(table.scope == key)
            return [BucketCount(*row[:4], int(row[4])) for row in connection.execute(query)]

    def forget(self, before: int) -> int:
        """Delete the counts of all hours before one, and return their number."""
        with self._writing.begin() as connection:
            return connection.execute(delete(StatisticsTable).where(StatisticsTable.hour < before)).rowcount

    def _adding(self) -> Insert:
        adding = insert_for(self._writing, StatisticsTable)
        total = StatisticsTable.count + adding.excluded.count
        return adding.on_conflict_do_update(index_elements=_UNIQUE, set_={"count": total})


def _row(key: Count, collection: int | None, count: int) -> dict[str, object]:
    return {
        "collection_id": collection,
        "scope": collection or 0,
        "hour": key.hour,
        "series": key.series.value,
        "operation": key.operation.value,
        "label": key.label,
        "count": count,
    }
