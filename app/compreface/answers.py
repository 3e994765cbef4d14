"""What CompreFace's clients expect back, under its own names; what is None is left out."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.compreface.comparison import ComparedFace, RecognisedFace
from app.recognition.analysis import Face

Likeness = Annotated[float, Field(ge=0, le=1, description="0 to 1, on CompreFace's scale: docs/compreface.md.")]


class BoxSchema(BaseModel):
    """A face's place in pixels of the upright photo, and how sure it is one."""

    probability: float
    x_max: int
    y_max: int
    x_min: int
    y_min: int


class TimesSchema(BaseModel):
    """Milliseconds for the whole request."""

    detector: float
    calculator: float


class VersionsSchema(BaseModel):
    """Which networks were used."""

    detector: str
    calculator: str


class Extras(BaseModel):
    """What was asked for beside the boxes."""

    has_landmarks: bool
    has_embedding: bool
    times: TimesSchema | None = None
    versions: VersionsSchema | None = None


class CompreFaceFace(BaseModel):
    """A face; what was not asked for is not there."""

    box: BoxSchema
    landmarks: Annotated[list[tuple[int, int]] | None, Field(description="Eyes, nose, corners of the mouth.")] = None
    embedding: list[float] | None = None
    execution_time: TimesSchema | None = None

    @classmethod
    def of(cls, face: Face, extras: Extras) -> "CompreFaceFace":
        """Take over a face."""
        left, top, right, bottom = (max(0, round(each)) for each in face.detection.box)
        probability = round(min(face.detection.score, 1.0), 5)
        points = [(round(x), round(y)) for x, y in face.detection.landmarks.tolist()]
        return cls(
            box=BoxSchema(probability=probability, x_max=right, y_max=bottom, x_min=left, y_min=top),
            landmarks=points if extras.has_landmarks else None,
            embedding=face.vector.tolist() if extras.has_embedding else None,
            execution_time=extras.times,
        )


class SubjectLikeness(BaseModel):
    """A subject that a face is like."""

    subject: str
    similarity: Likeness


class RecognisedSchema(CompreFaceFace):
    """A face and the subjects that it is most like, whether they are alike or not."""

    subjects: list[SubjectLikeness]

    @classmethod
    def of_recognised(cls, recognised: RecognisedFace, extras: Extras) -> "RecognisedSchema":
        """Take over a face that was looked up."""
        subjects = [SubjectLikeness(subject=each.identity_id, similarity=each.score) for each in recognised.people]
        return cls(**dict(CompreFaceFace.of(recognised.face, extras)), subjects=subjects)


class MatchSchema(CompreFaceFace):
    """A face and how alike it is to the one that it was compared with, whose `subject` is told if it is enrolled."""

    similarity: Likeness
    subject: str | None = None

    @classmethod
    def of_compared(cls, compared: ComparedFace, extras: Extras, subject: str | None = None) -> "MatchSchema":
        """Take over a face that was compared."""
        return cls(**dict(CompreFaceFace.of(compared.face, extras)), similarity=compared.score, subject=subject)


class DetectionAnswer(BaseModel):
    """Every face of the photo, the largest first."""

    result: list[CompreFaceFace]
    plugins_versions: VersionsSchema | None = None


class RecognitionAnswer(BaseModel):
    """Every face of the photo with its subjects, the largest first."""

    result: list[RecognisedSchema]
    plugins_versions: VersionsSchema | None = None


class FaceVerificationAnswer(BaseModel):
    """Every face of the photo against an enrolled one, the largest first."""

    result: list[MatchSchema]
    plugins_versions: VersionsSchema | None = None


class PairSchema(BaseModel):
    """The face of the source, and every face of the target against it, the largest first."""

    source_image_face: CompreFaceFace
    face_matches: list[MatchSchema]
    plugins_versions: VersionsSchema | None = None


class PairAnswer(BaseModel):
    """One entry."""

    result: list[PairSchema]


class EmbeddingLikeness(BaseModel):
    """An embedding, and how alike it is to the one that it was compared with."""

    embedding: list[float]
    similarity: Likeness


class EmbeddingAnswer(BaseModel):
    """One entry for each embedding."""

    result: list[EmbeddingLikeness]


class EmbeddingSubjects(BaseModel):
    """An embedding and the subjects that it is most like."""

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
    """Whether anything was changed."""

    updated: bool


class DeletedAnswer(BaseModel):
    """How many are gone."""

    deleted: int


class ExampleSchema(BaseModel):
    """A face and whose it is."""

    image_id: str
    subject: str


class ExamplesPage(BaseModel):
    """A page of faces; pages count from 0."""

    faces: list[ExampleSchema]
    page_number: int
    page_size: int
    total_pages: int
    total_elements: int
