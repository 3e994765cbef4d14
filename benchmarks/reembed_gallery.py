"""The gallery of `reembed.py`: photos of real people, with jittered crops as further faces."""

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.cli.serve import prepare_database
from app.config import Settings, read_settings
from app.database.cipher import Context, Sealed
from app.gallery.store.binding import crop_context
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import CollectionSettings, NewFace, Person
from app.recognition.analysis import Analysis, Face
from app.types import Pixels
from app.vision.quality import Quality
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_database, open_packs

COLLECTION, FROM, TO = "people", "open", "arcface-mobilefacenet"


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
        data_dir=folder / "data",
        models_dir=read_settings().models_dir,
        database_url=None,
        pack=FROM,
        packs=TO,
        encryption={"own_key": False},  # crops are sealed by `BenchSealer`
    )


def jitter(crop: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a variant of a crop: slightly rotated, scaled, moved, brighter or darker."""
    matrix = cv2.getRotationMatrix2D((56, 56), float(rng.uniform(-4, 4)), float(rng.uniform(0.96, 1.04)))
    matrix[:, 2] = matrix[:, 2] + rng.uniform(-1.5, 1.5, 2)
    turned = cv2.warpAffine(crop, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    lit = turned.astype(np.float32) * rng.uniform(0.85, 1.15) + rng.normal(0, 2, turned.shape)
    pixels: Pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return pixels


def select_photos(images: Path, photos: int) -> list[Path]:
    """Return photos of as many people as possible, at most two each."""
    people = sorted(person for person in images.iterdir() if person.is_dir())
    both = itertools.chain(
        *(sorted(person.iterdir())[:1] for person in people), *(sorted(person.iterdir())[1:2] for person in people)
    )
    return list(itertools.islice(both, photos))


def make_gallery(folder: Path, images: Path, *, faces: int, photos: int, is_flip_averaged: bool) -> None:
    """Enroll real people until the collection has `faces` faces; keep existing ones."""
    settings = settings_of(folder)
    prepare_database(settings)
    crops, analysis = CropSealer(BenchSealer()), ModelLoader(settings, open_packs(settings)).default_analysis()
    with open_database(settings) as database, ThreadPoolExecutor(os.cpu_count()) as pool:
        store = IdentityStore(database.engine)
        collection_settings = CollectionSettings(is_flip_averaged=is_flip_averaged, is_crop_kept=True)
        if COLLECTION not in {collection.name for collection in store.collections()}:
            store.create_collection(COLLECTION, model=analysis.model, dimension=128, settings=collection_settings)
        people = store.collection(COLLECTION)
        paths = select_photos(images, photos)

        def main_face(path: Path) -> Face | None:
            faces = analysis.analyse(path.read_bytes(), is_flip_averaged=False)
            return faces[0] if faces else None

        def variants(path: Path, face: Face, seed: int) -> tuple[str, list[NewFace]]:
            rng = np.random.default_rng(seed)
            assert face.crop is not None  # noqa: S101 - `analyse` returns crops
            jittered = np.stack([jitter(face.crop, rng) for _ in range(per_photo)])
            name = path.parent.name
            new = _new_faces(analysis, crops, face, jittered, identity_id=name, is_flip_averaged=is_flip_averaged)
            return name, new

        per_photo = -(-faces // len(paths))
        started = time.perf_counter()
        for first in range(people.faces // per_photo, len(paths), 64):
            block = paths[first : first + 64]
            main_faces = list(pool.map(main_face, block))
            with_face = [
                (path, face, first + at) for at, (path, face) in enumerate(zip(block, main_faces, strict=True)) if face
            ]
            for name, new in pool.map(lambda arguments: variants(*arguments), with_face):
                store.enroll(people, Person(name), new)
            print(f"  {first + len(block)} of {len(paths)} photos, {time.perf_counter() - started:.0f} s", flush=True)
        print(
            f"the gallery has {store.collection(COLLECTION).faces} faces of {store.collection(COLLECTION).identities}"
        )


def _new_faces(
    analysis: Analysis, crops: CropSealer, face: Face, pixels: Pixels, *, identity_id: str, is_flip_averaged: bool
) -> list[NewFace]:
    embedded = analysis.of_crops(pixels, [face.detection] * len(pixels), is_flip_averaged=is_flip_averaged)
    ids = [str(uuid4()) for _ in embedded]
    contexts = [crop_context(face_id, identity_id=identity_id, collection=COLLECTION) for face_id in ids]
    return [
        NewFace(
            face_id, one.vector, one.norm, Quality(0.8), face.detection, "0" * 64, sealed_crop=crops.seal(crop, context)
        )
        for face_id, one, crop, context in zip(ids, embedded, pixels, contexts, strict=True)
    ]
