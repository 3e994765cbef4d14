"""A served network as a PyTorch module, to train on."""

from torch import Tensor, nn

from app.embedding import Preprocessing
from app.errors import TrainingInvalid
from app.training.finetune.graph import read_graph
from app.training.finetune.layers import layer


class Imported(nn.Module):
    """An ONNX network, layer by layer: the same input (n, 3, 112, 112) -> the same output (n, d).

    Floating-point weights are parameters; the statistics of BatchNorm and other constants stay as they are. Raises
    TrainingInvalid, naming the operator, for a network that cannot be read.
    """

    def __init__(self, network: bytes) -> None:
        super().__init__()
        graph = read_graph(network)
        self._input, self._output = graph.input, graph.output
        self.layers = nn.ModuleList(layer(step, graph.constants) for step in graph.steps)
        self._wiring = [
            (tuple(name for name in step.inputs if name and name not in graph.constants), step.output)
            for step in graph.steps
        ]
        last_use = {name: place for place, (names, _) in enumerate(self._wiring) for name in names}
        self._spent = [
            [name for name in names if last_use[name] == place] for place, (names, _) in enumerate(self._wiring)
        ]

    def forward(self, batch: Tensor) -> Tensor:
        """Run the network."""
        values = {self._input: batch}
        for module, (inputs, output), spent in zip(self.layers, self._wiring, self._spent, strict=True):
            values[output] = module(*(values[name] for name in inputs))
            for name in set(spent) - {self._output}:
                del values[name]
        return values[self._output]

    def freeze_all_but_the_last(self) -> None:
        """Train the last layer with a weight matrix, and what comes after it; all before stays as it is."""
        with_matrix = [
            place
            for place, module in enumerate(self.layers)
            if any(each.ndim > 1 for each in module.parameters(recurse=False))
        ]
        if not with_matrix:
            raise TrainingInvalid("the network has no layer with weights")
        for module in self.layers[: with_matrix[-1]]:
            module.requires_grad_(requires_grad=False)


class Reconciled(nn.Module):
    """A network with a preprocessing of its own, on the input that training gives: RGB, (pixel - 127.5) / 128."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self._preprocessing = preprocessing

    def forward(self, batch: Tensor) -> Tensor:
        """Undo the usual preprocessing, do the network's own, run it."""
        own = self._preprocessing
        pixels = batch * 128 + 127.5
        if own.is_bgr:
            pixels = pixels.flip(1)
        return self.network((pixels - own.mean) / own.scale)
