"""Request schemas with a probe: one or more photos of a person. Their names are the API's contract."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from app.api.schemas.attributes import AttributeNames
from app.api.schemas.fields import (
    DEFAULT_COLLECTION,
    MOST_PHOTOS,
    PHOTO_KINDS,
    PIXEL,
    Components,
    Landmarks,
    Liveness,
    NetworkName,
    Photo,
    Threshold,
    Url,
)
from app.api.schemas.requests import LookupRequest, PhotosRequest, not_both, one_of, require_one
from app.api.schemas.wording import ONE_OF, worded
from app.errors import PhotoRefused, RequestInvalid
from app.names import CollectionName, IdentityId
from app.remote.urls import LONGEST

MOST_PROBES = 10
_SEVERAL: JsonValue = {"anyOf": [{"type": "array", "items": {}}, {"type": "string"}]}


def _listed(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Accept one photo for a list of one; its error names the field, not the place in the list."""
    items = value if isinstance(value, list) else [value]
    if value is None or len(items) != 1:
        return validate(value)
    try:
        return validate(items)
    except ValidationError as error:
        raise ValueError(worded({**error.errors(include_url=False)[0], "input": None})) from error


def _one_or_several(each: dict[str, Any], description: str, *others: JsonValue, most: int) -> WithJsonSchema:
    """Describe one or several items; the list is first, which is how a form sends them."""
    several = {"type": "array", "items": each, "minItems": 1, "maxItems": most}
    return WithJsonSchema({"anyOf": [several, each, *others], "description": description})


_FILE = {"type": "string", "contentEncoding": "base64", "format": "byte"}
_URL = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_NONE: JsonValue = {"type": "null"}
_URLS = "The photo's URL, or several URLs. The service fetches them if that is enabled."
ProbePhotos = Annotated[
    list[Photo],
    Field(default_factory=list, min_length=1, max_length=MOST_PROBES),
    WrapValidator(_listed),
    _one_or_several(_FILE, f"{PHOTO_KINDS}; up to {MOST_PROBES} photos of one person.", most=MOST_PROBES),
]
BatchPhotos = Annotated[
    list[Photo],
    Field(default_factory=list, min_length=1, max_length=MOST_PHOTOS),
    WrapValidator(_listed),
    _one_or_several(_FILE, f"{PHOTO_KINDS}; up to {MOST_PHOTOS} photos with `photos_of`.", most=MOST_PHOTOS),
]
ProbeUrls = Annotated[
    list[Url] | None,
    Field(min_length=1, max_length=MOST_PROBES),
    WrapValidator(_listed),
    _one_or_several(_URL, _URLS, _NONE, most=MOST_PROBES),
]
BatchUrls = Annotated[
    list[Url] | None,
    Field(min_length=1, max_length=MOST_PHOTOS),
    WrapValidator(_listed),
    _one_or_several(_URL, _URLS, _NONE, most=MOST_PHOTOS),
]


class _BatchRequest(PhotosRequest):
    """Base of requests with one photo, or with many that are answered each for itself."""

    takes_several: ClassVar[bool] = True

    photo: BatchPhotos
    photo_url: BatchUrls = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return require_one(self, "photo", "photo_url")

    def count(self) -> int:
        """Return the number of photos."""
        return len(self.photo or self.photo_url or ())

    def urls(self) -> list[str]:
        """Return the URLs of the photos."""
        return self.photo_url or []

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photos; a single one must be usable."""
        if getattr(self, "photos_of", None) is None and isinstance(photos[0], PhotoRefused):
            raise photos[0]
        return self.model_copy(update={"photo": list(photos)})


class VerifyRequest(PhotosRequest):
    """A probe and its reference: a photo, or an enrolled identity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"probe": PIXEL, "identity_id": "ada"}],
            "allOf": [one_of("probe", "probe_url", kind=_SEVERAL), one_of("reference", "reference_url", "identity_id")],
            **not_both("max_fmr", "threshold"),
        }
    )

    takes_several: ClassVar[bool] = True

    probe: ProbePhotos
    probe_url: ProbeUrls = None
    reference: Photo | None = None
    reference_url: Url | None = None
    identity_id: IdentityId | None = None
    collection: CollectionName = DEFAULT_COLLECTION

    max_fmr: Annotated[
        float | None,
        Field(gt=0, le=0.5, description="Highest share of pairs of different people that may match. Default: 1e-4."),
    ] = None
    threshold: Threshold = None
    landmarks: Landmarks = True
    components: Components = True
    liveness: Liveness = None

    @model_validator(mode="after")
    def _one_rule(self) -> "VerifyRequest":
        if self.max_fmr is not None and self.threshold is not None:
            raise ValueError("send max_fmr or threshold, not both")
        return self

    @model_validator(mode="after")
    def _one_reference(self) -> "VerifyRequest":
        require_one(self, "probe", "probe_url")
        if sum(each is not None for each in (self.reference, self.reference_url, self.identity_id)) != 1:
            raise ValueError(f"{ONE_OF}reference, reference_url, identity_id")
        return self

    def urls(self) -> list[str]:
        """Return the URLs of the probe and the reference, if they have any."""
        return [*(self.probe_url or ()), *([self.reference_url] if self.reference_url is not None else ())]

    def with_photos(self, photos: Sequence[bytes | PhotoRefused]) -> Self:
        """Return a copy with the photos; raises the reference's error."""
        probes = len(self.probe_url or ())
        changes: dict[str, object] = {"probe": list(photos[:probes])} if probes else {}
        for reference in photos[probes:]:
            if isinstance(reference, PhotoRefused):
                raise reference
            changes["reference"] = reference
        return self.model_copy(update=changes)


class IdentifyRequest(LookupRequest, _BatchRequest):
    """A photo whose faces are searched in the gallery, many many of them, or photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photo": PIXEL, "top_k": 3}],
            **one_of("photo", "photo_url", kind=_SEVERAL),
            **not_both("max_fpir", "threshold"),
        }
    )

    photos_of: Annotated[
        Literal["many", "one_person"] | None,
        Field(
            description="Needed for several photos. `many`: each photo is looked up for itself; see `answers`. "
            f"`one_person`: the main faces of all photos, at most {MOST_PROBES}, are one person."
        ),
    ] = None
    landmarks: Landmarks = True
    components: Components = True
    liveness: Liveness = None
    remember_unknown: Annotated[
        bool,
        Field(
            description="Keep the faces that match nobody, for the collection's `remember_unknown_days`. Needs scope "
            "`enroll`; not with `where`."
        ),
    ] = False

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.photos_of is None and self.count() > 1:
            raise ValueError(
                "send one photo, photos_of=many to look up each photo for itself, or photos_of=one_person if all "
                "photos show the same person"
            )
        if self.photos_of == "one_person" and self.count() > MOST_PROBES:
            raise ValueError(f"send at most {MOST_PROBES} photos of one person")
        return self

    def require_all_people(self) -> None:
        """Raise RequestInvalid if only some people are searched: nothing is known then of the others."""
        if self.where:
            detail = "remember_unknown needs a search among all people: leave out where"
            raise RequestInvalid.at("remember_unknown", detail)


class DetectRequest(_BatchRequest):
    """A photo for face detection, or many."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"photo": PIXEL}], **one_of("photo", "photo_url", kind=_SEVERAL)}
    )

    photos_of: Annotated[
        Literal["many"] | None,
        Field(description="Needed for several photos: each is answered for itself; see `answers`."),
    ] = None
    model: Annotated[NetworkName | None, Field(description="Network that measures `quality`; null: the default.")] = (
        None
    )
    landmarks: Landmarks = True
    components: Components = True
    liveness: Liveness = None
    attributes: AttributeNames

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.photos_of is None and self.count() > 1:
            raise ValueError("send one photo, or photos_of=many")
        return self
