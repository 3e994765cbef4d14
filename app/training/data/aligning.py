"""Photos to aligned crops, each photo once: crops are kept in a folder, so that an interrupted run goes on."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.errors import PhotoRefused, TrainingInvalid
from app.evaluation.values import Advance, Photo
from app.faces import Pixels
from app.imaging.lossless import encode_png
from app.training.data.crops import decoded

Crop = Callable[[bytes], Pixels]
"""Turns a photo into its main face (112, 112, 3), RGB; raises a PhotoRefused where there is none.

Called from several threads.
"""


@dataclass(frozen=True, slots=True)
class Cutter:
    """What aligns photos: `setup` names the networks and settings, `folder` keeps what they gave."""

    crop: Crop
    setup: str
    folder: Path
    threads: int = 1

    def cut(self, photos: Sequence[Photo], advance: Advance = lambda _: None) -> list[bytes | str]:
        """Return the crop of each photo, as a PNG, or the error code of one without a face; in their order.

        Raises TrainingInvalid for a photo that cannot be read.
        """

        def one(photo: Photo) -> bytes | str:
            try:
                found = self._cut(photo.read())
            except OSError as error:
                raise TrainingInvalid(f"{photo.name} cannot be read: {error.strerror}") from error
            advance(1)
            return found

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(one, photos))

    def _cut(self, data: bytes) -> bytes | str:
        place = self._place(data)
        known = _known(place)
        if known is not None:
            return known
        try:
            found: bytes | str = encode_png(self.crop(data))
        except PhotoRefused as error:
            found = error.code
        _keep(found, place)
        return found

    def _place(self, data: bytes) -> Path:
        key = hashlib.sha256(data).hexdigest()
        return self.folder / self.setup / key[:2] / key


def _known(place: Path) -> bytes | str | None:
    """Return what is kept, without the suffix, at a place; what is damaged is not known."""
    try:
        crop = place.with_suffix(".png").read_bytes()
        decoded(crop, place.name)
    except FileNotFoundError:
        pass
    except TrainingInvalid:
        return None
    else:
        return crop
    try:
        return place.with_suffix(".none").read_text("utf-8")
    except FileNotFoundError:
        return None


def _keep(found: bytes | str, place: Path) -> None:
    """Keep what was found; another process sees all of it or nothing."""
    suffix, content = (".none", found.encode()) if isinstance(found, str) else (".png", found)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as part:
        part.write(content)
    Path(part.name).replace(place.with_suffix(suffix))
