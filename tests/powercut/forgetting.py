"""Programs that forget a sync: a recording without the syncs of one kind of file or folder, which cuts must catch."""

from collections.abc import Callable
from fnmatch import fnmatchcase

from tests.powercut.databases import DATA
from tests.powercut.recorder import Operation, Record

_DELETED = "deleted in "
FORGETTABLE = {
    "the database's log (synchronous=OFF or NORMAL)": "arcid.db-wal",
    "the database at a checkpoint": "arcid.db",
    "the master key": ".master.key-*",
    "the names in the data folder": "",
    "a segment of a snapshot, before its rename": "index/*/.part-*",
    "a deletion in a snapshot's folder": f"{_DELETED}index/*-*-*-*-????????????",
    "the folder of all snapshots": "index",
    "the id of the data folder": "jobs/place.*",
    "the names in the folder of jobs": "jobs",
    "the file of an import": "jobs/*.upload",
    "a part of a resumable upload": "jobs/resumable/*.part",
    "what is known about an upload": "jobs/resumable/*.json",
    "the names of resumable uploads": "jobs/resumable",
    "an archive, before its rename": "jobs/.*.archive-*",
    "a backup, before its rename": "backups/.arcid-*",
    "the names of backups": "backups",
}
"""Each kind of sync of a service, with the paths of its files and folders, relative to the data folder."""


def forgets(pattern: str, records: list[Record]) -> Callable[[Record], bool]:
    """Return what selects the syncs of a pattern's paths; `_DELETED`: only those that follow a deletion there."""
    path, selected = _path(pattern), set()
    last: dict[str, Operation] = {}
    for each in records:
        if each.operation is Operation.SYNC and fnmatchcase(each.path, path):
            if not pattern.startswith(_DELETED) or last.get(each.path) is Operation.UNLINK:
                selected.add(id(each))
        elif each.operation in {Operation.CREATE, Operation.RENAME, Operation.UNLINK}:
            last[(each.path2 or each.path).rpartition("/")[0]] = each.operation
    return lambda record: id(record) in selected


def unlisted(records: list[Record]) -> set[str]:
    """Return the paths of a recording that were synced and that no pattern has."""
    synced = {each.path for each in records if each.operation is Operation.SYNC}
    return {path for path in synced if not any(fnmatchcase(path, _path(pattern)) for pattern in FORGETTABLE.values())}


def _path(pattern: str) -> str:
    return f"{DATA}/{pattern.removeprefix(_DELETED)}".rstrip("/")
