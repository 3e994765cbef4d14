"""A folder of people, `person/photo.jpg`, with photos to align or ready crops."""

from dataclasses import dataclass, field
from pathlib import Path

from app.errors import EvaluationInvalid, NoFace, TrainingInvalid
from app.evaluation.protocols import read_people
from app.evaluation.values import Advance, Photo
from app.training.data.cropping import FaceCropper
from app.training.data.decoding import decode_crop
from app.training.data.source import Labels, index_labels
from app.types import Pixels


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The crops of a folder.

    `failures` maps photos without a face to their error code, and `damaged` photos that cannot be read to the reason.
    """

    photos: tuple[Photo, ...]
    classes: tuple[str, ...]
    labels: Labels
    failures: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    def name(self, index: int) -> str:
        """Return the name of a photo, person/photo.jpg."""
        return self.photos[index].name

    def crop(self, index: int) -> Pixels:
        """Return a crop (112, 112, 3); raises TrainingInvalid if it is damaged or of another size."""
        return decode_crop(self.encoded(index), self.name(index))

    def encoded(self, index: int) -> bytes:
        """See CropSource."""
        photo = self.photos[index]
        try:
            return photo.read()
        except OSError as error:
            raise TrainingInvalid(f"{photo.name} cannot be read: {error.strerror}") from error


def read_folder(folder: Path, cropper: FaceCropper | None, advance: Advance = lambda _: None) -> FolderSource:
    """Read a folder of people. Without a cropper, the photos are already crops.

    Raises TrainingInvalid if no photo or no face is found.
    """
    try:
        photos = read_people(folder)
    except EvaluationInvalid as error:
        raise TrainingInvalid(str(error)) from error
    return crop_photos(photos, folder, cropper, advance)


def crop_photos(
    photos: tuple[Photo, ...], folder: Path, cropper: FaceCropper | None, advance: Advance = lambda _: None
) -> FolderSource:
    """Return the crops of a folder's photos. Without a cropper, they are already crops.

    Raises TrainingInvalid if no face is found.
    """
    if cropper is None:
        return FolderSource(photos, *index_labels([photo.person for photo in photos]))
    crops = cropper.crop_photos(photos, advance)
    codes = {photo.name: crop for photo, crop in zip(photos, crops, strict=True) if isinstance(crop, str)}
    failures = {name: code for name, code in codes.items() if code == NoFace.code}
    damaged = {name: f"{name} cannot be read: {code}" for name, code in codes.items() if code != NoFace.code}
    with_face = tuple(
        Photo(photo.name, crop, photo.person)
        for photo, crop in zip(photos, crops, strict=True)
        if not isinstance(crop, str)
    )
    if not with_face:
        unreadable = f", and {len(damaged)} of them cannot be read" if damaged else ""
        raise TrainingInvalid(
            f"no face was found in any of the {len(photos)} photos of {folder}{unreadable}; "
            "for 112x112 crops, use --aligned"
        )
    return FolderSource(with_face, *index_labels([photo.person for photo in with_face]), failures, damaged)
