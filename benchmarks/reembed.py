"""Measure requests while a large gallery migrates to another network, at the switch, and during the rollback.

    python benchmarks/reembed.py --images ../shared/lfw/images --faces 20000 --folder /tmp/reembed

The gallery contains photos of real people, analysed by the real networks (open). Jittered crops give the requested
number of faces, and the service's own store writes them. Then a real `arcid serve` in a separate process migrates the
gallery to arcface-mobilefacenet by POST /collections/{c}/reembed, while clients identify and one enrolls. Prints
requests, failed requests (which must be 0), p50 and p99 before, during and around the switch, whether ids stayed, and
rank-1 of known probes before and after; then the same for the rollback. Exit status 1 if a request failed.

The folder keeps the gallery for the next run.
"""

import argparse
import itertools
import os
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import httpx2
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.cli.serve import configured_server, prepare_database, use_one_arena
from app.config import Settings, read_settings
from app.container import Container
from app.database.cipher import Context, Sealed
from app.gallery.store.binding import crop_context
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import CollectionSettings, NewFace, Person
from app.observability import logs
from app.recognition.analysis import Analysis, Face
from app.types import Pixels
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_database, open_packs

COLLECTION, FROM, TO = "people", "open", "arcface-mobilefacenet"
_AT_ONCE = 16
_AROUND_S = 3.0  # before and after a switch


class BenchSealer:
    """AES-GCM with a fixed key for crops; templates stay unencrypted, so that only the migration is measured."""

    _cipher = AESGCM(bytes(32))

    def newest(self) -> int:
        """See Sealer."""
        return 0

    def seal_file(self, context: Context, data: bytes) -> Sealed:
        """See Sealer."""
        nonce = os.urandom(12)
        return Sealed(nonce + self._cipher.encrypt(nonce, data, repr(context).encode()), None)

    def open_file(self, context: Context, sealed: bytes) -> bytes:
        """See Sealer."""
        return self._cipher.decrypt(sealed[:12], sealed[12:], repr(context).encode())


def settings_of(folder: Path) -> Settings:
    """Return the settings of the gallery in a folder."""
    return read_settings(
        data_dir=folder / "data", models_dir=read_settings().models_dir, database_url=None, pack=FROM, packs=TO
    )


def jittered(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a variant of a crop: slightly rotated, scaled, moved, brighter or darker."""
    matrix = cv2.getRotationMatrix2D((56, 56), float(rng.uniform(-4, 4)), float(rng.uniform(0.96, 1.04)))
    matrix[:, 2] = matrix[:, 2] + rng.uniform(-1.5, 1.5, 2)
    turned = cv2.warpAffine(crop, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    lit = turned.astype(np.float32) * rng.uniform(0.85, 1.15) + rng.normal(0, 2, turned.shape)
    made: Pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return made


def chosen(images: Path, photos: int) -> list[Path]:
    """Return photos of as many people as possible, at most two each."""
    people = sorted(each for each in images.iterdir() if each.is_dir())
    both = itertools.chain(
        *(sorted(each.iterdir())[:1] for each in people), *(sorted(each.iterdir())[1:2] for each in people)
    )
    return list(itertools.islice(both, photos))


def make_gallery(folder: Path, images: Path, *, faces: int, photos: int, is_flip_averaged: bool) -> None:
    """Enroll real people until the collection has `count` faces; keep existing ones."""
    settings = settings_of(folder)
    prepare_database(settings)
    crops, analysis = CropSealer(BenchSealer()), ModelLoader(settings, open_packs(settings)).default_analysis()
    with open_database(settings) as database, ThreadPoolExecutor(os.cpu_count()) as pool:
        store = IdentityStore(database.engine)
        collection_settings = CollectionSettings(is_flip_averaged=is_flip_averaged, is_crop_kept=True)
        if COLLECTION not in {each.name for each in store.collections()}:
            store.create_collection(COLLECTION, model=analysis.model, dimension=128, settings=collection_settings)
        people = store.collection(COLLECTION)
        have = people.faces
        paths = chosen(images, photos)

        def found(path: Path) -> Face | None:
            seen = analysis.analyse(path.read_bytes(), is_flip_averaged=False)
            return seen[0] if seen else None

        def made(path: Path, seen: Face, number: int) -> tuple[str, list[NewFace]]:
            rng = np.random.default_rng(number)
            assert seen.crop is not None  # noqa: S101 - `analyse` was asked for crops
            own = np.stack([jittered(seen.crop, rng) for _ in range(per_photo)])
            name = path.parent.name
            return name, _new_faces(analysis, crops, seen, own, identity_id=name, is_flip_averaged=is_flip_averaged)

        per_photo = -(-faces // len(paths))
        begun = time.perf_counter()
        for first in range(have // per_photo, len(paths), 64):
            block = paths[first : first + 64]
            seen = list(pool.map(found, block))
            known = [(path, face, first + at) for at, (path, face) in enumerate(zip(block, seen, strict=True)) if face]
            for name, new in pool.map(lambda each: made(*each), known):
                store.enroll(people, Person(name), new)
            print(f"  {first + len(block)} of {len(paths)} photos, {time.perf_counter() - begun:.0f} s", flush=True)
        print(
            f"the gallery has {store.collection(COLLECTION).faces} faces of {store.collection(COLLECTION).identities}"
        )


def _new_faces(
    analysis: Analysis, crops: CropSealer, seen: Face, own: Pixels, *, identity_id: str, is_flip_averaged: bool
) -> list[NewFace]:
    made = analysis.of_crops(own, [seen.detection] * len(own), is_flip_averaged=is_flip_averaged)
    ids = [str(uuid4()) for _ in made]
    contexts = [crop_context(each, identity_id=identity_id, collection=COLLECTION) for each in ids]
    return [
        NewFace(each, face.vector, face.norm, 0.8, seen.detection, "0" * 64, sealed_crop=crops.seal(crop, context))
        for each, face, crop, context in zip(ids, made, own, contexts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its start and duration (seconds), its status, and for a probe whether rank 1 is correct."""

    began: float
    took: float
    status: int
    model: str = ""
    is_right: bool | None = None


@dataclass
class Traffic:
    """Clients that identify known people, and one that enrolls new ones, until the stop."""

    url: str
    probes: list[Path]
    newcomers: list[Path]
    pause: float
    asked: list[Asked] = field(default_factory=list)
    enrolled: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def identify(self) -> None:
        """Identify one photo after another."""
        chooses = random.Random(threading.get_ident())
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            while not self.stopping.wait(self.pause * chooses.uniform(0.5, 1.5)):
                photo = chooses.choice(self.probes)
                self.asked.append(
                    _asked(client, "/identify", {"photo": photo.read_bytes()}, {}, person=photo.parent.name)
                )

    def enroll(self) -> None:
        """Enroll every two seconds."""
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            for number in itertools.count():
                if self.stopping.wait(2):
                    return
                photo = self.newcomers[number % len(self.newcomers)].read_bytes()
                said = {"identity_id": f"new {uuid4()}", "face": "largest"}
                self.enrolled.append(_asked(client, "/enroll", {"photos": photo}, said))


def _asked(
    client: httpx2.Client, path: str, photo: dict[str, bytes], said: dict[str, str], person: str | None = None
) -> Asked:
    began, started = time.time(), time.perf_counter()
    try:
        answer = client.post(path, files=photo, data={"collection": COLLECTION, **said})
    except httpx2.TransportError as error:
        print(f"  failed: {error!r}", flush=True)
        return Asked(began, time.perf_counter() - started, 0)
    took = time.perf_counter() - started
    if not answer.is_success:
        print(f"  failed: {answer.status_code} {answer.text[:300]}", flush=True)
        return Asked(began, took, answer.status_code)
    body = answer.json()
    faces = body["faces"]
    first = {each["candidates"][0]["identity_id"] for each in faces if each.get("candidates")}
    return Asked(began, took, answer.status_code, body.get("model", ""), person in first if person else None)


@contextmanager
def traffic_to(traffic: Traffic, clients: int) -> Iterator[None]:
    """Send requests within this context."""
    threads = [threading.Thread(target=traffic.identify) for _ in range(clients)]
    threads.append(threading.Thread(target=traffic.enroll))
    for each in threads:
        each.start()
    try:
        yield
    finally:
        traffic.stopping.set()
        for each in threads:
            each.join()


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Start `arcid serve` on the gallery in a separate process; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, __file__, "--folder", str(folder), "--serve", str(port)]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with httpx2.Client(base_url=url, timeout=5) as client:
                _wait_ready(client, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_ready(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise SystemExit("the service did not become ready; see serve.log in the folder")


def serve(folder: Path, port: int) -> None:
    """Run `arcid serve`, with our own sealer if encryption is off."""
    settings = settings_of(folder)
    logs.configure(is_json=False)
    use_one_arena()
    with Container(settings, sealer=BenchSealer()) as container:
        container.start()
        configured_server(settings, container, host="127.0.0.1", port=port).run()


def reembedded(client: httpx2.Client) -> dict[str, Any]:
    """Start the job and wait for its end."""
    made = client.post(f"/collections/{COLLECTION}/reembed", json={"model": TO}).raise_for_status().json()
    shown = time.monotonic()
    while True:
        job: dict[str, Any] = client.get(f"/jobs/{made['job_id']}").json()
        if job["finished_at"]:
            return job
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(f"  {job['done']} of {job['total']} faces", flush=True)
        time.sleep(0.2)


def _end_others(client: httpx2.Client) -> None:
    """Finish the migration of an interrupted run."""
    while unfinished := [each for each in client.get("/jobs?limit=200").json()["jobs"] if not each["finished_at"]]:
        for each in unfinished:
            client.post(f"/jobs/{each['job_id']}/cancel")
        time.sleep(1)


def ids(folder: Path) -> dict[int, str]:
    """Return the ids of all faces by their keys, from the database."""
    with sqlite3.connect(folder / "data" / "arcid.db") as database:
        return dict(database.execute("SELECT id, face_id || ' of ' || identity_key FROM faces"))


def told(name: str, asked: Sequence[Asked]) -> None:
    """Print the figures of a phase."""
    if not asked:
        print(f"{name:<24} no requests")
        return
    took = sorted(each.took * 1000 for each in asked)
    p50, p99 = statistics.median(took), took[min(len(took) - 1, int(len(took) * 0.99))]
    failed = sum(each.status != 200 for each in asked)
    right = [each.is_right for each in asked if each.is_right is not None]
    rank = f", rank-1 {sum(right) / len(right):.4f} of {len(right)}" if right else ""
    print(
        f"{name:<24} {len(asked):>5} requests, {failed} failed, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
        f"slowest {took[-1]:.0f} ms{rank}",
        flush=True,
    )


def run(folder: Path, images: Path, *, photos: int, clients: int, pause: float, seconds: float) -> int:
    """Migrate, print, and return the number of failed requests."""
    probes = chosen(images, photos)
    newcomers = [min(each.iterdir()) for each in sorted(images.iterdir()) if each.is_dir()][-200:]
    before = ids(folder)
    with service(folder) as url, httpx2.Client(base_url=url, timeout=120) as client:
        _end_others(client)
        client.post(f"/collections/{COLLECTION}/reembed/rollback", json={})
        traffic = Traffic(url, probes, newcomers, pause)
        with traffic_to(traffic, clients):
            time.sleep(seconds)
            marks = [time.time()]
            job = reembedded(client)
            marks.append(time.time())
            print(f"job: {job['state']}, {job['result'] or job['failure']}, {marks[1] - marks[0]:.0f} s", flush=True)
            time.sleep(seconds)
            kept = ids(folder)
            marks.append(time.time())
            back = client.post(f"/collections/{COLLECTION}/reembed/rollback", json={})
            print(f"way back: {back.status_code} {back.text[:200]}, {time.time() - marks[2]:.2f} s", flush=True)
            marks.append(time.time())
            time.sleep(seconds)
    asked = traffic.asked
    began = [each.began for each in asked if each.model and each.model != asked[0].model]
    switched = min(began, default=marks[1])

    def between(first: float, last: float, among: Sequence[Asked] = asked) -> list[Asked]:
        return [each for each in among if each.began + each.took >= first and each.began < last]

    told("before", between(0, marks[0]))
    told("during", between(marks[0], switched - _AROUND_S))
    told("at the switch", between(switched - _AROUND_S, switched + _AROUND_S))
    told("after", between(switched + _AROUND_S, marks[2] - _AROUND_S))
    told("at the way back", between(marks[2] - _AROUND_S, marks[3] + _AROUND_S))
    told("after the way back", between(marks[3] + _AROUND_S, time.time()))
    told("enrollments", traffic.enrolled)
    told("  at the switch", between(switched - _AROUND_S, switched + _AROUND_S, traffic.enrolled))
    told("  at the way back", between(marks[2] - _AROUND_S, marks[3] + _AROUND_S, traffic.enrolled))
    told("all", [*asked, *traffic.enrolled])
    for network in sorted({each.model for each in asked} - {""}):
        told(f"  by {network}", [each for each in asked if each.model == network])
    after = ids(folder)
    is_same = all(kept.get(key) == after.get(key) == face for key, face in before.items())
    print(f"ids of {len(before)} faces {'unchanged' if is_same else 'CHANGED'}; {len(after)} faces at the end")
    failed = sum(each.status != 200 for each in [*asked, *traffic.enrolled])
    return failed + (not is_same) + int(job["state"] != "succeeded" or back.status_code != 200)


def main() -> None:
    """Create the gallery, then run, or serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="photos of people: person/photo.jpg")
    parser.add_argument("--folder", type=Path, required=True, help="keeps the gallery")
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--photos", type=int, default=1000, help="photos from which the faces are created")
    parser.add_argument("--flip", action="store_true", help="average with mirror images, the default: twice the work")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two requests of a client")
    parser.add_argument("--seconds", type=float, default=30, help="seconds before, between and after the switches")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.folder, options.serve)
        return
    logs.configure(is_json=False, level="WARNING")
    make_gallery(
        options.folder, options.images, faces=options.faces, photos=options.photos, is_flip_averaged=options.flip
    )
    failed = run(
        options.folder,
        options.images,
        photos=options.photos,
        clients=options.clients,
        pause=options.pause,
        seconds=options.seconds,
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
