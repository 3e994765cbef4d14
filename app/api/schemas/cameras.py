"""Schemas of cameras and of posted frames. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.api.schemas.answers import example_of
from app.api.schemas.fields import PIXEL, Moment, Photo, StrictSchema
from app.api.schemas.form_arrays import TEXTS_FROM_FORM
from app.api.schemas.resources import Cursor
from app.gallery.store.camera_values import Camera, CameraKind, CameraSetup, CameraState, CameraStatus
from app.names import CollectionName
from app.notify.sighting import Sighting, SightingVerdict
from app.remote.camera_urls import masked
from app.watch.posted_frames import PostedResult

MOST_FRAMES = 10
_SIMILARITY_DIGITS = 3
_EXAMPLE_URL = "rtsp://viewer:secret@10.0.3.7/stream1"

CameraId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$"),
    Field(description="The caller's id of the camera.", examples=["door"]),
]
CameraUrl = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    Field(
        description="Address of the stream or snapshot, with user name and password if it needs them. Its host must "
        "be one of ARCID_CAMERAS__HOSTS. Null: a client posts the frames."
    ),
]
Reads = Annotated[
    Literal["stream", "snapshots"],
    Field(description="`stream`: RTSP, or video over HTTP. `snapshots`: each request to the URL gives one photo."),
]
Fps = Annotated[float, Field(ge=0.01, le=30, description="Most frames a second that are searched for faces.")]
Motion = Annotated[bool, Field(description="Search frames without motion only once a second.")]
Enabled = Annotated[bool, Field(description="False: the camera is not watched.")]
Images = Annotated[bool, Field(description="Sightings may contain an image of the best shot.")]


class CameraRequest(StrictSchema):
    """A new camera."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"camera_id": "door", "collection": "default", "url": _EXAMPLE_URL}]}
    )

    camera_id: CameraId
    collection: Annotated[CollectionName, Field(description="The collection of the people to recognize.")]
    url: CameraUrl | None = None
    reads: Reads = "stream"
    fps: Fps = 5
    motion: Motion = True
    enabled: Enabled = True
    images: Images = False

    @model_validator(mode="after")
    def _has_snapshots(self) -> "CameraRequest":
        if self.url is None and self.reads == "snapshots":
            raise ValueError("snapshots need a url; a camera without one takes the frames that a client posts")
        return self

    def value(self) -> CameraSetup:
        """Return the settings."""
        return CameraSetup(
            self.camera_id,
            self.collection,
            _kind(self.url, self.reads),
            self.url,
            self.fps,
            has_motion_gate=self.motion,
            is_enabled=self.enabled,
            keeps_images=self.images,
        )


class CameraChange(StrictSchema):
    """Changes of a camera; other fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"fps": 2, "images": True}]})

    url: CameraUrl | None = None
    reads: Reads | None = None
    fps: Fps | None = None
    motion: Motion | None = None
    enabled: Enabled | None = None
    images: Images | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields of `CameraSetup` to change."""
        sent = {
            "fps": self.fps,
            "has_motion_gate": self.motion,
            "is_enabled": self.enabled,
            "keeps_images": self.images,
        }
        changes: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
        if "url" in self.model_fields_set:
            changes["url"] = self.url
        return changes if self.reads is None else changes | {"kind": CameraKind(self.reads)}


class CameraStatusSchema(BaseModel):
    """Status of a camera, at most some seconds old."""

    state: Annotated[
        CameraState,
        Field(description="`waiting`: no frame has come yet. `connected`: frames come. `lost`: they no longer do."),
    ]
    since: Annotated[datetime, Field(description="Time of the last change of `state`.")]
    last_frame_at: datetime | None
    frames: Annotated[int, Field(description="Frames that were searched since the watching process started.")]
    frames_dropped: Annotated[int, Field(description="Frames that were left out because newer ones had come.")]
    open_tracks: Annotated[int, Field(description="People who are followed now.")]

    @classmethod
    def of(cls, status: CameraStatus) -> "CameraStatusSchema":
        """Return the schema of a status."""
        return cls.model_validate(status, from_attributes=True)


class CameraSchema(BaseModel):
    """A camera."""

    camera_id: str
    collection: str
    url: Annotated[str | None, Field(description="Without password and query. Null: a client posts the frames.")]
    reads: Annotated[CameraKind, Field(description="`posted` if a client posts the frames.")]
    fps: float
    motion: bool
    enabled: bool
    images: bool
    created_at: datetime
    status: CameraStatusSchema

    @classmethod
    def of(cls, camera: Camera) -> "CameraSchema":
        """Return the schema of a camera."""
        setup = camera.setup
        return cls(
            camera_id=setup.camera_id,
            collection=setup.collection,
            url=None if setup.url is None else masked(setup.url),
            reads=setup.kind,
            fps=setup.fps,
            motion=setup.has_motion_gate,
            enabled=setup.is_enabled,
            images=setup.keeps_images,
            created_at=camera.created_at,
            status=CameraStatusSchema.of(camera.status),
        )


class CamerasPage(BaseModel):
    """Cameras, the oldest first."""

    cameras: list[CameraSchema]
    next_cursor: Cursor


class FramesRequest(StrictSchema):
    """Frames of a camera, the oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"frames": [PIXEL], "times": ["2026-11-30T09:00:00.200Z"]}]}
    )

    frames: Annotated[list[Photo], Field(min_length=1, max_length=MOST_FRAMES)]
    times: Annotated[
        list[Moment],
        TEXTS_FROM_FORM,
        Field(
            default_factory=list,
            max_length=MOST_FRAMES,
            description="One for each frame. Without them, the last frame was taken now.",
        ),
    ]


class PostedFrameSchema(BaseModel):
    """A posted frame."""

    frame: Annotated[int, Field(description="Place of the frame in the request, from 0.")]
    searched: bool
    code: Annotated[
        str | None,
        Field(
            description="Why it was not searched. `busy`: requests wait, or earlier frames of the camera are still "
            "searched. `too_fast`: less than 1/`fps` seconds after the last one. `too_late`: not after the last one. "
            "Other codes are those of photos, such as `not_an_image`."
        ),
    ] = None


class SightingSchema(BaseModel):
    """The decision on one track: one person on one camera. A later one on the same track replaces it."""

    track_id: str
    verdict: SightingVerdict
    identity_id: str | None
    name: str | None
    similarity: Annotated[float | None, Field(description="Of a match or a possible match, in steps of 0.001.")]
    fpir: Annotated[
        float | None, Field(description="Chance that a track of somebody who is not enrolled reaches this similarity.")
    ]
    liveness: Annotated[str | None, Field(description="`live`, `uncertain` or `attack`; null: not checked.")] = None
    quality: Annotated[float, Field(description="Quality of the best shot, 0..1.")]
    frames: Annotated[int, Field(description="Frames that show the person.")]
    first_seen: datetime
    last_seen: datetime
    is_revised: Annotated[bool, Field(description="An earlier decision on this track was another one.")]

    @classmethod
    def of(cls, sighting: Sighting) -> "SightingSchema":
        """Return the schema of a sighting."""
        is_named = sighting.identity_id is not None and sighting.similarity is not None
        return cls(
            track_id=sighting.track_id,
            verdict=sighting.verdict,
            identity_id=sighting.identity_id,
            name=sighting.name,
            similarity=round(sighting.similarity or 0.0, _SIMILARITY_DIGITS) if is_named else None,
            fpir=sighting.fpir,
            liveness=sighting.liveness,
            quality=round(sighting.quality, _SIMILARITY_DIGITS),
            frames=sighting.frames,
            first_seen=sighting.first_seen,
            last_seen=sighting.last_seen,
            is_revised=sighting.is_revised,
        )


class FramesAnswer(BaseModel):
    """The result of posted frames."""

    model_config = example_of(
        {
            "camera_id": "door",
            "frames": [{"frame": 0, "searched": True, "code": None}],
            "sightings": [
                {
                    "track_id": "0f5d7f3f8f8e4f0b9f0e5b0a5d0c1b2a",
                    "verdict": "match",
                    "identity_id": "ada",
                    "name": "Ada Lovelace",
                    "similarity": 0.712,
                    "fpir": 0.0004,
                    "liveness": None,
                    "quality": 0.81,
                    "frames": 7,
                    "first_seen": "2026-11-30T09:00:00.200Z",
                    "last_seen": "2026-11-30T09:00:01.400Z",
                    "is_revised": False,
                }
            ],
            "open_tracks": 1,
        }
    )

    camera_id: str
    frames: list[PostedFrameSchema]
    sightings: Annotated[list[SightingSchema], Field(description="Decisions that are new or have changed.")]
    open_tracks: Annotated[int, Field(description="People who are followed now.")]

    @classmethod
    def of(cls, camera_id: str, result: PostedResult) -> "FramesAnswer":
        """Return the answer."""
        return cls(
            camera_id=camera_id,
            frames=[
                PostedFrameSchema(frame=place, searched=code is None, code=code)
                for place, code in enumerate(result.codes)
            ],
            sightings=[SightingSchema.of(each) for each in result.sightings],
            open_tracks=result.open_tracks,
        )


def _kind(url: str | None, reads: str) -> CameraKind:
    return CameraKind.POSTED if url is None else CameraKind(reads)
