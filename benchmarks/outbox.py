"""Measure what events cost: enrollments and imports with and without them, and sightings under rules.

    python benchmarks/outbox.py --rounds 20

Blocks with and without events alternate, and processor time is compared, so other work on the machine matters little.
Templates are random: networks, which take most of the time of an enrollment, are not included.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np

from app.config import PROJECT
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, NewFace, Person
from app.notify.rule_store import RuleStore
from app.notify.rules import RuleEvent, SightingRule
from app.notify.sighting import Sighting, SightingVerdict
from app.notify.sighting_service import SightingService
from app.types import Detection
from app.vision.quality import Quality

_BLOCK = 50
_DIMENSION = 512


def new_face() -> NewFace:
    """Return a face with a random template."""
    vector = np.random.default_rng().normal(size=_DIMENSION).astype(np.float32)
    detection = Detection((0, 0, 100, 100), 0.9, np.zeros((5, 2), np.float32))
    return NewFace(str(uuid4()), vector / np.linalg.norm(vector), 20.0, Quality(0.8), detection, uuid4().hex * 2)


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """Return the processor time of one call, in milliseconds."""
    began = time.process_time()
    for _ in range(times):
        work()
    return 1000 * (time.process_time() - began) / times


def compared(name: str, works: tuple[Callable[[], object], Callable[[], object]], rounds: int, times: int) -> str:
    """Return a line with the medians without and with events, and the median of the ratios of neighbours."""
    pairs = [(cpu_ms(works[0], times), cpu_ms(works[1], times)) for _ in range(rounds)]
    without, with_events = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs)
    return f"{name}: {without:.2f} ms without events, {with_events:.2f} ms with them, ratio {ratio:.2f}"


def enrolling(store: IdentityStore, collection: Collection) -> Callable[[], object]:
    """Return the enrollment of a new person with one face."""
    return lambda: store.enroll(collection, Person(uuid4().hex), [new_face()])


def importing(store: IdentityStore, collection: Collection) -> Callable[[], object]:
    """Return a transaction of an import: 50 people with one face each."""
    return lambda: store.enroll_people(collection, [(Person(uuid4().hex), [new_face()]) for _ in range(_BLOCK)])


def sighted(service: SightingService) -> Callable[[], object]:
    """Return the record of an unknown person on a new track."""
    now = datetime.now(UTC)
    unknown = SightingVerdict.UNKNOWN
    seen = Sighting("door", "", "people", unknown, None, None, None, None, None, 0.8, 7, now, now)
    return lambda: service.record(replace(seen, track_id=uuid4().hex))


def watchlist() -> SightingRule:
    """Return a rule that every unknown person matches, with a cooldown."""
    now = datetime.now(UTC)
    return SightingRule(
        rule_id="",
        name="everybody",
        event=RuleEvent.WATCHLIST_HIT,
        collections=None,
        cameras=None,
        verdicts=[SightingVerdict.UNKNOWN],
        is_live_required=False,
        quiet_hours=None,
        cooldown_seconds=60,
        send_to=None,
        is_enabled=True,
        created_at=now,
        updated_at=now,
    )


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        databases = [
            Database(sqlite_url(Path(folder) / f"{has_events}.db"), PROJECT / "migrations", has_events=has_events)
            for has_events in (False, True)
        ]
        stores = []
        for each in databases:
            each.schema.upgrade()
            store = IdentityStore(each.engine)
            stores.append((store, store.create_collection("people", model="net", dimension=_DIMENSION)))
        off, on = stores
        print(compared("enrollment of one face", (enrolling(*off), enrolling(*on)), rounds, _BLOCK))
        print(compared("import of 50 faces", (importing(*off), importing(*on)), rounds, 2))
        engine = databases[1].engine
        service = SightingService(engine)
        print(f"sighting without rules: {cpu_ms(sighted(service), 200):.2f} ms")
        for _ in range(200):
            RuleStore(engine).create(watchlist())
        print(f"sighting under 200 rules in their cooldown: {cpu_ms(sighted(service), 50):.2f} ms")
        for each in databases:
            each.close()


if __name__ == "__main__":
    main()
