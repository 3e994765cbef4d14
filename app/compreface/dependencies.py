"""What CompreFace's routes ask for."""

from typing import Annotated

from fastapi import Depends

from app.compreface.answers import Extras, TimesSchema, VersionsSchema
from app.compreface.requests import LeastScore, Limit, Plugins, Status
from app.container import Container
from app.observability.stages import so_far
from app.recognition.comparison import Choice


async def _choice(least_score: LeastScore = None, limit: Limit = 0) -> Choice:
    return Choice(least_score or 0, limit)


class Shown:
    """What an answer shows of faces beside their boxes."""

    def __init__(self, plugins: Plugins = "", status: Status = False) -> None:  # noqa: FBT002 - a query parameter
        self._plugins = {each.strip() for each in plugins.split(",")}
        self._status = status

    def extras(self, services: Container) -> Extras:
        """Return it, once the work is done."""
        made = Extras(has_landmarks="landmarks" in self._plugins, has_embedding="calculator" in self._plugins)
        if self._status:
            seconds = so_far()
            detector, calculator = (round(seconds.get(each, 0) * 1000, 1) for each in ("detect", "embed"))
            made.times = TimesSchema(detector=detector, calculator=calculator)
            made.versions = VersionsSchema(detector=services.detector, calculator=services.embedder.model)
        return made


async def _shown(face_plugins: Plugins = "", status: Status = False) -> Shown:  # noqa: FBT002 - a query parameter
    return Shown(face_plugins, status)


ChoiceDependency = Annotated[Choice, Depends(_choice)]
ShownDependency = Annotated[Shown, Depends(_shown)]
