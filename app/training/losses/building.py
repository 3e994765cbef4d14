"""Construction of a loss from its specification."""

from collections.abc import Callable

from app.errors import TrainingInvalid
from app.training.external import is_external
from app.training.losses.base import Loss
from app.training.losses.cosine_head import CosineHead
from app.training.losses.external_loss import build_external_loss
from app.training.losses.margins import ArcFace, CombinedMargin, CosFace, NormFace, WeightNorm
from app.training.losses.norm_margins import AdaFace, MagFace
from app.training.losses.sampling import ClassSampler
from app.training.losses.softmax import CenterLoss, ContrastiveLoss, L2Softmax, Softmax
from app.training.losses.spec import LossSpec
from app.training.losses.sphereface import Annealing, SphereFace
from app.training.losses.triplet import Triplet


def build_loss(spec: LossSpec, *, classes: int, dimension: int) -> Loss:
    """Return a new loss for features (n, dimension), with weights drawn from PyTorch's global generator.

    Raises TrainingInvalid if there are fewer than two classes, or if a class of another package does not fit.
    """
    if classes < 2:
        raise TrainingInvalid("a loss needs at least two classes: photos of at least two people")
    if is_external(spec.name):
        return build_external_loss(spec.name, classes=classes, dimension=dimension, options=spec.options)
    if spec.name == "triplet":
        return Triplet(margin=spec.number("margin"))
    head = CosineHead(classes, dimension, spec.sub_centers)
    if spec.name in _WITH_BIAS:
        return _WITH_BIAS[spec.name](spec, head)
    return _COSINE_LOSSES[spec.name](spec, head, ClassSampler(classes, spec.sample_rate))


def _sphereface(spec: LossSpec, head: CosineHead, sampler: ClassSampler) -> Loss:
    return SphereFace(
        head,
        sampler,
        scale=spec.number("scale") if spec.is_feature_normalised else None,
        margin=int(spec.number("margin")),
        annealing=Annealing(spec.lambda_max, spec.lambda_decay, spec.lambda_min),
    )


def _adaface(spec: LossSpec, head: CosineHead, sampler: ClassSampler) -> Loss:
    return AdaFace(
        head,
        sampler,
        scale=spec.number("scale"),
        margin=spec.number("margin"),
        concentration=spec.number("concentration"),
        momentum=spec.number("norm_momentum"),
    )


def _magface(spec: LossSpec, head: CosineHead, sampler: ClassSampler) -> Loss:
    return MagFace(
        head,
        sampler,
        scale=spec.number("scale"),
        norms=spec.interval("norms"),
        margins=spec.interval("margins"),
        weight=spec.number("weight"),
    )


_WITH_BIAS: dict[str, Callable[[LossSpec, CosineHead], Loss]] = {
    "softmax": lambda _, head: Softmax(head),
    "l2-softmax": lambda spec, head: L2Softmax(head, scale=spec.number("scale")),
    "center": lambda spec, head: CenterLoss(head, weight=spec.number("weight"), rate=spec.number("center_rate")),
    "contrastive": lambda spec, head: ContrastiveLoss(head, weight=spec.number("weight"), margin=spec.number("margin")),
}
_COSINE_LOSSES: dict[str, Callable[[LossSpec, CosineHead, ClassSampler], Loss]] = {
    "w-norm": lambda _, head, sampler: WeightNorm(head, sampler),
    "normface": lambda spec, head, sampler: NormFace(head, sampler, scale=spec.number("scale")),
    "cosface": lambda spec, head, sampler: CosFace(
        head, sampler, scale=spec.number("scale"), margin=spec.number("margin")
    ),
    "arcface": lambda spec, head, sampler: ArcFace(
        head, sampler, scale=spec.number("scale"), margin=spec.number("margin")
    ),
    "combined": lambda spec, head, sampler: CombinedMargin(
        head,
        sampler,
        scale=spec.number("scale"),
        margins=(spec.number("m1"), spec.number("m2"), spec.number("m3")),
    ),
    "sphereface": _sphereface,
    "adaface": _adaface,
    "magface": _magface,
}
