"""Ranges of a network's activations, measured on faces, for `conversion.quantisation`."""

from collections.abc import Iterable

import numpy as np
import onnx

from app.types import Floats
from app.vision.inference.conversion.batch_norm import fold_batch_norm
from app.vision.inference.conversion.quantisation import quantisable
from app.vision.inference.runtime import Runtime

CLIPPED = 0.1
"""Share of the faces whose own extremes lie outside the range, on either side.

The cosine with the float32 embedding is highest there: 0.9987 on average, 0.9979 without clipping, and as high but with
a worse minimum (0.9957) at 0.5 (150 people of LFW, ranges of 200 others).
"""

_DIGITS = 4


def activation_ranges(network: bytes, batches: Iterable[Floats]) -> dict[str, tuple[float, float]]:
    """Return the range of each value that quantisation needs, rounded.

    Args:
        network: An ONNX network with one input, converted but not quantised.
        batches: Inputs of the network, each (n, ...): faces as the embedder sees them. 200 people are enough.
    """
    model = fold_batch_norm(onnx.load_model_from_string(network))
    names = quantisable(model)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = Runtime().open(model.SerializeToString())
    source = session.get_inputs()[0].name
    lows: list[list[float]] = [[] for _ in names]
    highs: list[list[float]] = [[] for _ in names]
    for batch in batches:
        for values, low, high in zip(session.run(names, {source: batch}), lows, highs, strict=True):
            rows = values.reshape(len(values), -1)
            low.extend(rows.min(axis=1).tolist())
            high.extend(rows.max(axis=1).tolist())
    return {
        name: (round(float(np.quantile(low, CLIPPED)), _DIGITS), round(float(np.quantile(high, 1 - CLIPPED)), _DIGITS))
        for name, low, high in zip(names, lows, highs, strict=True)
    }
