"""Target logits over the angle (ArcFace, 2019, figure 4a). NumPy, float64."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import TrainingInvalid
from app.training.losses.spec import LossSpec

Doubles = NDArray[np.float64]

_FIGURE = 64.0  # the norm of the features in the paper's figure
_WITHOUT_SCALE = {"softmax", "sphereface"}
_KEYS = {"s": "scale", "m": "margin", "m1": "m1", "m2": "m2", "m3": "m3", "lambda": "lambda_min"}
_TITLES = {
    "softmax": "Softmax",
    "normface": "NormFace",
    "sphereface": "SphereFace",
    "cosface": "CosFace",
    "arcface": "ArcFace",
    "combined": "Combined",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """A loss with its parameters, as a function of the angle; SphereFace's margin may be a fraction here.

    Args:
        name: One of the losses with a target logit: softmax, normface, sphereface, cosface, arcface, combined.
        scale: s; for Softmax and SphereFace, which have none, the norm of the features.
        margins: m of SphereFace, CosFace and ArcFace; m1, m2 and m3 of the combined margin; empty for the others.
        plain: SphereFace's lambda, the weight of the plain cosine.
    """

    name: str
    scale: float
    margins: tuple[float, ...] = ()
    plain: float = 0.0

    @property
    def label(self) -> str:
        """The name and the parameters, for a legend."""
        scale = f"{'|x|' if self.name in _WITHOUT_SCALE else 's'} = {self.scale:g}"
        margins = [f"m = {', '.join(f'{margin:g}' for margin in self.margins)}"] if self.margins else []
        plain = [f"λ = {self.plain:g}"] if self.name == "sphereface" else []
        return f"{_TITLES[self.name]} ({'; '.join([scale, *margins, *plain])})"

    def target(self, theta: Doubles) -> Doubles:
        """Return the replacement for the cosine of the own class at angles `theta`, any shape, radians in 0..pi."""
        theta = np.asarray(theta, np.float64)
        if self.name == "cosface":
            return np.cos(theta) - self.margins[0]
        if self.name == "arcface":
            return _combined(theta, 1, self.margins[0], 0)
        if self.name == "combined":
            return _combined(theta, *self.margins)
        if self.name == "sphereface":
            return (self.plain * np.cos(theta) + _psi(theta, self.margins[0])) / (1 + self.plain)
        cosines: Doubles = np.cos(theta)
        return cosines

    def target_logit(self, theta: Doubles) -> Doubles:
        """Return the target logit at angles `theta`, any shape, radians in 0..pi."""
        return self.scale * self.target(theta)

    @property
    def last(self) -> float | None:
        """The angle (radians) from which ArcFace and the combined margin are continued; None for the others."""
        if self.name not in {"arcface", "combined"}:
            return None
        m1, m2 = self.margins[:2] if self.name == "combined" else (1.0, self.margins[0])
        return (math.pi - m2) / m1


def curve_of(spec: LossSpec, *, norm: float = _FIGURE) -> Curve:
    """Return the curve of a loss; SphereFace's lambda is its final one.

    `norm` is the norm of the features for losses without a scale: Softmax (no bias, class weight of norm 1) and
    SphereFace. Raises TrainingInvalid for a loss without a target logit at an angle, such as Triplet.
    """
    if spec.name not in _TITLES:
        raise TrainingInvalid(f"the loss {spec.name} has no target logit")
    has_norm = spec.name in _WITHOUT_SCALE and not spec.is_feature_normalised
    scale = norm if has_norm else spec.number("scale")
    if spec.name == "combined":
        return Curve(spec.name, scale, (spec.number("m1"), spec.number("m2"), spec.number("m3")))
    if spec.name in {"softmax", "normface"}:
        return Curve(spec.name, scale)
    return Curve(spec.name, scale, (spec.number("margin"),), spec.lambda_min if spec.name == "sphereface" else 0)


def parse_curve(text: str) -> Curve:
    """Return the curve of a text such as `arcface`, `arcface:m=0.3,s=30` or `sphereface:m=1.5,lambda=0`.

    Raises TrainingInvalid with the reason.
    """
    name, _, rest = text.partition(":")
    values: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        try:
            values[_KEYS[key.strip()]] = float(value)
        except (KeyError, ValueError) as error:
            keys = ", ".join(_KEYS)
            raise TrainingInvalid(
                f"{text}: {part!r} is not one of {keys} with a number, as in arcface:m=0.3"
            ) from error
    if name == "sphereface":
        return _sphereface(values)
    if name == "normface":
        values.setdefault("scale", _FIGURE)
    norm = values.pop("scale", _FIGURE) if name == "softmax" else _FIGURE
    return curve_of(_spec(name, values), norm=norm)


def _spec(name: str, values: Mapping[str, float]) -> LossSpec:
    known = {"scale", "margin", "m1", "m2", "m3"}
    if unknown := set(values) - known:
        raise TrainingInvalid(f"the loss {name} has no {', '.join(sorted(unknown))}")
    return LossSpec(
        name,
        scale=values.get("scale"),
        margin=values.get("margin"),
        m1=values.get("m1"),
        m2=values.get("m2"),
        m3=values.get("m3"),
    )


def _sphereface(values: Mapping[str, float]) -> Curve:
    margin, plain = values.get("margin", 4.0), values.get("lambda_min", 5.0)
    if set(values) - {"scale", "margin", "lambda_min"} or margin < 1 or plain < 0:
        raise TrainingInvalid("sphereface: s, a margin m of at least 1, and a lambda of at least 0")
    return Curve("sphereface", values.get("scale", _FIGURE), (margin,), plain)


def _combined(theta: Doubles, m1: float, m2: float, m3: float) -> Doubles:
    last = (math.pi - m2) / m1
    shift = math.pi - last
    beyond = np.cos(theta) - shift * math.sin(shift)
    return np.where(theta <= last, np.cos(m1 * theta + m2), beyond) - m3


def _psi(theta: Doubles, margin: float) -> Doubles:
    """Return (-1)^k cos(m theta) - 2k in the k-th section of length pi / m; the last one may be shorter."""
    k = np.minimum(np.floor(margin * theta / math.pi), math.ceil(margin) - 1)
    psi: Doubles = (-1) ** k * np.cos(margin * theta) - 2 * k
    return psi
