"""The settings of a collection that apply. Their names are the API's contract."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.types import Impostors, IndexKind


class SettingsInForceSchema(BaseModel):
    """The values of settings that a collection may leave to the service: its own, or the service's."""

    model_config = ConfigDict(from_attributes=True)

    detector: Annotated[str, Field(description="Finder and landmarker, or a pack.")]
    max_fmr: Annotated[float | None, Field(description="Null: a threshold decides instead, also for `max_fpir`.")]
    max_fpir: float | None
    impostors: Impostors
    index: IndexKind
