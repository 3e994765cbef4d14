"""A folder of people, `person/photo.jpg`: photos that are aligned here, or crops."""

from dataclasses import dataclass, field
from pathlib import Path

from app.errors import EvaluationInvalid, TrainingInvalid
from app.evaluation.protocols import read_people
from app.evaluation.values import Advance, Photo
from app.faces import Pixels
from app.training.data.aligning import Cutter
from app.training.data.crops import decoded
from app.training.data.values import Labels, numbered


@dataclass(frozen=True, slots=True)
class Folder:
    """The crops of a folder; `failures` are the photos without a face, by name, with the error code."""

    photos: tuple[Photo, ...]
    classes: tuple[str, ...]
    labels: Labels
    failures: dict[str, str] = field(default_factory=dict)

    def name(self, place: int) -> str:
        """Return a photo's name, person/photo.jpg."""
        return self.photos[place].name

    def crop(self, place: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid."""
        photo = self.photos[place]
        try:
            return decoded(photo.read(), photo.name)
        except OSError as error:
            raise TrainingInvalid(f"{photo.name} cannot be read: {error.strerror}") from error


def read_folder(folder: Path, cutter: Cutter | None, advance: Advance = lambda _: None) -> Folder:
    """Read a folder of people; without a cutter its photos are crops already. Raises TrainingInvalid."""
    try:
        photos = read_people(folder)
    except EvaluationInvalid as error:
        raise TrainingInvalid(str(error)) from error
    if cutter is None:
        return Folder(photos, *numbered([each.person for each in photos]))
    crops = cutter.cut(photos, advance)
    failures = {photo.name: crop for photo, crop in zip(photos, crops, strict=True) if isinstance(crop, str)}
    found = tuple(
        Photo(photo.name, crop, photo.person)
        for photo, crop in zip(photos, crops, strict=True)
        if not isinstance(crop, str)
    )
    if not found:
        raise TrainingInvalid(f"no face was found in any of the {len(photos)} photos of {folder}")
    return Folder(found, *numbered([each.person for each in found]), failures)
