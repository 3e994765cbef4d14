"""Clients of a rolling upgrade: seeded requests at a steady rate, and what each answer must say."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

BOUND_S = 3.0
"""Other replicas find an acknowledged person after this long, or after an outage of the database this long ago."""
_SAME = 0.85  # similarity of a photo with itself, at least; not 1, because the length of its feature counts
_LIVE = 25  # people of one client; from here on it deletes as many as it enrolls
_AGAIN = 20  # times that a client repeats a write until it knows the result
Answer = dict[str, list[dict[str, list[dict[str, object]]]]]
_SEARCH = {"top_k": "100", "threshold": "-1"}


@dataclass
class Person:
    """An enrolled person and what a client knows of them; only one client changes a person."""

    identity_id: str
    photo: bytes
    since: float
    floor: int | None = None
    is_leaving: bool = False


@dataclass
class Seen:
    """All answers, and the state that they have acknowledged."""

    answers: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0
    checks: Counter[str] = field(default_factory=Counter)
    enrolled: dict[str, Person] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    outage: float = -BOUND_S
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settled(self, rng: random.Random) -> Person | None:
        """Return a person whom every replica must find."""
        with self.lock:
            before = time.monotonic() - BOUND_S
            people = [each for each in self.enrolled.values() if each.since < before and not each.is_leaving]
            return rng.choice(people) if people and self.outage < before else None

    def check(
        self, answer: dict[str, list[dict[str, list[dict[str, object]]]]], person: Person, gone: set[str]
    ) -> None:
        """Record a violation if an answer lacks the person of its photo, names another one, or one of `gone`."""
        candidates = [each for face in answer["faces"] for each in face["candidates"]]
        best = [face["candidates"][0] for face in answer["faces"] if face["candidates"]]
        if found := gone & {str(each["identity_id"]) for each in candidates}:
            self.wrong.append(f"deleted, and found: {sorted(found)}")
        same = [str(each["identity_id"]) for each in best if float(str(each["similarity"])) > _SAME]
        if self.enrolled.get(person.identity_id) is not person or person.is_leaving:
            return  # deleted while it was searched
        self.checks["identified"] += 1
        if person.identity_id not in same:
            since = time.monotonic() - person.since
            self.wrong.append(f"{person.identity_id} was enrolled {since:.1f} s ago, but: {best}")


class Client:
    """One client: a request every `pause` seconds, through the proxy."""

    def __init__(self, address: str, key: str, seen: Seen, photos: list[Path], *, seed: int, pause: float) -> None:
        self._http = httpx2.Client(base_url=address, timeout=90, headers={"X-Api-Key": key})
        self._seen = seen
        self._photos = photos
        self._rng = random.Random(seed)
        self._name = f"c{seed}"
        self._pause = pause
        self._own: list[Person] = []
        self._unused = list(range(len(photos)))
        self._made = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Start to send requests, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the last answer."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        kinds = [(10, self._enroll), (14, self._identify), (6, self._verify), (40, self._show), (15, self._change)]
        weights, functions = zip(*kinds, strict=True)
        due = time.monotonic()
        with self._http:
            while not self._stopping.is_set():
                self._rng.choices(functions, weights)[0]()
                due = max(due + self._pause * self._rng.uniform(0.5, 1.5), time.monotonic())
                self._stopping.wait(due - time.monotonic())

    def _ask(self, what: str, method: str, path: str, **request: object) -> httpx2.Response | None:
        """Send a request; return the answer, or None without a 2xx or 4xx."""
        started = time.monotonic()
        try:
            answer = self._http.request(method, path, **request)  # type: ignore[arg-type] # as httpx2's own
        except httpx2.TransportError as error:
            with self._seen.lock:
                self._seen.answers[f"{what} no answer"] += 1
                self._seen.unanswered.append(f"{what}: {error!r}")
            return None
        with self._seen.lock:
            self._seen.longest = max(self._seen.longest, time.monotonic() - started)
            self._seen.answers[f"{what} {answer.status_code}"] += 1
            if answer.status_code >= 500:
                self._seen.unanswered.append(f"{what}: {answer.status_code} {answer.text[:150]}")
                return None
        return answer

    def _until_known(self, what: str, method: str, path: str, **request: object) -> httpx2.Response | None:
        """Repeat a write until its result is known, as a careful client does."""
        for _ in range(_AGAIN):
            answer = self._ask(what, method, path, **request)
            if answer is not None:
                return answer
            time.sleep(0.5)
        self._seen.wrong.append(f"{what} {path}: the result stays unknown")
        return None

    def _enroll(self) -> None:
        if len(self._own) >= _LIVE or (self._own and self._rng.random() < 0.3):
            self._delete()
            return
        self._made += 1
        number = self._unused.pop(self._rng.randrange(len(self._unused)))
        person, photo = f"{self._name}-{self._made}-{number}", self._photos[number].read_bytes()
        answer = self._until_known(
            "enroll",
            "POST",
            "/enroll",
            files={"photos": photo},
            data={"identity_id": person, "face": "largest", "on_duplicate": "allow"},
            headers={"Idempotency-Key": person},
        )
        if answer is None or answer.status_code != 200:
            if answer is not None and answer.json().get("code") != "nothing_enrolled":
                self._seen.wrong.append(f"enroll {person}: {answer.status_code} {answer.text[:300]}")
            return
        made = Person(person, photo, time.monotonic())
        with self._seen.lock:
            self._seen.enrolled[person] = made
        self._own.append(made)

    def _delete(self) -> None:
        person = self._own.pop(self._rng.randrange(len(self._own)))
        person.is_leaving = True
        path = f"/collections/default/identities/{person.identity_id}"
        answer = self._until_known("delete", "DELETE", path)
        if answer is not None and answer.status_code not in {200, 404}:  # 404: the proxy or we have repeated it
            self._seen.wrong.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        with self._seen.lock:
            del self._seen.enrolled[person.identity_id]
            self._seen.deleted.add(person.identity_id)
        self._unused.append(int(person.identity_id.rpartition("-")[2]))

    def _identify(self) -> None:
        person = self._seen.settled(self._rng)
        if person is None:
            return
        gone = set(self._seen.deleted)
        answer = self._ask("identify", "POST", "/identify", files={"photo": person.photo}, data=_SEARCH)
        if answer is not None:
            self._seen.check(answer.json(), person, gone)

    def _verify(self) -> None:
        if not self._own:
            return
        person = self._rng.choice(self._own)
        data = {"identity_id": person.identity_id}
        answer = self._ask("verify", "POST", "/verify", files={"probe": person.photo}, data=data)
        if answer is None:
            return
        self._seen.checks["verified"] += 1
        found = answer.json()
        if found.get("similarity", 0) < _SAME or found["reference_face"]["faces"] != 1:
            self._seen.wrong.append(f"verify {person.identity_id}: {answer.text[:300]}")

    def _show(self) -> None:
        """Read back what this client has written, through any replica."""
        if not self._own:
            return
        person = self._rng.choice(self._own)
        answer = self._ask("show", "GET", f"/collections/default/identities/{person.identity_id}")
        if answer is None:
            return
        self._seen.checks["read"] += 1
        floor = answer.json().get("metadata", {}).get("floor")
        if answer.status_code != 200 or floor != person.floor:
            self._seen.wrong.append(f"show {person.identity_id}: {person.floor} was stored, not {answer.text[:300]}")

    def _change(self) -> None:
        if not self._own:
            return
        person, floor = self._rng.choice(self._own), self._rng.randrange(1_000_000)
        path = f"/collections/default/identities/{person.identity_id}"
        answer = self._until_known("change", "PATCH", path, json={"metadata": {"floor": floor}})
        if answer is not None and answer.status_code == 200:
            person.floor = floor
        elif answer is not None:
            self._seen.wrong.append(f"change {person.identity_id}: {answer.status_code} {answer.text[:300]}")
