"""Measure how many queries turn a stranger's photo into a match, and how much of the template they reveal.

PYTHONPATH=. .venv/bin/python benchmarks/hill_climbing.py FOLDER [RUNS]      FOLDER/person/photo.jpg

100 people are enrolled with one photo each. The attacker has photos of other people, the same public network, and a key
with `recognise` and `search`. The same attack also runs with a key that has `manage`, and gets exact answers. Only
queries to the gallery count, not the attacker's own embeddings. The limit for searches is off.

axes        one unit vector per number of a template: POST /search, threshold -1
strangers   200 photos of others: POST /verify with the identity, threshold -1, then least squares
climb       photos of others: POST /identify, at least 50, until a candidate is returned; then POST /verify of blends,
            keeping the more similar ones, until the photo matches, and 200 more; then least squares
vectors     the same with embeddings of others: POST /search, then steps along each axis from the nearest; then least
            squares
"""

import io
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.cli.serve import prepare_database
from app.config import PROJECT, RateSettings, read_settings
from app.main import create_app
from app.observability import logs

ENROLLED = 100
STRANGERS = 200  # photos, for `strangers`
LEAST = 50  # photos or embeddings of strangers to start with
MORE = 200  # queries after the match
MOST = 1000  # queries of one attack
_RIDGE = 1e-4  # of the least squares: about the variance of the rounding

Vector = NDArray[np.float64]
Pixels = NDArray[np.float64]


@dataclass
class Attacker:
    """One key and its knowledge: queried embeddings of one person, and the returned similarities.

    `threshold` is the threshold of /verify if a request sets none.
    """

    client: TestClient
    headers: dict[str, str]
    threshold: float
    asked: int = 0
    vectors: list[Vector] = field(default_factory=list)
    similarities: list[float] = field(default_factory=list)

    def post(self, path: str, **sent: Any) -> Any:
        """Send a query that counts."""
        self.asked += 1
        return self.client.post(path, headers=self.headers, **sent).raise_for_status().json()

    def embedding(self, photo: bytes) -> Vector | None:
        """Embed a photo with the public network."""
        answer = self.client.post("/embed", headers=self.headers, files={"photo": photo}).raise_for_status().json()
        return np.array(answer["faces"][0]["embedding"]) if answer["faces"] else None

    def similarity(self, photo: bytes, person: str) -> tuple[float, bool]:
        """Return a photo's similarity to a person (-1 if not returned), and whether it matches by default."""
        vector = self.embedding(photo)
        if vector is None:
            return -1, False
        fields = {"identity_id": person, "threshold": "-1"}
        answer = self.post("/verify", files={"probe": photo}, data=fields)
        if answer["similarity"] is None:
            return -1, False
        self.learn(vector, answer["similarity"])
        return answer["similarity"], answer["similarity"] >= self.threshold

    def learn(self, vector: Vector, similarity: float) -> None:
        """Record an answer about the person."""
        self.vectors.append(vector)
        self.similarities.append(similarity)

    def estimate(self) -> Vector:
        """Return the template that fits all answers best."""
        known, told = np.stack(self.vectors), np.array(self.similarities)
        inner = known.T @ known + _RIDGE * np.eye(known.shape[1])
        return np.asarray(np.linalg.solve(inner, known.T @ told))


def cosine(one: Vector, other: Vector) -> float:
    """Return the cosine; 0 for nothing."""
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / length) if length else 0.0


def axes(attacker: Attacker, templates: dict[str, Vector]) -> str:
    """See above."""
    size = len(next(iter(templates.values())))
    estimates = {person: np.zeros(size) for person in templates}
    for axis, vector in enumerate(np.eye(size).tolist()):
        answer = attacker.post("/search", json={"embedding": vector, "threshold": -1, "top_k": 100})
        for each in answer["candidates"]:
            estimates[each["identity_id"]][axis] = each["similarity"]
    cosines = [cosine(estimates[person], template) for person, template in templates.items()]
    return f"{attacker.asked} queries, cosine to the templates {min(cosines):.3f} to {max(cosines):.3f}"


def strangers(attacker: Attacker, photos: Sequence[bytes], person: str, template: Vector) -> str:
    """See above."""
    for photo in photos[:STRANGERS]:
        attacker.similarity(photo, person)
    if not attacker.vectors:
        return f"{attacker.asked} queries, no similarity returned"
    return (
        f"{attacker.asked} queries, {len(attacker.vectors)} similarities returned, "
        f"cosine {cosine(attacker.estimate(), template):.3f}"
    )


def nearest_seen(ask: Callable[[int], Any], most: int) -> tuple[int, str] | None:
    """Query at least LEAST times, until a candidate is returned; return the most similar probe and its person."""
    best = None
    for number in range(most):
        for each in ask(number)[:1]:
            if best is None or best[0] < each["similarity"]:
                best = each["similarity"], number, each["identity_id"]
        if best is not None and number + 1 >= LEAST:
            return best[1], best[2]
    return None


def climb(attacker: Attacker, photos: Sequence[bytes], templates: dict[str, Vector], choice: random.Random) -> str:
    """See above."""

    def identify(number: int) -> Any:
        faces = attacker.post("/identify", files={"photo": photos[number]}, data={"threshold": "-1"})["faces"]
        return faces[0]["candidates"] if faces else []

    seen = nearest_seen(identify, min(len(photos), MOST))
    if seen is None:
        return f"{attacker.asked} queries, no candidate"
    start, person = seen
    line = f"seen after {attacker.asked}"
    best = pixels(photos[start])
    similarity, is_match = attacker.similarity(jpeg(best), person)
    matched_at = attacker.asked if is_match else None
    for blend in blends(photos, choice):
        if attacker.asked >= MOST or (matched_at is not None and attacker.asked >= matched_at + MORE):
            break
        changed = blend(best)
        now, is_match = attacker.similarity(jpeg(changed), person)
        if now > similarity:
            best, similarity = changed, now
        if is_match and matched_at is None:
            matched_at = attacker.asked
    if not attacker.vectors:
        return f"{line}, but not in {attacker.asked} queries to /verify"
    photo = attacker.vectors[int(np.argmax(attacker.similarities))]
    estimates = [cosine(each, templates[person]) for each in (photo, attacker.estimate())]
    reached = f"match after {matched_at}" if matched_at else "no match"
    return f"{line}, {reached}; after {attacker.asked}: photo {estimates[0]:.3f}, template {estimates[1]:.3f}"


def blends(photos: Sequence[bytes], choice: random.Random) -> Iterator[Callable[[Pixels], Pixels]]:
    """Return variants of a photo, alternately with small and large parts of another one's pixels."""
    while True:
        other, part = pixels(choice.choice(photos)), choice.uniform(0.05, 0.35)
        yield lambda photo, other=other, part=part: photo * (1 - part) + other * part  # type: ignore[misc]


def vectors(attacker: Attacker, others: Sequence[Vector], templates: dict[str, Vector]) -> str:
    """See above."""

    def search(vector: Vector) -> Any:
        body = {"embedding": vector.tolist(), "threshold": -1, "top_k": 100}
        return attacker.post("/search", json=body)["candidates"]

    seen = nearest_seen(lambda number: search(others[number]), min(len(others), MOST))
    if seen is None:
        return f"{attacker.asked} queries, no candidate"
    start, person = others[seen[0]], seen[1]
    line = f"seen after {attacker.asked}"
    # Small steps along the axes measure the gradient of the similarity; then take larger ones.
    for reach in (0.05, 0.15):
        for axis in np.eye(len(start)):
            probe = start + reach * axis * np.sign(axis @ start or 1)
            probe /= np.linalg.norm(probe)
            for each in search(probe):
                if each["identity_id"] == person:
                    attacker.learn(probe, each["similarity"])
        estimate = attacker.estimate()
        line += f"; after {attacker.asked}: template {cosine(estimate, templates[person]):.3f}"
        start = estimate / np.linalg.norm(estimate)
    return line


def pixels(photo: bytes) -> Pixels:
    """Return a photo's pixels as numbers, all in one size."""
    return np.asarray(Image.open(io.BytesIO(photo)).convert("RGB").resize((250, 250)), np.float64)


def jpeg(of: Pixels) -> bytes:
    """Encode pixels as a photo."""
    data = io.BytesIO()
    Image.fromarray(of.round().clip(0, 255).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def main(folder: Path, runs: int = 3) -> None:
    """Enroll, attack with both keys `runs` times, and print the result of each attack."""
    logs.configure(is_json=True, level="ERROR")
    choice = random.Random(12)
    people = [min(each.glob("*.jpg")) for each in sorted(folder.iterdir()) if each.is_dir()]
    choice.shuffle(people)
    with tempfile.TemporaryDirectory() as data:
        settings = read_settings(data_dir=Path(data), models_dir=PROJECT / ".data", rates=RateSettings(search="none"))
        prepare_database(settings)
        with TestClient(create_app(settings)) as client:
            templates = {}
            for number, path in enumerate(people[:ENROLLED]):
                fields = {"identity_id": f"person-{number}", "face": "largest", "on_duplicate": "allow"}
                answer = client.post("/enroll", files={"photos": path.read_bytes()}, data=fields)
                if answer.is_success:
                    templates[fields["identity_id"]] = template_of(client, answer.json()["faces"][0]["face_id"])
            store = KeyStore(client.app.state.services.database.engine)  # type: ignore[attr-defined]
            below = [Scope.RECOGNISE, Scope.SEARCH]
            keys = {"before": [*below, Scope.MANAGE], "now": below}
            for name, scopes in keys.items():
                headers = {"Authorization": f"Bearer {store.create(NewKey(name, scopes))[1]}"}
                rule = client.get("/calibration", headers=headers).json()["verification"]
                new = partial(Attacker, client, headers, rule["threshold"])
                report(name, new, people[ENROLLED:], templates, runs)


def report(
    name: str, new: Callable[[], Attacker], people: Sequence[Path], templates: dict[str, Vector], runs: int
) -> None:
    """Run all attacks with one key, and print the results."""
    print(f"{name:6} axes       {axes(new(), templates)}", flush=True)
    for run in range(runs):
        choice = random.Random(run)
        order = choice.sample(people, len(people))
        photos = [each.read_bytes() for each in order[:MOST]]
        person = choice.choice(sorted(templates))
        print(f"{name:6} strangers  {strangers(new(), photos, person, templates[person])}", flush=True)
        print(f"{name:6} climb      {climb(new(), photos, templates, choice)}", flush=True)
        anybody = new()
        embedded = (anybody.embedding(each) for each in photos[:400])
        others = [each for each in embedded if each is not None]
        print(f"{name:6} vectors    {vectors(new(), others, templates)}", flush=True)


def template_of(client: TestClient, face_id: str) -> Vector:
    """Read the enrolled templates for comparison."""
    path = f"/collections/default/faces/{face_id}?embedding=true"
    return np.array(client.get(path).raise_for_status().json()["embedding"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
