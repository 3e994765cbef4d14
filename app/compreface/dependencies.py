"""Dependencies of CompreFace's routes."""

from typing import Annotated

from fastapi import Depends

from app.api.http.dependencies import ServicesDependency
from app.compreface.answers import Extras, TimesSchema, VersionsSchema
from app.compreface.comparison import ComparisonService, FaceSelection
from app.compreface.requests import LeastScore, Limit, Plugins, Status
from app.compreface.subject_service import SubjectService
from app.gallery.store.subjects import SubjectRepository
from app.observability.stages import recorded_stages
from app.recognition.model_registry import ServedModel


async def _choice(least_score: LeastScore = None, limit: Limit = 0) -> FaceSelection:
    return FaceSelection(least_score or 0, limit)


class AnswerOptions:
    """Options of an answer: the additions to the boxes."""

    def __init__(self, network: ServedModel, plugins: str, *, status: bool) -> None:
        self._network = network
        self._plugins = {each.strip() for each in plugins.split(",")}
        self._status = status

    def extras(self) -> Extras:
        """Return the additions; call it after the work, whose times it includes."""
        made = Extras(has_landmarks="landmarks" in self._plugins, has_embedding="calculator" in self._plugins)
        if self._status:
            seconds = recorded_stages()
            detector, calculator = (round(seconds.get(each, 0) * 1000, 1) for each in ("detect", "embed"))
            made.times = TimesSchema(detector=detector, calculator=calculator)
            made.versions = VersionsSchema(detector=self._network.detector, calculator=self._network.model)
        return made


async def _answer_options(
    services: ServicesDependency,
    face_plugins: Plugins = "",
    status: Status = False,  # noqa: FBT002 - a query parameter
) -> AnswerOptions:
    return AnswerOptions(services.registry.default, face_plugins, status=status)


async def _subjects(services: ServicesDependency) -> SubjectService:
    return SubjectService(
        services.registry.analysis_of,
        services.gallery,
        services.listing,
        SubjectRepository(services.database.engine, services.database.vault),
        enrollment=services.enrollment,
        people=services.people,
        erasure=services.erasure,
    )


async def comparison_of(services: ServicesDependency) -> ComparisonService:
    """Return the comparison service."""
    registry = services.registry
    return ComparisonService(
        registry.analysis_of, services.gallery, services.listing, registry.policy_of, services.identification
    )


ChoiceDependency = Annotated[FaceSelection, Depends(_choice)]
OptionsDependency = Annotated[AnswerOptions, Depends(_answer_options)]
SubjectsDependency = Annotated[SubjectService, Depends(_subjects)]
ComparisonDependency = Annotated[ComparisonService, Depends(comparison_of)]
