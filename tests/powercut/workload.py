"""The workload of a recording: every kind of write, one after the other, each marked at its start and its end.

After each step, a mark has the state and the answers to fixed probes. A power cut during a step must leave the
state before or after it; a step of many transactions (an import, a migration) may be left half done.
"""

import hashlib
import io
import json
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Engine, text

from tests.powercut.databases import DATA, KEY, engine_of, recorded_server
from tests.powercut.recorder import Recorder
from tests.powercut.service import PACK, answers_of, command, serving, state_of

_REFUSED = 422  # no face, or low quality
_PART = 30_000  # bytes of an upload in one request
Photos = list[bytes]


@dataclass
class Workload:
    """Drives a recorded service; `photos` show one face each."""

    recorder: Recorder
    client: httpx2.Client
    database: Engine
    photos: Photos
    rng: random.Random
    extra: dict[str, str]
    log: list[str] = field(default_factory=list)
    _number: int = 0

    def prepare(self) -> None:
        """Compute the probes' embeddings with both networks, and mark them."""
        self._ok(self.client.post("/collections", json={"name": "other", "model": PACK, "keep_crops": True}))
        self._ok(self.client.patch("/collections/default", json={"keep_crops": True}))
        probes: dict[str, list[list[float]]] = {}
        for each in self._ok(self.client.get("/collections"))["collections"]:
            for photo in self.photos[:4]:
                data = {"model": each["model"]}
                answer = self._ok(self.client.post("/embed", files={"photo": photo}, data=data))
                probes.setdefault(each["model"], []).append(answer["faces"][0]["embedding"])
        self.recorder.mark("probes", probes=probes)
        self._probes = probes
        self._observe()

    def run(self, steps: int) -> None:
        """Enroll two people, then make steps, each of a random kind but every kind before the first is repeated."""
        kinds: list[Callable[[], Any]] = []
        self._step(self.enroll)
        self._step(self.enroll)
        for _ in range(steps):
            if not kinds:
                kinds = self._kinds()
                self.rng.shuffle(kinds)
                copy, drop = kinds.index(self.export_and_import), kinds.index(self.drop_collection)
                if copy < drop:  # the last one is next: a copy is made before it is deleted
                    kinds[copy], kinds[drop] = kinds[drop], kinds[copy]
            self._step(kinds.pop())

    def _kinds(self) -> list[Callable[[], Any]]:
        often = [self.enroll, self.enroll, self.enroll, self.delete_person, self.delete_face, self.rename]
        jobs = [self.import_photos, self.import_upload, self.export_and_import, self.migrate, self.delete_upload]
        every = [*often, *jobs, self.rotate_keys, self.drop_collection]
        if self.database.dialect.name == "postgresql":
            return [*every, self.checkpoint, self.vacuum]
        return [*every, self.back_up, self.delete_backup]

    def _step(self, step: Callable[[], Any]) -> None:
        self.log.append(step.__name__)
        self.recorder.mark("start", step=step.__name__)
        self.recorder.mark("done", step=step.__name__, result=step())
        self._observe()

    def _observe(self) -> None:
        state = state_of(self.client)
        self.recorder.mark("state", state=state, answers=answers_of(self.client, self._probes, state))

    def _person(self) -> str:
        self._number += 1
        return f"person{self._number}"

    def enroll(self) -> Any:
        """Enroll a photo of a new or a known person."""
        known = sorted(state_of(self.client)["default"])
        person = self.rng.choice(known) if known and self.rng.random() < 0.3 else self._person()
        body = {"identity_id": person, "face": "largest", "on_duplicate": "allow"}
        answer = self.client.post("/enroll", files={"photos": self.rng.choice(self.photos)}, data=body)
        return None if answer.status_code == _REFUSED else self._ok(answer)

    def delete_person(self) -> Any:
        """Delete a person of the collection, if it has any."""
        known = sorted(state_of(self.client)["default"])
        if not known:
            return None
        self._wait_for_snapshot()
        return self._ok(self.client.delete(f"/collections/default/identities/{self.rng.choice(known)}"))

    def delete_face(self) -> Any:
        """Delete a face."""
        self._wait_for_snapshot()
        faces = [face for faces in state_of(self.client)["default"].values() for face in faces]
        return self._ok(self.client.delete(f"/collections/default/faces/{self.rng.choice(faces)}")) if faces else None

    def _wait_for_snapshot(self) -> None:
        """Wait until a snapshot has every face, so that the next deletion has to delete files."""
        deadline = time.monotonic() + 60
        with self.database.connect() as connection:
            found = connection.execute(text("SELECT uid, revision FROM collections WHERE name = 'default'"))
            uid, revision = found.one()
        manifest = self.recorder.root / DATA / "index" / uid / "manifest.json"
        while not manifest.exists() or json.loads(manifest.read_bytes())["revision"] < revision:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def rename(self) -> Any:
        """Give a person a name."""
        known = sorted(state_of(self.client)["default"])
        if not known:
            return None
        path = f"/collections/default/identities/{self.rng.choice(known)}"
        return self._ok(self.client.patch(path, json={"name": f"Name {self.rng.random()}"}))

    def import_photos(self) -> Any:
        """Import photos from a ZIP file in the request."""
        data = {"kind": "import", "collection": "default", "face": "largest"}
        job = self._ok(self.client.post("/jobs", data=data, files={"file": self._zip()}))
        self.recorder.mark("job", job=job["job_id"])
        return self._ended(job)

    def import_upload(self) -> Any:
        """Import photos that were uploaded in parts."""
        data = self._zip()
        upload = self._upload(data, len(data))
        self.recorder.mark("upload_ending", upload=upload)
        body = {"kind": "import", "collection": "default", "face": "largest", "upload": upload}
        job = self._ok(self.client.post("/jobs", json=body))
        self.recorder.mark("job", job=job["job_id"], upload=upload)
        return self._ended(job)

    def delete_upload(self) -> Any:
        """Upload a part of a file, and delete it."""
        data = self._zip()
        upload = self._upload(data, len(data) // 2)
        self.recorder.mark("upload_ending", upload=upload)
        self._ok(self.client.delete(f"/uploads/{upload}"))
        self.recorder.mark("upload_deleted", upload=upload)
        return None

    def _upload(self, data: bytes, size: int) -> str:
        created = self._ok(self.client.post("/uploads", headers={"Upload-Length": str(len(data))}))
        upload = str(created["upload_id"])
        self.recorder.mark("upload", upload=upload, offset=0, sha256=_sha256(b""))
        for offset in range(0, size, _PART):
            part = data[offset : offset + _PART]
            headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
            self._ok(self.client.patch(f"/uploads/{upload}", content=part, headers=headers))
            end = offset + len(part)
            self.recorder.mark("upload", upload=upload, offset=end, sha256=_sha256(data[:end]))
        return upload

    def export_and_import(self) -> Any:
        """Export the collection, and import the archive as a copy."""
        job = self._ok(self.client.post("/jobs", json={"kind": "export", "collection": "default"}))
        result = self._ended(job)
        self.recorder.mark("exported", job=job["job_id"])
        archive = self.client.get(f"/jobs/{job['job_id']}/archive").content
        data = {"kind": "import_archive", "collection": f"copy{self._person()}", "new_face_ids": "true"}
        copied = self._ok(self.client.post("/jobs", data=data, files={"file": archive}))
        self.recorder.mark("job", job=copied["job_id"])
        return [result, self._ended(copied)]

    def migrate(self) -> Any:
        """Move the collection to the other network."""
        models = {each["name"]: each["model"] for each in self._ok(self.client.get("/collections"))["collections"]}
        target = PACK if models["default"].startswith("sface") else "open"
        options = {"model": target, "on_missing": "drop"}
        job = self._ok(self.client.post("/collections/default/reembed", json=options))
        self.recorder.mark("job", job=job["job_id"])
        return self._ended(job)

    def back_up(self) -> Any:
        """Write a backup."""
        time.sleep(1)  # two backups of a second would have one name
        result = self._ended(self._ok(self.client.post("/jobs", json={"kind": "backup"})))
        self.recorder.mark("backup", name=result["name"], size=result["size"])
        return result

    def delete_backup(self) -> Any:
        """Delete the oldest backup."""
        backups = self._ok(self.client.get("/backups"))["backups"]
        if not backups:
            return None
        name = backups[-1]["name"]
        self.recorder.mark("backup_ending", name=name)
        self._ok(self.client.delete(f"/backups/{name}"))
        self.recorder.mark("backup_deleted", name=name)
        return name

    def rotate_keys(self) -> Any:
        """Encrypt everything with a new data key."""
        command(self.recorder, self.extra, "keys", "rotate-data")

    def checkpoint(self) -> Any:
        """Make PostgreSQL write its data files."""
        self._execute("CHECKPOINT")

    def vacuum(self) -> Any:
        """Make PostgreSQL remove deleted rows, and shorten its data files."""
        self._execute("VACUUM")

    def _execute(self, statement: str) -> None:
        with self.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))

    def drop_collection(self) -> Any:
        """Delete a copy of the collection, if there is any."""
        copies = [name for name in state_of(self.client) if name.startswith("copy")]
        return self._ok(self.client.delete(f"/collections/{copies[0]}")) if copies else None

    def _zip(self) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for _ in range(2):
                archive.writestr(f"{self._person()}/1.jpg", self.rng.choice(self.photos))
        return data.getvalue()

    def _ended(self, job: dict[str, Any]) -> Any:
        deadline = time.monotonic() + 60
        while True:
            found = self._ok(self.client.get(f"/jobs/{job['job_id']}"))
            if found["finished_at"] is not None:
                assert found["state"] == "succeeded", found
                self.recorder.mark("job_ended", job=job["job_id"])
                return found["result"]
            assert time.monotonic() < deadline, found
            time.sleep(0.01)

    def _ok(self, answer: httpx2.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def record(folder: Path, photos: Photos, *, seed: int, steps: int, extra: dict[str, str] | None = None) -> Recorder:
    """Record a service from its first start on: `folder` gets the disk and the records."""
    recorder = Recorder(folder / "disk", folder / "record")
    database = engine_of(f"sqlite:///file:{recorder.root / DATA / 'arcid.db'}?mode=ro&uri=true")
    _run(recorder, database, photos, random.Random(seed), steps, extra or {})
    return recorder


def record_on_postgresql(folder: Path, photos: Photos, *, seed: int, steps: int, options: str = "") -> Recorder:
    """Record a service with PostgreSQL on the same disk, from its first start on; `options` are the server's."""
    with recorded_server(folder / "disk", folder / "record", options) as (recorder, server):
        extra = {"ARCID_DATABASE_URL": server.url, "ARCID_ENCRYPTION__KEY_FILE": str(recorder.root / KEY)}
        command(recorder, extra, "db", "upgrade")
        _run(recorder, engine_of(server.url), photos, random.Random(seed), steps, extra)
    return recorder


def _run(
    recorder: Recorder, database: Engine, photos: Photos, rng: random.Random, steps: int, extra: dict[str, str]
) -> None:
    with serving(recorder, extra, recorder.work / "service.log") as client:
        recorder.mark("ready")
        workload = Workload(recorder, client, database, photos, rng, extra)
        workload.prepare()
        workload.run(steps)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
