"""GET /calibration: the error rates of each threshold in a collection."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.access.keys import Scope
from app.api.http.dependencies import CollectionDependency, ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.rates import RangeSchema, range_of, rate_of
from app.container import Container
from app.gallery.store.values import Collection
from app.recognition.decisions.threshold_curve import ThresholdCurve, curve_of

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


class _CurveSchema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PointSchema(_CurveSchema):
    """Error rates of a threshold."""

    similarity: float
    fmr: Annotated[float, rate_of("fmr", "Share of pairs of different people that match.")]
    fmr_range: Annotated[RangeSchema, range_of("fmr")]
    fpir: Annotated[float, rate_of("fpir", "Share of strangers that match anyone in the current gallery.")]
    fpir_range: Annotated[RangeSchema, range_of("fpir")]


class RuleSchema(_CurveSchema):
    """The collection's default rule; similarities from `doubt_from` to `doubt_to` are `possible`."""

    threshold: float
    doubt_from: float
    doubt_to: float


class CalibrationAnswer(BaseModel):
    """The error rates of a collection's network, for the current size of its gallery."""

    collection: str
    model: str
    identities: int
    faces: int
    points: Annotated[list[PointSchema], Field(description="Sorted by similarity; empty without a calibration.")]
    identification: RuleSchema
    verification: Annotated[RuleSchema, Field(description="For a template of one face.")]

    @classmethod
    def of(cls, collection: Collection, curve: ThresholdCurve) -> "CalibrationAnswer":
        """Return the answer."""
        return cls(
            collection=collection.name,
            model=collection.model,
            identities=collection.identities,
            faces=collection.faces,
            points=[PointSchema.model_validate(each) for each in curve.points],
            identification=RuleSchema.model_validate(curve.identification),
            verification=RuleSchema.model_validate(curve.verification),
        )


@router.get("/calibration")
async def calibration(
    collection: CollectionDependency, services: ServicesDependency, workers: WorkersDependency
) -> CalibrationAnswer:
    """Return the false match rate and the false positive identification rate of each similarity."""
    return await workers.run(_answer, services, collection)


def _answer(services: Container, name: str) -> CalibrationAnswer:
    collection = services.gallery.require(name)
    return CalibrationAnswer.of(collection, curve_of(collection, services.registry.policy_of(collection)))
