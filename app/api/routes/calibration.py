"""GET /calibration: the error rates of each threshold in a collection."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.access.keys import Scope
from app.api.http.dependencies import CollectionDependency, ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.rates import CalibrationField, RangeSchema, population_of, range_of, rate_of
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
    fitted_fmr: Annotated[float | None, Field(description="`fmr` before adaptation; null if not adapted.")]
    fitted_fpir: Annotated[float | None, Field(description="`fpir` before adaptation; null if not adapted.")]


class CurveMoveSchema(_CurveSchema):
    """The move of the curve by adaptation to the collection's own people."""

    probes: Annotated[int, Field(description="Number of probes that the collection has learned from.")]
    shift: Annotated[float, Field(description="Move of the mean similarity of two strangers.")]
    stretch: Annotated[float, Field(description="Factor of the deviation of these similarities.")]
    threshold_before: Annotated[float, Field(description="Threshold at FMR 1e-4 before adaptation.")]
    threshold_after: Annotated[float, Field(description="Threshold at FMR 1e-4 now.")]
    is_converged: Annotated[bool, Field(description="False: the next version moves the curve further.")]


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
    verification: Annotated[RuleSchema, Field(description="For two photos.")]
    calibration: CalibrationField
    move: Annotated[CurveMoveSchema | None, Field(description="Null if the curve is not adapted.")]

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
            calibration=population_of(curve.population),
            move=None if curve.move is None else CurveMoveSchema.model_validate(curve.move),
        )


@router.get("/calibration")
async def get_calibration(
    collection: CollectionDependency, services: ServicesDependency, workers: WorkersDependency
) -> CalibrationAnswer:
    """Return the false match rate and the false positive identification rate of each similarity."""
    return await workers.run(_answer, services, collection)


def _answer(services: Container, name: str) -> CalibrationAnswer:
    collection = services.gallery.require(name)
    registry = services.registry
    curve = curve_of(collection, registry.policy_of(collection), registry.fitted_policy_of(collection))
    return CalibrationAnswer.of(collection, curve)
