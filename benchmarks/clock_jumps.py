"""Check that a busy service survives jumps of the wall clock: an hour forward and back, and 40 days.

    nice python benchmarks/clock_jumps.py --images ../shared/lfw/images --seconds 20

libfaketime (Debian: `apt-get install faketime`) sets the wall clock of the service, but not the monotonic one. At each
time, seeded clients enroll, identify, change and delete people, and each answer is checked. So are an import that runs
all the while, an incomplete upload, a person who expires in half an hour and one who expires in 60 days, an enrollment
that is repeated with its `Idempotency-Key`, and a key that has used up its rate. Exit status 1 with a violation.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from crash import Lost, Place, photos_of, serving
from database_restart import ended, job
from rolling_upgrade import good_photos
from upgrade_load import Client, Seen

from app.config import read_settings

_HOUR_S, _DAY_S = 3600, 86_400
_OFFSETS_S = (0, _HOUR_S, 0, -_HOUR_S, 0, 40 * _DAY_S, 0)
_KEPT_S = {"soon": 0.5 * _HOUR_S, "later": 60 * _DAY_S}
_IMPORTED = 100
_NOTICED_S = 1.5  # libfaketime reads the time of the service once a second
_LONGEST_S = 30.0  # for one answer, on busy cores
_UPLOAD = b"a" * 1000


class Things:
    """Data that a jump may spoil: made at the right time, checked at each time."""

    def __init__(self, client: httpx2.Client, photos: list[bytes], limited: str) -> None:
        self._client = client
        self._photos = dict(zip([*_KEPT_S, "repeated"], photos, strict=False))
        self._limited = {"X-Api-Key": limited}
        self._first = {}
        for person, kept in _KEPT_S.items():
            self._enroll(person, expires_at=(datetime.now(UTC) + timedelta(seconds=kept)).isoformat())
        self._first = self._enroll("repeated")
        made = client.post("/uploads", headers={"Upload-Length": str(2 * len(_UPLOAD))})
        self._upload = f"/uploads/{made.json()['upload_id']}"
        part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        client.patch(self._upload, content=_UPLOAD, headers=part).raise_for_status()

    def check(self, offset: float) -> None:
        """Check everything at a wrong or right time; raise Lost with a violation."""
        for person, kept in _KEPT_S.items():
            if self._is_found(person) is not (offset < kept):
                raise Lost(f"{person} expires after {kept} s; found: {self._is_found(person)}")
        if self._enroll("repeated") != self._first:
            raise Lost("a repeated enrollment got another answer")
        upload = self._client.get(self._upload)
        if upload.status_code != (404 if offset > _DAY_S else 200):
            raise Lost(f"the upload: {upload.status_code} {upload.text}")
        if self._client.get("/readyz").status_code != 200:
            raise Lost("the service is not ready")

    def use_up(self) -> None:
        """Use up the rate of a key, just before the clock jumps."""
        if {self._ask() for _ in range(6)} != {200, 429}:
            raise Lost("the rate is not limited")

    def require_used_up(self) -> None:
        """Raise Lost if a jump of the clock has given the key a new rate."""
        if self._ask() != 429:
            raise Lost("a jump of the clock gives a key a new rate")

    def _ask(self) -> int:
        return self._client.get("/models", headers=self._limited).status_code

    def _enroll(self, person: str, **fields: str) -> dict[str, object]:
        answer = self._client.post(
            "/enroll",
            files={"photos": self._photos[person]},
            data={"identity_id": person, "face": "largest", "on_duplicate": "allow", **fields},
            headers={"Idempotency-Key": person},
        )
        answer.raise_for_status()
        return dict(answer.json())

    def _is_found(self, person: str) -> bool:
        data = {"top_k": "100", "threshold": "-1"}
        answer = self._client.post("/identify", files={"photo": self._photos[person]}, data=data).json()
        return any(each["identity_id"] == person for face in answer["faces"] for each in face["candidates"])


def library() -> Path:
    """Return libfaketime's file."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        sys.exit("libfaketime is not installed; on Debian: apt-get install faketime")
    return found[0]


def set_clock(folder: Path, offset: float) -> None:
    """Move the wall clock of the service to `offset` seconds from the right time."""
    written = folder / "clock.new"
    written.write_text(f"{offset:+d}s\n" if offset else "+0s\n")
    written.rename(folder / "clock")


def key_of(place: Place, name: str, *options: str) -> str:
    """Create an API key."""
    made = place.run("keys", "create", name, "--scope", "admin", *options)
    if made.returncode:
        raise Lost(made.stderr)
    return made.stdout.strip()


def environments(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of commands, and that of the service, whose clock is set."""
    plain = {
        **os.environ,
        "ARCID_DATA_DIR": str(folder / "data"),
        "ARCID_MODELS_DIR": str(Path(read_settings().models_dir).absolute()),
        "ARCID_GALLERY__SWEEP_SECONDS": "1",
    }
    faked = {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    return plain, {**plain, **faked}


def jump(things: Things, folder: Path, seen: Seen, seconds: float) -> None:
    """Set the clock to each time, and check everything for some seconds."""
    things.use_up()
    for offset in _OFFSETS_S:
        set_clock(folder, offset)
        time.sleep(_NOTICED_S)
        things.require_used_up()
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            things.check(offset)
            time.sleep(1)
        print(f"{offset:+d} s: {seen.answers.total()} answers, longest {seen.longest:.1f} s", flush=True)
        if seen.wrong:
            raise Lost(f"{seen.wrong[:3]}")


def trial(folder: Path, images: Path, seconds: float) -> Seen:
    """Set the clock of a busy service repeatedly; return the answers of its clients, which were right."""
    plain, faked = environments(folder)
    set_clock(folder, 0)
    place, seen, photos = Place(plain), Seen(), good_photos(images)
    place.run("db", "upgrade")
    key, limited = key_of(place, "clients"), key_of(place, "limited", "--rate", "5/hour")
    with serving(Place(faked), folder / "log") as (client, _):
        client.headers["X-Api-Key"] = key
        client.timeout = httpx2.Timeout(60)
        things = Things(client, [path.read_bytes() for path in photos[:3]], limited)
        number = job(client, [photo for _, photo in itertools.islice(photos_of(images), _IMPORTED)])
        clients = [
            Client(str(client.base_url), key, seen, photos[3 + each :: 2], seed=each, pause=0.5) for each in range(2)
        ]
        for each in clients:
            each.start()
        try:
            jump(things, folder, seen, seconds)
        finally:
            for each in clients:
                each.stop()
        print(f"the import: {ended(client, number, 300)['result']}")
    for command in (("index", "verify"), ("audit", "verify")):
        if (result := place.run(*command)).returncode:
            raise Lost(f"{command}: {result.stdout}{result.stderr}")
    if seen.wrong or seen.unanswered or seen.longest > _LONGEST_S:
        raise Lost(f"wrong: {seen.wrong[:3]}, unanswered: {seen.unanswered[:3]}, longest {seen.longest:.1f} s")
    return seen


def main() -> None:
    """Read the options, set the clock of a service, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--seconds", type=float, default=20, help="at each time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arcid-clock-") as name:
        try:
            seen = trial(Path(name), options.images, options.seconds)
        except Lost as error:
            sys.exit(f"LOST: {error}\n{(Path(name) / 'log').read_text()[-2000:]}")
    print(f"nothing was lost: {dict(sorted(seen.answers.items()))}; checked: {dict(seen.checks)}")


if __name__ == "__main__":
    main()
