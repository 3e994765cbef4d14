"""Import of a portable archive into a new collection, or into one of the same network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from app.errors import CollectionExists, CollectionUnknown, IdentityErased, ModelMismatch
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from app.jobs.progress import Progress
from app.observability.counted import counted
from app.transfer.archive_format import ArchiveManifest
from app.transfer.archive_reader import Archive, open_archive


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: new faces and people, and faces that existed already."""

    collection: str
    faces: int
    identities: int
    skipped: int


class ArchiveImport:
    """Imports portable archives."""

    def __init__(
        self,
        store: IdentityStore,
        incoming: BulkWriter,
        *,
        networks_of: Callable[[str], frozenset[str]],
        catch_up: Callable[[Collection, int], None],
    ) -> None:
        """Create an importer.

        Args:
            networks_of: model -> SHA-256s of its known network files.
            catch_up: called after each block with the collection and its revision, to update the index.
        """
        self._store = store
        self._incoming = incoming
        self._networks_of = networks_of
        self._catch_up = catch_up

    def run(
        self, path: Path, progress: Progress, *, collection: str | None = None, has_new_face_ids: bool = False
    ) -> Imported:
        """Import an archive into a collection (default: the archive's name), which is created if it is missing.

        The whole archive is checked before the collection is created. Faces that exist already are skipped, and
        existing people keep name and metadata, so an import may be repeated. With `has_new_face_ids`, faces get ids
        derived from their old ones and the collection's name.

        Raises FileUnusable, a child of ArchiveRefused, ModelMismatch or FaceExists.
        """
        with open_archive(path) as archive:
            progress.advance(0, total=archive.manifest.faces)
            # Checked before the whole archive is read, so that a wrong collection is reported at once.
            found = self._matching(archive.manifest, collection)
            name = collection or archive.manifest.collection.name
            archive.verify(lambda block: self._require_free(found, _renamed(block, name, has_new_face_ids)))
            into = self._collection(archive.manifest, collection)
            return self._written(archive, into, progress, has_new_face_ids=has_new_face_ids)

    def _written(self, archive: Archive, into: Collection, progress: Progress, *, has_new_face_ids: bool) -> Imported:
        total, origin = archive.manifest.faces, {"archive": archive.sha256}
        mark = {"archive": archive.sha256, "collection": into.key}
        earlier = progress.checkpoint if mark.items() <= progress.checkpoint.items() else {}
        done_before, counts = earlier.get("faces", 0), earlier.get("counts", {})
        faces, identities = counts.get("faces", 0), counts.get("identities", 0)
        for done, block in archive.blocks():
            if 0 < done <= done_before and block.faces:
                continue
            added = self._incoming.add(into, _renamed(block, into.name, has_new_face_ids), origin=origin)
            faces, identities = faces + added.faces, identities + added.identities
            refuse_erased(progress, added.erased)
            if added.revision:
                self._catch_up(into, added.revision)
            counts = {"faces": faces, "identities": identities, "skipped": done - faces}
            progress.advance(done, total=total, checkpoint={**mark, "faces": done, "counts": counts})
        return Imported(into.name, faces, identities, total - faces)

    def _require_free(self, found: Collection | None, block: FaceBlock) -> None:
        """Raise FaceExists if another collection than `found` has a face of the block."""
        self._incoming.require_free(found, [face.face_id for face in block.faces])

    def _matching(self, manifest: ArchiveManifest, name: str | None) -> Collection | None:
        """Return the existing collection; raises ModelMismatch if the archive's faces cannot be imported."""
        known = self._networks_of(manifest.network.model)
        if manifest.network.sha256 is not None and known and manifest.network.sha256 not in known:
            raise ModelMismatch(
                f"the archive's faces come from a different network file named {manifest.network.model} than the "
                "one here; pull or add that network under its own name, or enroll the photos again"
            )
        try:
            found = self._store.collection(name or manifest.collection.name)
        except CollectionUnknown:
            return None
        network = (found.model, found.dimension)
        if network != (manifest.network.model, manifest.network.dimension):
            raise ModelMismatch(
                f"the archive's faces come from {manifest.network.model}, but collection {found.name!r} uses "
                f"{found.model}; embeddings of different networks cannot be compared: import into another collection"
            )
        if found.settings.is_flip_averaged != manifest.collection.practice.is_flip_averaged:
            raise ModelMismatch(
                f"only one of the archive and collection {found.name!r} is flip-averaged: use another collection"
            )
        return found

    def _collection(self, manifest: ArchiveManifest, name: str | None) -> Collection:
        found = self._matching(manifest, name)
        if found is not None:
            return found
        try:
            return self._store.create_collection(
                name or manifest.collection.name,
                model=manifest.network.model,
                dimension=manifest.network.dimension,
                settings=manifest.collection.practice,
            )
        except CollectionExists:  # another process created it first
            return self._collection(manifest, name)


def refuse_erased(progress: Progress, faces: int) -> None:
    """Report, without names, the skipped faces of people who were erased after the job was created."""
    if faces:
        detail = (
            f"{counted(faces, 'face was', 'faces were')} left out: their people were erased after this job was created"
        )
        progress.refuse("faces of people who were erased", IdentityErased.code, detail)


def _renamed(block: FaceBlock, collection: str, has_new_face_ids: bool) -> FaceBlock:  # noqa: FBT001
    if not has_new_face_ids:
        return block
    faces = [
        replace(face, face_id=str(uuid5(NAMESPACE_OID, f"arcid:{collection}:{face.face_id}"))) for face in block.faces
    ]
    return replace(block, faces=faces)
