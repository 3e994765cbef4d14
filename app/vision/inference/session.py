"""A network in ONNX Runtime. Its input and outputs are checked once, when it is opened."""

from itertools import count
from pathlib import Path
from typing import Final

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.cancellation import require_wanted
from app.vision.inference.runtime import Runtime

RUNS_BETWEEN_SHRINKS: Final = 50  # of a session; shrinking costs a run that has to allocate again


class Session:
    """A network with one float32 input. Calls may be concurrent. Opening is slow and must not happen in a request."""

    def __init__(
        self, path: Path | bytes, runtime: Runtime, outputs: tuple[str, ...] | None = None, *, name: str = ""
    ) -> None:
        """Open a network.

        Args:
            path: The network's file or bytes.
            runtime: Execution provider and threads.
            outputs: Names of the outputs that `run` returns, in this order; None for all.
            name: Name in errors; by default that of the file.

        Raises:
            NetworkInvalid: If the file is not an ONNX network of this form.
            ProviderUnavailable: If the session did not get the execution provider of `runtime`.
        """
        name = name or (path.name if isinstance(path, Path) else "the network")
        self._session = runtime.open(path, name)
        self._shrinking = runtime.shrinking()
        self._runs = count(1)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise NetworkInvalid(f"{name} must have exactly one float32 input")
        self._input = inputs[0].name
        self.input_shape: tuple[int | None, ...] = tuple(n if isinstance(n, int) else None for n in inputs[0].shape)
        self.output_shapes = {
            node.name: tuple(n if isinstance(n, int) else None for n in node.shape)
            for node in self._session.get_outputs()
        }
        missing = set(outputs or ()) - set(self.output_shapes)
        if missing:
            raise NetworkInvalid(f"{name} has no output named {', '.join(sorted(missing))}")
        self._outputs = list(outputs or self.output_shapes)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """The fixed (height, width) of an image input (n, 3, height, width); None if either is free."""
        height, width = self.input_shape[2:4] if len(self.input_shape) == 4 else (None, None)
        return (height, width) if height is not None and width is not None else None

    def run(self, batch: Floats) -> list[Floats]:
        """Run the network on `batch`, which has its input's shape, and return one array for each output.

        Raises CancelledError before the run if the work of this context is cancelled (`cancellation`).
        """
        require_wanted()
        options = self._shrinking if next(self._runs) % RUNS_BETWEEN_SHRINKS == 0 else None
        result: list[Floats] = self._session.run(self._outputs, {self._input: batch}, options)
        return result
