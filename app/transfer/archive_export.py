"""Export of a collection, as a consistent snapshot, to a portable archive."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app import __version__
from app.gallery.store.snapshot import CollectionExporter, Snapshot
from app.jobs.progress import Progress
from app.transfer.archive_format import (
    FACES,
    IDENTITIES,
    VECTOR,
    VECTORS,
    ArchiveManifest,
    CollectionPart,
    NetworkPart,
    face_line,
    identity_line,
    vectors_header,
)
from app.transfer.zip_files import Writing, writing

_SAY_AFTER = 1000


class Export:
    """Writes portable archives."""

    def __init__(self, outgoing: CollectionExporter, network_of: Callable[[str], str | None]) -> None:
        """Create an exporter. `network_of`: model -> SHA-256 of its network file, or None if unknown."""
        self._outgoing = outgoing
        self._network_of = network_of

    def write(self, name: str, path: Path, progress: Progress) -> ArchiveManifest:
        """Write a collection to a new file, readable only by its owner; it gets the name `path` when it is complete.

        Writers are not blocked. Progress counts each face twice: its line and its vector. A repeated run starts from
        the beginning. Raises CollectionUnknown or FileUnusable.
        """
        with self._outgoing.snapshot(name) as snapshot, writing(path) as archive:
            identities = _identities(snapshot, archive, progress)
            faces = _faces(snapshot, archive, progress)
            _vectors(snapshot, archive, progress, faces)
            collection = snapshot.collection
            manifest = ArchiveManifest(
                format="arcid-collection",
                format_version=1,
                arcid_version=__version__,
                created_at=datetime.now(UTC),
                collection=CollectionPart(
                    name=name,
                    uid=collection.uid,
                    revision=collection.revision,
                    created_at=snapshot.created_at,
                    practice=collection.settings,
                ),
                network=NetworkPart(
                    model=collection.model, dimension=collection.dimension, sha256=self._network_of(collection.model)
                ),
                identities=identities,
                faces=faces,
                members=archive.members,
            )
            archive.manifest(manifest)
            return manifest


def _identities(snapshot: Snapshot, archive: Writing, progress: Progress) -> int:
    count = 0
    with archive.member(IDENTITIES) as write:
        for count, person in enumerate(snapshot.people(), 1):
            write(identity_line(person))
            if count % _SAY_AFTER == 0:
                progress.advance(0)
    return count


def _faces(snapshot: Snapshot, archive: Writing, progress: Progress) -> int:
    count, total = 0, 2 * snapshot.collection.faces
    with archive.member(FACES) as write:
        for count, face in enumerate(snapshot.faces(), 1):
            write(face_line(face, count - 1))
            if count % _SAY_AFTER == 0:
                progress.advance(count, total=total)
    return count


def _vectors(snapshot: Snapshot, archive: Writing, progress: Progress, faces: int) -> None:
    done = faces
    with archive.member(VECTORS, is_stored=True) as write:
        write(vectors_header(faces, snapshot.collection.dimension))
        for block in snapshot.vectors():
            write(block.astype(VECTOR).tobytes())
            done += len(block)
            progress.advance(done, total=2 * faces)
    progress.advance(2 * faces, total=2 * faces)
