"""PReLU, put together again: TensorFlow 1 has none, and its TFLite files spell it as five operators."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

from app.faces import Floats
from app.inference.conversion.tflite import Activation, Kind, Network, Operator, Tensor


def with_prelu(network: Network) -> Network:
    """Replace each relu(x) + c * (x - |x|) by PRELU(x) with the slope 2c, which gives the same bits.

    The operators that it takes the place of stay; those that nobody reads any more fall away in the conversion.
    """
    made = {operator.output: operator for operator in network.operators if operator.activation is Activation.NONE}
    tensors = list(network.tensors)
    operators = []
    for operator in network.operators:
        spelled = next(_spelled(operator, made, tensors), None) if operator.output in made else None
        if spelled is not None:
            tensors.append(Tensor(spelled.slope.shape, spelled.slope))
            slope = len(tensors) - 1
            operators.append(replace(operator, kind=Kind.PRELU, inputs=(spelled.argument, slope)))
        else:
            operators.append(operator)
    return replace(network, tensors=tuple(tensors), operators=tuple(operators))


@dataclass(frozen=True, slots=True)
class _Spelled:
    argument: int
    slope: Floats


def _spelled(add: Operator, made: dict[int, Operator], tensors: list[Tensor]) -> Iterator[_Spelled]:
    """Yield the PReLU that this operator is the last step of, if it is one; sums and products go in either order."""
    if add.kind is not Kind.ADD:
        return
    for positive, negative in permutations(add.inputs):
        relu, product = made.get(positive), made.get(negative)
        if relu is None or product is None or (relu.kind, product.kind) != (Kind.RELU, Kind.MUL):
            continue
        for factor, difference in permutations(product.inputs):
            constant = tensors[factor].constant
            if constant is not None and _is_twice_the_negative_part(made.get(difference), relu.inputs[0], made):
                yield _Spelled(relu.inputs[0], 2 * constant)


def _is_twice_the_negative_part(subtract: Operator | None, argument: int, made: dict[int, Operator]) -> bool:
    """Say whether the operator gives x - |x|, which is 2 min(x, 0), of this x."""
    if subtract is None or subtract.kind is not Kind.SUB or subtract.inputs[0] != argument:
        return False
    absolute = made.get(subtract.inputs[1])
    return absolute is not None and absolute.kind is Kind.ABS and absolute.inputs == (argument,)
