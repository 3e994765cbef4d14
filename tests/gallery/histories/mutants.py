"""Mutants: errors in the code that histories must notice. Each replaces text of one function, for a while."""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

from tests.gallery.histories.runner import Histories
from tests.gallery.histories.simulation import Failed

_PROJECTION = "app.gallery.index_projection:LocalProjection"
_STORE = "app.gallery.store.identities:IdentityStore"
_LOG = "app.gallery.store.change_log"
_JOURNAL = "app.gallery.index.journal:Journal"


@dataclass(frozen=True)
class Mutant:
    """An error: `old` text of a function ("module:name") that is replaced by `new`. `seeds`: enough to notice it."""

    name: str
    function: str
    old: str
    new: str
    seeds: int = 300

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context manager: run the changed function instead of the real one."""
        module, _, path = self.function.partition(":")
        *owners, name = path.split(".")
        owner: Any = attrgetter(".".join(owners))(import_module(module)) if owners else import_module(module)
        real = inspect.getattr_static(owner, name)
        function: Any = inspect.unwrap(real)
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.old) != 1:
            raise LookupError(f"{self.name}: {self.function} no longer has {self.old!r}")
        made: dict[str, Any] = {}
        exec(compile(source.replace(self.old, self.new), module, "exec"), function.__globals__, made)  # noqa: S102
        setattr(owner, name, made[name])
        try:
            yield
        finally:
            setattr(owner, name, real)


def seeds_to_notice(made: Histories, mutant: Mutant, most: int) -> int | None:
    """Return how many seeds it takes until a history fails; None if none does."""
    with mutant.applied():
        for seed in range(most):
            try:
                made.run(seed)
            except Failed:
                return seed + 1
    return None


MUTANTS = [
    Mutant(
        "a follower notes the revision before it applies it",
        f"{_PROJECTION}._follow",
        "    try:\n        self._apply(",
        "    self._revision = tail.revision\n    try:\n        self._apply(",
    ),
    Mutant(
        "a follower notes the next revision",
        f"{_PROJECTION}._follow",
        "self._revision = tail.revision",
        "self._revision = tail.revision + 1",
        seeds=30,
    ),
    Mutant(
        "a follower skips the first revision that it lacks",
        f"{_LOG}:changes_since",
        "ChangeTable.revision > revision,",
        "ChangeTable.revision > revision + 1,",
        seeds=30,
    ),
    Mutant(
        "a revision is committed before its write",
        f"{_LOG}:next_revision",
        "    revision: int | None = session.scalar(",
        "    with Session(session.get_bind()) as early, early.begin():\n        revision: int | None = early.scalar(",
        seeds=30,
    ),
    Mutant(
        "an old addition undoes a later removal",
        f"{_LOG}:changes_since",
        ".order_by(ChangeTable.revision, ChangeTable.id)",
        ".order_by(ChangeTable.revision.desc(), ChangeTable.id)",
        seeds=30,
    ),
    Mutant(
        "a trimmed log seems whole",
        f"{_LOG}:ChangeLog.trim",
        ".values(log_from=row.revision)",
        ".values(log_from=CollectionTable.log_from)",
    ),
    Mutant(
        "removals are not applied",
        "app.gallery.index_projection:Projection._apply",
        "index.remove(tail.removed)",
        "pass",
        seeds=30,
    ),
    Mutant(
        "the writer's own index is not told",
        "app.gallery.gallery:Gallery._show",
        "    revision = written[0].revision\n",
        "    return\n",
        seeds=30,
    ),
    Mutant(
        "a poll is lost",
        "app.gallery.gallery:Gallery.follow",
        "self.catch_up(collection, collection.revision)",
        "pass",
        seeds=30,
    ),
    Mutant(
        "the last part of a batch is not read",
        f"{_STORE}.templates_of",
        "range(0, len(keys), _ASK_AT_ONCE)",
        "range(0, len(keys) - 1, _ASK_AT_ONCE)",
        seeds=30,
    ),
    Mutant(
        "a writer skips revisions of others",
        f"{_PROJECTION}.advance",
        "if self._revision != target - 1:",
        "if self._revision >= target:",
    ),
    Mutant(
        "a rebuild notes the revision of its end",
        f"{_PROJECTION}._rebuild",
        "    self._fill(index)\n",
        "    self._fill(index)\n    revision = self._log.revisions()[self._collection.key]\n",
    ),
    Mutant(
        "a broken index is used on",
        f"{_PROJECTION}._break",
        "self._is_broken = True",
        "pass",
    ),
    Mutant(
        "a snapshot names the next revision",
        f"{_PROJECTION}.save",
        "self._index.save(self._folder, self._origin, revision)",
        "self._index.save(self._folder, self._origin, revision + 1)",
        seeds=600,
    ),
    Mutant(
        "damaged parts of a snapshot are not read again",
        f"{_PROJECTION}._restored",
        "self._fill(self._index, first=lost.first, last=lost.last)",
        "pass",
        seeds=900,
    ),
    Mutant(
        "erased faces stay in snapshots",
        f"{_PROJECTION}._purge",
        "return purge_keys(self._folder, keys)",
        "return 0",
    ),
    Mutant(
        "snapshots of previous networks stay after a crash",
        "tests.gallery.histories.replica:purge_stale",
        "if path.name not in current",
        "if False",
    ),
    Mutant(
        "a prepared index notes the revision of its end",
        f"{_PROJECTION}.prepare",
        "self._revision = self._collection.revision",
        "self._revision = self._log.revisions().get(self._collection.key, 0)",
    ),
    Mutant(
        "a switch keeps the collection's uid",
        "app.gallery.store.model_migration:set_model",
        "uid=uid or str(uuid4())",
        "uid=collection.uid",
    ),
    Mutant(
        "faces of the previous network are enrolled after a switch",
        f"{_STORE}.enroll",
        "rows.require_unchanged(session, collection)",
        "pass",
        seeds=900,
    ),
    Mutant(
        "a merge moves half",
        "app.gallery.store.editing:EditingRepository.merge",
        "update(FaceTable).where(FaceTable.identity_key == source.id)",
        "update(FaceTable).where(FaceTable.id.in_(keys[: (len(keys) + 1) // 2]))",
    ),
    Mutant(
        "an enrollment is repeated",
        "app.gallery.store.identities:earlier_enrollment",
        "EnrollmentTable.created_at >= since",
        "EnrollmentTable.created_at < since",
        seeds=900,
    ),
    Mutant(
        "a sweep erases who is kept again",
        f"{_STORE}.remove_identity",
        "(only_expired and not retention.has_expired(session, identity, datetime.now(UTC)))",
        "False",
        seeds=30,
    ),
    Mutant(
        "expired people are found",
        "app.gallery.store.enrolled:KeptIdentity.is_over",
        "return self.ends_at is not None and self.ends_at <= now",
        "return False",
    ),
    Mutant(
        "owners of an earlier state are used",
        "app.gallery.owner_cache:OwnerCache.owners",
        "kept.state == state",
        "True",
    ),
    Mutant(
        "a new connection repeats a version of the database",
        "app.database.data_version:DataVersion.read",
        "return self._connections, int(version)",
        "return 0, int(version)",
        seeds=30,
    ),
    Mutant(
        "a follower looks at the version of the database after it has read",
        "app.gallery.replication:ReplicationWorker._follow",
        "self._followed = version",
        "self._followed = self._version and self._version.read()",
    ),
    Mutant("removals during a change of the index are lost", f"{_JOURNAL}.remove", "self._note(", "repr(", seeds=900),
    Mutant("additions during a change of the index are lost", f"{_JOURNAL}.add", "self._note(", "repr(", seeds=900),
]
