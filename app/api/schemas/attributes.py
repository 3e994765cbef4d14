"""Attributes of faces in requests and answers."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Annotated, Self

from fastapi import Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.types import Attribute
from app.vision.attributes import Covering, FaceAttributes, Gender

_MEANT = 0.6  # similarity of a name that is probably meant
_NEVER = frozenset({"emotion", "emotions", "race", "ethnicity"})
_NAMES = ", ".join(Attribute)
_DESCRIPTION = (
    "Attributes to estimate, in a list or separated by commas. They never change a match. Others than those of "
    "ARCID_ATTRIBUTES are refused."
)
_SCHEMA = WithJsonSchema(
    {"type": "array", "items": {"type": "string", "enum": [*Attribute]}, "maxItems": len(Attribute), "default": []}
)


def _attributes(value: object) -> object:
    """Return the attributes that a list or a text with commas names, without repetitions."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(each, str) for each in parts):
        raise ValueError(f"must be a list of names: {_NAMES}")
    names = (name.strip() for part in parts for name in part.split(","))
    return list(dict.fromkeys(_attribute(name) for name in names if name))


def _attribute(name: str) -> Attribute:
    if name in set(Attribute):
        return Attribute(name)
    shown = repr(name[:40])
    if name.lower() in _NEVER:
        raise ValueError(f"{shown} is never estimated, for legal reasons; known are {_NAMES}")
    nearest = get_close_matches(name.lower(), list(Attribute), n=1, cutoff=_MEANT)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise ValueError(f"{shown} is not an attribute; {hint}known are {_NAMES}")


AttributeNames = Annotated[
    list[Attribute],
    Field(default_factory=list, description=_DESCRIPTION),
    BeforeValidator(_attributes),
    _SCHEMA,
]
AttributesQuery = Annotated[
    tuple[str, ...],  # an enum would become a component of the document, which nothing refers to
    BeforeValidator(_attributes),
    _SCHEMA,
    Query(description="As the field `attributes` of the body; both together are one list."),
]

Degrees = Annotated[float, AfterValidator(lambda value: round(value, 1))]
Confidence = Annotated[
    float,
    Field(ge=0.5, le=1, description="Probability of `value` by the network's own account."),
    AfterValidator(lambda value: round(value, 3)),
]


class _EstimateSchema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AgeSchema(_EstimateSchema):
    """Apparent age."""

    years: Annotated[float, AfterValidator(lambda value: round(value, 1))]
    range: Annotated[
        tuple[float, float],
        AfterValidator(lambda ends: tuple(round(each, 1) for each in ends)),
        WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        Field(description="Lowest and highest likely age: docs/attributes.md."),
    ]


class GenderSchema(_EstimateSchema):
    """Apparent gender: how the face looks to the network, not who somebody is."""

    value: Gender
    confidence: Confidence


class PoseSchema(_EstimateSchema):
    """Rotation of the head in degrees; 0 faces the camera upright."""

    yaw: Annotated[Degrees, Field(description="Positive: the face looks to the right edge of the photo.")]
    pitch: Annotated[Degrees, Field(description="Positive: the face looks up.")]
    roll: Annotated[Degrees, Field(description="Positive: the head is tilted clockwise as the viewer sees it.")]


class CoveringSchema(_EstimateSchema):
    """Whether something covers this part of the face."""

    value: Covering
    confidence: Confidence


class AttributesSchema(_EstimateSchema):
    """The attributes of a face; null for each that was not asked for."""

    age: AgeSchema | None = None
    gender: GenderSchema | None = None
    pose: PoseSchema | None = None
    mask: Annotated[CoveringSchema | None, Field(description="A mask, scarf, hand or other thing on the mouth.")] = None
    eyes: Annotated[CoveringSchema | None, Field(description="Sunglasses, hair or another thing on the eyes.")] = None

    @classmethod
    def of(cls, attributes: FaceAttributes | None) -> Self | None:
        """Return the schema of a face's attributes; None if none were asked for."""
        return None if attributes is None else cls.model_validate(attributes)


def joined(*lists: Iterable[str]) -> frozenset[Attribute]:
    """Return the attributes of several lists of known names."""
    return frozenset(Attribute(each) for names in lists for each in names)
