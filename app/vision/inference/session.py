"""One network in ONNX Runtime: arrays in, arrays out, types earned once when it is opened."""

from pathlib import Path

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.cancellation import require_wanted
from app.vision.inference.runtime import Runtime


class Session:
    """A network with one float32 input. Safe under concurrent calls; opening one is slow and no request's work."""

    def __init__(
        self, path: Path | bytes, runtime: Runtime, outputs: tuple[str, ...] | None = None, *, name: str = ""
    ) -> None:
        """Open a network's file (or bytes); `outputs` names what `run` returns, in that order (default: all).

        Errors call it `name` (default: the file's).

        Raises NetworkInvalid when the file is no ONNX network of this form, ProviderUnavailable when the session did
        not get the execution provider that `runtime` asks for.
        """
        name = name or (path.name if isinstance(path, Path) else "the network")
        self._session = runtime.open(path, name)
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
        """The only (height, width) of an image input (n, 3, height, width), None where either is free."""
        height, width = self.input_shape[2:4] if len(self.input_shape) == 4 else (None, None)
        return (height, width) if height is not None and width is not None else None

    def run(self, batch: Floats) -> list[Floats]:
        """Run the network on `batch` (its input's shape) and return one array for each output.

        Raises CancelledError, without a run, if nobody waits for the result any more (`cancellation`).
        """
        require_wanted()
        result: list[Floats] = self._session.run(self._outputs, {self._input: batch})
        return result
