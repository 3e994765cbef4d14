"""Check that clients notice nothing while replicas are upgraded, restarted and killed, and PostgreSQL restarts.

    nice python benchmarks/rolling_upgrade.py --images ../shared/lfw/images --from 78fb338 --minutes 10

Three replicas of an older version (`--from`, a git revision) run behind nginx (docker/nginx-replicas.conf), on one
PostgreSQL. Seeded clients enroll, identify, verify, read, change and delete people at a low rate. While they do:

1. `arcid db upgrade` of this version; replica after replica is stopped and started again with this version;
2. the same with the next version: a copy of this one with one more migration. All replicas must stay ready;
3. until the time is up: PostgreSQL restarts (`fast`, `immediate`), a replica is killed, all replicas restart in turn.

At least 99.9 % of requests must get 2xx or an expected 4xx (a request that nginx repeats counts as one). Answers are
checked: after 3 seconds every replica finds an acknowledged person, deleted people are never found, and what was
stored is read. At the end each person has one face, the indexes equal the database, and the audit trail is intact.
Exit status 1 with a violation.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx2
from crash import Lost
from replica_set import ReplicaSet, Version, next_version, replica_set, this_version, version_of
from upgrade_load import BOUND_S, Client, Seen

from app.config import read_settings
from tests.cluster import Cluster, running

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWERED = 0.999
_CLIENTS = 3
_CALM_S = 6.0  # between two events
_DOWN_S = 1.0
_CHECK_S = 4.0  # between two checks of each replica


class Trial:
    """One run: the replicas, their database and the clients."""

    def __init__(self, replicas: ReplicaSet, cluster: Cluster, environment: dict[str, str], seen: Seen) -> None:
        self._set = replicas
        self._cluster = cluster
        self._environment = environment
        self.seen = seen
        self._rng = random.Random(99)
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._check_each)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._watch.join()

    def upgrade(self, version: Version) -> None:
        """Upgrade the schema under load, then replica after replica."""
        made = version.run(self._environment, "db", "upgrade")
        if made.returncode:
            raise Lost(f"db upgrade of {version.name}: {made.stderr}")
        ready = sum(each.is_ready() for each in self._set.replicas)
        print(f"schema {made.stdout.strip()}; {ready} of 3 replicas of the version before are ready", flush=True)
        if version.name == "next" and ready < len(self._set.replicas):
            raise Lost("the replicas of this version are not ready with the schema of the next one")
        self.restart(version)

    def restart(self, version: Version) -> None:
        """Stop one replica after the other, and start it again with a version."""
        for each in self._set.replicas:
            stopped = each.stop()
            print(f"stopped in {stopped:.1f} s, {version.name} ready after {each.start(version):.1f} s", flush=True)
            self.calm()

    def kill(self) -> None:
        """Kill a replica and start it again."""
        each = self._rng.choice(self._set.replicas)
        each.kill()
        time.sleep(_DOWN_S)
        print(f"killed, ready again after {each.start(each.version):.1f} s", flush=True)

    def restart_database(self, mode: str) -> None:
        """Restart PostgreSQL."""
        started = time.monotonic()
        self._cluster.stop(mode)
        time.sleep(_DOWN_S)
        self._cluster.start()
        with self.seen.lock:
            self.seen.outage = time.monotonic()
        print(f"PostgreSQL was away for {time.monotonic() - started:.1f} s ({mode})", flush=True)

    def calm(self) -> None:
        """Wait for the next event; raise Lost with the first wrong answer."""
        time.sleep(_CALM_S)
        for each in self.seen.wrong:
            raise Lost(each)

    def disturb(self, version: Version, until: float) -> None:
        """Restart and kill until the time is up."""
        acts: list[Callable[[], None]] = [
            lambda: self.restart_database("fast"),
            self.kill,
            lambda: self.restart_database("immediate"),
            lambda: self.restart(version),
        ]
        for act in itertools.cycle(acts):
            if time.monotonic() > until:
                return
            act()
            self.calm()

    def _check_each(self) -> None:
        """Ask each replica for a person whom it must know, and for all deleted ones."""
        while not self._stopping.wait(_CHECK_S):
            for each in self._set.replicas:
                person, gone = self.seen.settled(self._rng), set(self.seen.deleted)
                if person is None or not each.is_ready():
                    continue
                data = {"top_k": "100", "threshold": "-1"}
                try:
                    answer = each.client.post("/identify", files={"photo": person.photo}, data=data)
                except httpx2.TransportError:
                    continue
                if answer.status_code == 200:
                    self.seen.checks["asked directly"] += 1
                    self.seen.check(answer.json(), person, gone)


def finish(trial: Trial, replicas: ReplicaSet, version: Version, environment: dict[str, str]) -> None:
    """Check the final state and print the figures; raise Lost with a violation."""
    seen, first = trial.seen, replicas.replicas[0]
    time.sleep(BOUND_S)
    for person in seen.enrolled.values():
        data = {"identity_id": person.identity_id}
        found = first.client.post("/verify", files={"probe": person.photo}, data=data).json()
        if found["reference_face"]["faces"] != 1:
            raise Lost(f"{person.identity_id} has {found['reference_face']['faces']} faces")
    verified = version.run(environment, "index", "verify")
    if not verified.stdout.startswith(f"default: {len(seen.enrolled)} faces") or verified.returncode:
        raise Lost(f"{len(seen.enrolled)} faces were expected: {verified.stdout}{verified.stderr}")
    if (trail := version.run(environment, "audit", "verify")).returncode:
        raise Lost(f"the audit trail: {trail.stdout}{trail.stderr}")
    tracebacks = [each.log for each in replicas.replicas if "Traceback" in each.log.read_text()]
    asked, answered = seen.answers.total(), seen.answers.total() - len(seen.unanswered)
    passed, repeated = replicas.tries()
    print(dict(sorted(seen.answers.items())))
    print(f"checked: {dict(seen.checks)}; {len(seen.enrolled)} enrolled, {len(seen.deleted)} deleted")
    print(f"nginx passed on {passed} requests, {repeated} of them to more than one replica")
    print(f"longest answer {seen.longest:.1f} s; answered: {answered} of {asked} ({answered / asked:.4%})", flush=True)
    for each in seen.unanswered:
        print(f"  {each}")
    if seen.wrong or tracebacks or answered < _ANSWERED * asked:
        raise Lost(f"wrong: {seen.wrong[:5]}, tracebacks in: {tracebacks}")


def good_photos(images: Path) -> list[Path]:
    """Return a photo of each person, in a seeded order."""
    photos = sorted(images.glob("*/*_0001.jpg"))
    random.Random(5).shuffle(photos)
    return photos


def trial(options: argparse.Namespace, folder: Path, cluster: Cluster, stack: ExitStack) -> None:
    """Run everything in a folder."""
    environment = {
        **os.environ,
        "ARCID_DATABASE_URL": cluster.url,
        "ARCID_DATA_DIR": str(folder / "command"),
        "ARCID_MODELS_DIR": str(Path(read_settings().models_dir).absolute()),
        "ARCID_PROXIES": "127.0.0.1",
    }
    this = this_version(folder / "this")
    old = stack.enter_context(version_of(options.old, folder / "old")) if options.old else this
    for arguments in (("db", "upgrade"), ("keys", "create", "clients", "--scope", "admin")):
        if (made := old.run(environment, *arguments)).returncode:
            raise Lost(made.stderr)
    key = made.stdout.strip()
    head = this.run(environment, "db", "status").stdout.rpartition("needed: ")[2].strip()
    upcoming = next_version(folder / "next", head)
    replicas = stack.enter_context(replica_set(folder, environment, old, key))
    photos, seen = good_photos(options.images), Seen()
    pause = _CLIENTS / options.rate
    clients = [
        Client(replicas.address, key, seen, photos[number::_CLIENTS], seed=number, pause=pause)
        for number in range(_CLIENTS)
    ]
    until = time.monotonic() + 60 * options.minutes
    with Trial(replicas, cluster, environment, seen) as running_trial:
        for each in clients:
            each.start()
        try:
            running_trial.calm()
            if options.old:
                running_trial.upgrade(this)
            running_trial.upgrade(upcoming)
            running_trial.disturb(upcoming, until)
        finally:
            for each in clients:
                each.stop()
    finish(running_trial, replicas, upcoming, environment)


def main() -> None:
    """Read the options, upgrade under load, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--from", dest="old", metavar="REV", help="older version, a git revision; default: none")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=6, help="requests a second of all clients together")
    options = parser.parse_args()
    options.images = options.images.absolute()
    with tempfile.TemporaryDirectory(prefix="arcid-rolling-") as name, running(is_durable=True) as cluster:
        try:
            with ExitStack() as stack:
                trial(options, Path(name), cluster, stack)
        except Lost as error:
            logs = "".join(path.read_text()[-1500:] for path in Path(name).glob("replica-*/service.log"))
            sys.exit(f"LOST: {error}\n{logs}")
    print("nobody noticed")


if __name__ == "__main__":
    main()
