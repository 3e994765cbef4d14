"""Answers in CompreFace's form, under its own names; fields with None are left out."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.api.schemas.liveness import LivenessSchema
from app.compreface.comparison import ComparedFace, RecognisedFace, SelectedFace
from app.compreface.plugins import PluginAge, PluginGender, PluginMask, PluginPose
from app.vision.attributes import FaceAttributes

Likeness = Annotated[float, Field(ge=0, le=1, description="0 to 1, on CompreFace's scale: docs/compreface.md.")]


class BoxSchema(BaseModel):
    """Box of a face in pixels of the upright photo, with its detection score."""

    probability: float
    x_max: int
    y_max: int
    x_min: int
    y_min: int


class TimesSchema(BaseModel):
    """Milliseconds for the whole request."""

    detector: float
    calculator: float
    age: float | None = None
    gender: float | None = None


class VersionsSchema(BaseModel):
    """The networks that were used."""

    detector: str
    calculator: str
    age: str | None = None
    gender: str | None = None
    mask: str | None = None
    pose: str | None = None


class Extras(BaseModel):
    """The requested additions to the boxes."""

    has_landmarks: bool
    has_embedding: bool
    times: TimesSchema | None = None
    versions: VersionsSchema | None = None


class CompreFaceFace(BaseModel):
    """A face, with the requested additions."""

    box: BoxSchema
    landmarks: Annotated[list[tuple[int, int]] | None, Field(description="Eyes, nose, corners of the mouth.")] = None
    embedding: list[float] | None = None
    age: PluginAge | None = None
    gender: PluginGender | None = None
    mask: PluginMask | None = None
    pose: PluginPose | None = None
    liveness: Annotated[LivenessSchema | None, Field(description="If the collection checks liveness.")] = None
    execution_time: TimesSchema | None = None

    @classmethod
    def of(
        cls, seen: SelectedFace | RecognisedFace | ComparedFace, extras: Extras, attributes: FaceAttributes
    ) -> "CompreFaceFace":
        """Return the schema of a face with its attributes."""
        face = seen.face
        left, top, right, bottom = (max(0, round(each)) for each in face.detection.box)
        probability = round(min(face.detection.score, 1.0), 5)
        points = [(round(x), round(y)) for x, y in face.detection.landmarks.tolist()]
        return cls(
            box=BoxSchema(probability=probability, x_max=right, y_max=bottom, x_min=left, y_min=top),
            landmarks=points if extras.has_landmarks else None,
            embedding=face.vector.tolist() if extras.has_embedding else None,
            age=PluginAge.of(attributes.age),
            gender=PluginGender.of(attributes.gender),
            mask=PluginMask.of(attributes.mask),
            pose=PluginPose.of(attributes.pose),
            liveness=LivenessSchema.of(seen.liveness),
            execution_time=extras.times,
        )


class SubjectLikeness(BaseModel):
    """A subject, and how similar a face is to it."""

    subject: str
    similarity: Likeness


class RecognisedSchema(CompreFaceFace):
    """A face and the subjects that are most similar to it, however little."""

    subjects: list[SubjectLikeness]

    @classmethod
    def of_recognised(
        cls, recognised: RecognisedFace, extras: Extras, attributes: FaceAttributes
    ) -> "RecognisedSchema":
        """Return the schema of a recognized face."""
        subjects = [SubjectLikeness(subject=each.identity_id, similarity=each.score) for each in recognised.people]
        return cls(**dict(CompreFaceFace.of(recognised, extras, attributes)), subjects=subjects)


class MatchSchema(CompreFaceFace):
    """A face and its similarity to the reference; `subject` is set if the reference is enrolled."""

    similarity: Likeness
    subject: str | None = None

    @classmethod
    def of_compared(
        cls, compared: ComparedFace, extras: Extras, attributes: FaceAttributes, subject: str | None = None
    ) -> "MatchSchema":
        """Return the schema of a compared face."""
        face = CompreFaceFace.of(compared, extras, attributes)
        return cls(**dict(face), similarity=compared.score, subject=subject)


class DetectionAnswer(BaseModel):
    """Every face of the photo, the largest first."""

    result: list[CompreFaceFace]
    plugins_versions: VersionsSchema | None = None


class RecognitionAnswer(BaseModel):
    """Every face of the photo with its subjects, the largest first."""

    result: list[RecognisedSchema]
    plugins_versions: VersionsSchema | None = None


class FaceVerificationAnswer(BaseModel):
    """Every face of the photo compared with an enrolled face, the largest first."""

    result: list[MatchSchema]
    plugins_versions: VersionsSchema | None = None


class PairSchema(BaseModel):
    """The face of the source, and every face of the target compared with it, the largest first."""

    source_image_face: CompreFaceFace
    face_matches: list[MatchSchema]
    plugins_versions: VersionsSchema | None = None


class PairAnswer(BaseModel):
    """One entry."""

    result: list[PairSchema]


class EmbeddingLikeness(BaseModel):
    """An embedding and its similarity to the reference."""

    embedding: list[float]
    similarity: Likeness


class EmbeddingAnswer(BaseModel):
    """One entry for each embedding."""

    result: list[EmbeddingLikeness]


class EmbeddingSubjects(BaseModel):
    """An embedding and the subjects that are most similar to it."""

    embedding: list[float]
    similarities: list[SubjectLikeness]


class EmbeddingRecognitionAnswer(BaseModel):
    """One entry for each embedding."""

    result: list[EmbeddingSubjects]


class SubjectAnswer(BaseModel):
    """A subject's name."""

    subject: str


class SubjectsAnswer(BaseModel):
    """All subjects."""

    subjects: list[str]


class UpdatedAnswer(BaseModel):
    """Whether the request changed anything."""

    updated: bool


class DeletedAnswer(BaseModel):
    """Number of deleted entries."""

    deleted: int


class ExampleSchema(BaseModel):
    """A face and its subject."""

    image_id: str
    subject: str


class ExamplesPage(BaseModel):
    """A page of faces; pages count from 0."""

    faces: list[ExampleSchema]
    page_number: int
    page_size: int
    total_pages: int
    total_elements: int
