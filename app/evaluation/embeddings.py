"""Embedding of photos in threads, with a cache on disk."""

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.errors import EvaluationInvalid, PhotoRefused
from app.evaluation.values import Advance, EmbeddedFace, EmbeddedPhotos, EmbedPhoto, Photo
from app.recognition.decisions.scoring import AS_STORED, Scoring
from app.types import Floats

_HEAD = 6  # of a row: norm, box, quality; the raw embedding follows

CacheEntry = Floats | str
"""A row (6 + d,): norm, box, quality, raw embedding; or the error code of a photo without a face."""


class EmbeddingCache:
    """Cache folder of embeddings, keyed by the SHA-256 of the photo.

    A folder belongs to one configuration: its name depends on everything that affects embeddings (networks, flip, ...).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry of a photo; None if it is missing or damaged."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        tag, digest, content = data[:1], data[1:33], data[33:]
        if hashlib.sha256(content).digest() != digest:
            return None
        return content.decode() if tag == b"-" else np.frombuffer(content, "<f4").astype(np.float32)

    def put(self, key: str, entry: CacheEntry) -> None:
        """Write an entry atomically."""
        tag, content = (b"-", entry.encode()) if isinstance(entry, str) else (b"+", entry.astype("<f4").tobytes())
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as part:
            try:
                part.write(tag + hashlib.sha256(content).digest() + content)
                part.close()  # Windows does not rename open files
                Path(part.name).replace(path)
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key


class PhotoEmbedder:
    """Embeds photos in threads, except those in the cache."""

    def __init__(
        self,
        embed_photo: EmbedPhoto,
        *,
        threads: int,
        cache: EmbeddingCache | None = None,
        scoring: Scoring = AS_STORED,
    ) -> None:
        self._embed_photo = embed_photo
        self._scoring = scoring
        self._threads = threads
        self._cache = cache

    def embed(self, photos: Sequence[Photo], advance: Advance = lambda _: None) -> EmbeddedPhotos:
        """Embed photos, keeping their order; raises EvaluationInvalid if none of them has a face."""

        def embed_and_advance(photo: Photo) -> CacheEntry:
            entry = self._embed_one(photo.read())
            advance(1)
            return entry

        with ThreadPoolExecutor(self._threads) as pool:
            entries = list(pool.map(embed_and_advance, photos))
        failures = {index: entry for index, entry in enumerate(entries) if isinstance(entry, str)}
        rows = [entry for entry in entries if not isinstance(entry, str)]
        if not rows:
            raise EvaluationInvalid(f"no face was found in any of the {len(photos)} photos")
        table = np.full((len(photos), rows[0].size), np.nan, np.float32)
        table[[index for index in range(len(photos)) if index not in failures]] = rows
        parts = table[:, _HEAD:], table[:, 0], table[:, 1:5], table[:, 5]
        return EmbeddedPhotos(tuple(photos), *parts, failures, self._scoring)

    def _embed_one(self, data: bytes) -> CacheEntry:
        key = hashlib.sha256(data).hexdigest()
        cached = self._cache.get(key) if self._cache else None
        if cached is not None:
            return cached
        try:
            entry: CacheEntry = _row(self._embed_photo(data))
        except PhotoRefused as error:
            entry = error.code
        if self._cache:
            self._cache.put(key, entry)
        return entry


def save_embeddings(embedded: EmbeddedPhotos, file: Path) -> None:
    """Write an .npz of the photos with a face: files, raw embeddings, scored vectors, norms, boxes and quality.

    `failures` are the names of the other photos.
    """
    has_face = embedded.has_face
    names = np.array([photo.name for photo in embedded.photos], np.str_)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:  # an open file keeps a name without .npz
        np.savez(
            out,
            files=names[has_face],
            embeddings=embedded.embeddings[has_face],
            vectors=embedded.vectors[has_face],
            norms=embedded.norms[has_face],
            boxes=embedded.boxes[has_face],
            quality=embedded.quality[has_face],
            failures=names[~has_face],
        )


def _row(face: EmbeddedFace) -> Floats:
    return np.concatenate([[face.norm], face.box, [face.quality], face.embedding]).astype(np.float32)
