"""Photos to embeddings, a few at a time, each photo once: what was found is kept in a folder."""

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.errors import EvaluationInvalid, PhotoRefused
from app.evaluation.values import Advance, Embedded, EmbeddedFace, Enroll, Photo
from app.types import Floats

_HEAD = 6  # of a row: norm, box, quality; the raw embedding follows

Found = Floats | str
"""A row (6 + d,): norm, box, quality, raw embedding. Or the error code of a photo without a face."""


class Cache:
    """A folder of what was found in photos, by the SHA-256 of their bytes.

    The folder belongs to one set-up: whatever changes an embedding (networks, flip, ...) is part of its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Found | None:
        """Return what is known of a photo; a damaged entry is none."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        kind, digest, content = data[:1], data[1:33], data[33:]
        if hashlib.sha256(content).digest() != digest:
            return None
        return content.decode() if kind == b"-" else np.frombuffer(content, "<f4").astype(np.float32)

    def put(self, key: str, found: Found) -> None:
        """Keep what was found; another process sees all of it or nothing."""
        kind, content = (b"-", found.encode()) if isinstance(found, str) else (b"+", found.astype("<f4").tobytes())
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as part:
            try:
                part.write(kind + hashlib.sha256(content).digest() + content)
                part.flush()
                Path(part.name).replace(path)
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key


class Embeddings:
    """Embeds photos with `enroll`, in a few threads; what the cache knows is not asked again."""

    def __init__(self, enroll: Enroll, *, threads: int, cache: Cache | None = None) -> None:
        self._enroll = enroll
        self._threads = threads
        self._cache = cache

    def embed(self, photos: Sequence[Photo], advance: Advance = lambda _: None) -> Embedded:
        """Embed photos, in their order; raises EvaluationInvalid when there is no face in any."""

        def found(photo: Photo) -> Found:
            result = self._found(photo.read())
            advance(1)
            return result

        with ThreadPoolExecutor(self._threads) as pool:
            results = list(pool.map(found, photos))
        failures = {place: each for place, each in enumerate(results) if isinstance(each, str)}
        rows = [each for each in results if not isinstance(each, str)]
        if not rows:
            raise EvaluationInvalid(f"no face was found in any of the {len(photos)} photos")
        table = np.full((len(photos), rows[0].size), np.nan, np.float32)
        table[[place for place in range(len(photos)) if place not in failures]] = rows
        return Embedded(tuple(photos), table[:, _HEAD:], table[:, 0], table[:, 1:5], table[:, 5], failures)

    def _found(self, data: bytes) -> Found:
        key = hashlib.sha256(data).hexdigest()
        known = self._cache.get(key) if self._cache else None
        if known is not None:
            return known
        try:
            result: Found = _row(self._enroll(data))
        except PhotoRefused as error:
            result = error.code
        if self._cache:
            self._cache.put(key, result)
        return result


def save(embedded: Embedded, file: Path) -> None:
    """Write the photos with a face as an .npz: files, embeddings (raw), norms, boxes, quality; `failures`: names."""
    is_found = embedded.is_found
    names = np.array([each.name for each in embedded.photos], np.str_)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:  # a name without .npz stays as it is
        np.savez(
            out,
            files=names[is_found],
            embeddings=embedded.embeddings[is_found],
            norms=embedded.norms[is_found],
            boxes=embedded.boxes[is_found],
            quality=embedded.quality[is_found],
            failures=names[~is_found],
        )


def _row(face: EmbeddedFace) -> Floats:
    return np.concatenate([[face.norm], face.box, [face.quality], face.embedding]).astype(np.float32)
