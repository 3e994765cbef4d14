"""Construction of a loss from its specification."""

from app.errors import TrainingInvalid
from app.training.losses.base import Loss
from app.training.losses.cosine_head import CosineHead
from app.training.losses.margins import ArcFace, CombinedMargin, CosFace, NormFace
from app.training.losses.sampling import ClassSampler
from app.training.losses.softmax import Softmax
from app.training.losses.spec import LossSpec
from app.training.losses.sphereface import Annealing, SphereFace
from app.training.losses.triplet import Triplet


def build_loss(spec: LossSpec, *, classes: int, dimension: int) -> Loss:
    """Return a new loss for features (n, dimension), with weights drawn from PyTorch's global generator.

    Raises TrainingInvalid if there are fewer than two classes.
    """
    if classes < 2:
        raise TrainingInvalid("a loss needs at least two classes: photos of at least two people")
    if spec.name == "triplet":
        return Triplet(margin=spec.margin_or_default())
    head = CosineHead(classes, dimension, spec.sub_centers)
    if spec.name == "softmax":
        return Softmax(head)
    return _cosine_loss(spec, head, ClassSampler(classes, spec.sample_rate))


def _cosine_loss(spec: LossSpec, head: CosineHead, sampler: ClassSampler) -> Loss:
    scale, margin = spec.scale_or_default(), spec.margin_or_default()
    if spec.name == "normface":
        return NormFace(head, sampler, scale=scale)
    if spec.name == "cosface":
        return CosFace(head, sampler, scale=scale, margin=margin)
    if spec.name == "arcface":
        return ArcFace(head, sampler, scale=scale, margin=margin)
    if spec.name == "combined":
        return CombinedMargin(head, sampler, scale=scale, margins=spec.combined_or_default())
    return SphereFace(
        head,
        sampler,
        scale=scale if spec.is_feature_normalised else None,
        margin=int(margin),
        annealing=Annealing(spec.lambda_max, spec.lambda_decay, spec.lambda_min),
    )
