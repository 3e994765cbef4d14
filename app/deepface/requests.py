"""Requests in DeepFace's form. Members that choose networks, and unknown ones, are ignored."""

import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from app.api.schemas.base64_photos import bytes_of
from app.api.schemas.fields import PHOTO_KINDS, PIXEL, WHOLE
from app.api.schemas.requests import PhotosRequest
from app.deepface.distances import DistanceMetric
from app.errors import PhotoRefused
from app.remote.urls import LONGEST

_IS_URL = re.compile(r"https?://", re.IGNORECASE)
_IS_DATA = re.compile(r"data:", re.IGNORECASE)
_DATA_PIXEL = f"data:image/png;base64,{PIXEL}"


def _image(value: object, info: ValidationInfo) -> object:
    """Return the bytes of a file or a data: URL, or an http(s) URL; refuse paths, which DeepFace would open."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("send a file, or text in JSON")  # noqa: TRY004 - pydantic reports ValueErrors
    text = value.strip()
    if _IS_DATA.match(text):
        return bytes_of(text, info.field_name or "img", is_json=info.mode == "json")
    if not _IS_URL.match(text):
        raise ValueError("paths on the server are not read: send a file, data:image/jpeg;base64,... or an http(s) URL")
    if len(text) > LONGEST:
        raise ValueError(f"a URL must have at most {LONGEST} characters")
    return text


DeepFaceImage = Annotated[
    bytes | str,
    BeforeValidator(_image),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "format": "byte",
            "description": f"{PHOTO_KINDS}. As text: `data:image/jpeg;base64,...`, or the photo's http(s) URL, which "
            "the service fetches if that is enabled. Paths on the server are refused.",
        }
    ),
]
AntiSpoofing = Annotated[
    bool, Field(description="Refuse prints and screens (`presentation_attack`), and answer `is_real` for each face.")
]


class _ImagesRequest(PhotosRequest):
    """Base of requests: members are ignored as DeepFace does, photos are in the fields of `_images`."""

    model_config = ConfigDict(extra="ignore")

    anti_spoofing: AntiSpoofing = False

    def _urls(self) -> dict[str, str]:
        images = ((name, getattr(self, name)) for name in type(self).model_fields if name.startswith("img"))
        return {name: value for name, value in images if isinstance(value, str)}

    def urls(self) -> list[str]:
        """Return the URLs of the photos that have one."""
        return list(self._urls().values())

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photos in place of their URLs."""
        return self.model_copy(update=dict(zip(self._urls(), photos, strict=True)))


class DeepFaceAnalysis(_ImagesRequest):
    """A photo, for the analysis that is refused."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"img": _DATA_PIXEL}]})

    img: DeepFaceImage


class DeepFacePhoto(DeepFaceAnalysis):
    """A photo whose faces are embedded."""

    max_faces: Annotated[int | None, Field(ge=1, description="Faces, at most, the main face first."), WHOLE] = None

    @property
    def photo(self) -> bytes:
        """The photo's bytes, once its URL has been fetched."""
        return _fetched(self.img)


class DeepFacePair(_ImagesRequest):
    """Two photos whose main faces are compared."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"img1": _DATA_PIXEL, "img2": _DATA_PIXEL}]}
    )

    img1: DeepFaceImage
    img2: DeepFaceImage
    distance_metric: Annotated[DistanceMetric, Field(description="The metric of `distance` and `threshold`.")] = (
        DistanceMetric.COSINE
    )

    @property
    def photos(self) -> tuple[bytes, bytes]:
        """The bytes of both photos, once their URLs have been fetched."""
        return _fetched(self.img1), _fetched(self.img2)


def _fetched(image: bytes | str) -> bytes:
    assert isinstance(image, bytes)  # noqa: S101 - PhotosBody has replaced URLs
    return image
