"""GET /calibration: what each threshold would mean in a collection."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.access.keys import Scope
from app.api.http.dependencies import CollectionDependency, ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.container import Container
from app.gallery.store.values import Collection
from app.recognition.decisions.threshold_curve import ThresholdCurve, curve_of

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


class _Schema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PointSchema(_Schema):
    """What a threshold at this similarity would let through."""

    similarity: float
    fmr: Annotated[float, Field(description="Share of pairs of different people that are at least as similar.")]
    fpir: Annotated[float, Field(description="Share of strangers who find somebody in the gallery as it is now.")]


class RuleSchema(_Schema):
    """What decides where a request says nothing; between `doubt_from` and `doubt_to` a match is `possible`."""

    threshold: float
    doubt_from: float
    doubt_to: float


class CalibrationAnswer(BaseModel):
    """The error rates of a collection's network, for its gallery as large as it is."""

    collection: str
    model: str
    identities: int
    faces: int
    points: Annotated[list[PointSchema], Field(description="By similarity; empty while there is no calibration.")]
    identification: RuleSchema
    verification: Annotated[RuleSchema, Field(description="For a template of one face.")]

    @classmethod
    def of(cls, collection: Collection, curve: ThresholdCurve) -> "CalibrationAnswer":
        """Take over a curve."""
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
    """Tell the false match rate and the false positive identification rate of each similarity."""
    return await workers.run(_answer, services, collection)


def _answer(services: Container, name: str) -> CalibrationAnswer:
    collection = services.gallery.require(name)
    return CalibrationAnswer.of(collection, curve_of(collection, services.registry.policy_of(collection)))
