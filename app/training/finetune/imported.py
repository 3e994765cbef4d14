"""Import of a pack's ONNX network as a trainable PyTorch module."""

from collections.abc import Mapping

from torch import Tensor, nn

from app.errors import TrainingInvalid
from app.training.finetune.graph import read_graph, skip_layers
from app.training.finetune.layers import build_layer
from app.vision.embedding import Preprocessing


class ImportedNetwork(nn.Module):
    """An ONNX network as a module, with the same input (n, 3, 112, 112) and output (n, d).

    Floating-point weights are parameters; BatchNorm statistics and other constants are fixed. Raises TrainingInvalid,
    naming the operator, if the network contains an unsupported one.
    """

    def __init__(self, network: bytes, *, skip: Mapping[str, str] | None = None) -> None:
        """Args: skip: value -> later value of the network; the layers between the two are left out."""
        super().__init__()
        graph = skip_layers(read_graph(network), skip or {})
        self._input, self._output = graph.input, graph.output
        self.layers = nn.ModuleList(build_layer(node, graph.constants) for node in graph.nodes)
        self._wiring = [
            (tuple(name for name in node.inputs if name and name not in graph.constants), node.output)
            for node in graph.nodes
        ]
        last_use = {name: index for index, (names, _) in enumerate(self._wiring) for name in names}
        self._last_used = [
            [name for name in names if last_use[name] == index] for index, (names, _) in enumerate(self._wiring)
        ]

    def forward(self, batch: Tensor) -> Tensor:
        """Run the network."""
        values = {self._input: batch}
        for module, (inputs, output), unused in zip(self.layers, self._wiring, self._last_used, strict=True):
            values[output] = module(*(values[name] for name in inputs))
            for name in set(unused) - {self._output}:
                del values[name]
        return values[self._output]

    def freeze_all_but_the_last(self) -> None:
        """Freeze all layers before the last one with a weight matrix."""
        weighted = [
            index
            for index, module in enumerate(self.layers)
            if any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
        ]
        if not weighted:
            raise TrainingInvalid("the network has no layer with a weight matrix")
        for module in self.layers[: weighted[-1]]:
            module.requires_grad_(requires_grad=False)


class Repreprocessed(nn.Module):
    """Wrapper that converts training input, RGB (pixel - 127.5) / 128, to the network's own preprocessing."""

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self._preprocessing = preprocessing

    def forward(self, batch: Tensor) -> Tensor:
        """Convert the batch and run the network."""
        pixels = batch * 128 + 127.5
        if self._preprocessing.is_bgr:
            pixels = pixels.flip(1)
        return self.network((pixels - self._preprocessing.mean) / self._preprocessing.scale)
