import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app.errors import NetworkInvalid
from app.types import Provider
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import RUNS_BETWEEN_SHRINKS, Session

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64
Shape = list[str | int | None]


def network(inputs: dict[str, tuple[int, Shape]], outputs: dict[str, str]) -> bytes:
    """Build a network. Each output is one operator on the first input."""
    first, (kind, shape) = next(iter(inputs.items()))
    graph = helper.make_graph(
        [helper.make_node(operator, [first], [name]) for name, operator in outputs.items()],
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def image_network(*shape: str | int) -> bytes:
    return network({"photo": (FLOAT, list(shape))}, {"same": "Identity", "negative": "Neg", "size": "Abs"})


@pytest.fixture
def session() -> Session:
    return Session(image_network("n", 3, "height", "width"), Runtime())


VALUES = np.array([[-2, 3]], np.float32).repeat(6, axis=0).reshape(1, 3, 2, 2)


def test_outputs_come_in_the_networks_order(session: Session):
    same, negative, size = session.run(VALUES)
    np.testing.assert_array_equal(same, VALUES)
    np.testing.assert_array_equal(negative, -VALUES)
    np.testing.assert_array_equal(size, abs(VALUES))


@pytest.mark.parametrize("names", [("size",), ("size", "same"), ("same", "size"), ("negative", "size", "same")])
def test_outputs_come_in_the_order_they_are_named(names: tuple[str, ...]):
    expected = {"same": VALUES, "negative": -VALUES, "size": abs(VALUES)}
    results = Session(image_network("n", 3, "h", "w"), Runtime(), names).run(VALUES)
    assert len(results) == len(names)
    for name, result in zip(names, results, strict=True):
        np.testing.assert_array_equal(result, expected[name])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_batch_may_come(session: Session, count: int):
    assert session.run(np.zeros((count, 3, 4, 6), np.float32))[0].shape == (count, 3, 4, 6)


@pytest.mark.parametrize(
    ("shape", "known", "fixed"),
    [
        (("n", 3, "height", "width"), (None, 3, None, None), None),
        (("n", 3, 112, 96), (None, 3, 112, 96), (112, 96)),
        ((1, 3, 112, "width"), (1, 3, 112, None), None),
        ((1, 3, "height", 96), (1, 3, None, 96), None),
        (("n", 128), (None, 128), None),
        ((2, 3, 4, 5, 6), (2, 3, 4, 5, 6), None),
    ],
)
def test_shapes_are_known_where_they_are_fixed(
    shape: tuple[str | int, ...], known: tuple[int | None, ...], fixed: tuple[int, int] | None
):
    session = Session(network({"x": (FLOAT, list(shape))}, {"y": "Neg"}), Runtime())
    assert session.input_shape == known
    assert session.output_shapes == {"y": known}
    assert session.fixed_size == fixed


def test_a_file_is_opened_as_its_bytes_are(tmp_path: Path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(image_network("n", 3, "h", "w"))
    np.testing.assert_array_equal(Session(path, Runtime(), ("negative",)).run(VALUES)[0], -VALUES)


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": (FLOAT, ["n"]), "second": (FLOAT, ["n"])},
        {"x": (DOUBLE, ["n"])},
        {"x": (INT64, ["n"])},
    ],
    ids=["two inputs", "float64", "int64"],
)
def test_another_form_of_input_is_refused(inputs: dict[str, tuple[int, Shape]]):
    with pytest.raises(NetworkInvalid, match="exactly one float32 input"):
        Session(network(inputs, {"y": "Neg"}), Runtime())


def test_outputs_that_are_not_there_are_named(tmp_path: Path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(image_network("n", 3, "h", "w"))
    with pytest.raises(NetworkInvalid, match=r"tiny\.onnx has no output named boxes, scores"):
        Session(path, Runtime(), ("scores", "same", "boxes"))


def test_threads_may_share_a_session(session: Session):
    failures: list[int] = []

    def work(number: int) -> None:
        values = np.full((2, 3, 8, 8), number, np.float32)
        results = [session.run(values)[1] for _ in range(50)]
        failures.extend(number for result in results if not np.array_equal(result, -values))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def resident_mib() -> float:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_large_run_is_shared_and_given_back(session):
    other = Session(image_network("n", 3, "height", "width"), Runtime())
    large, small = np.ones((1, 3, 4000, 4000), np.float32), VALUES  # three outputs of 183 MiB
    before = resident_mib()
    session.run(large)
    for _ in range(RUNS_BETWEEN_SHRINKS):
        found = other.run(small)
    np.testing.assert_array_equal(found[0], small)
    assert resident_mib() < before + 183


def test_only_the_cpu_has_an_arena_to_shrink():
    assert Runtime(Provider.CPU).shrinking() is not None
    assert Runtime(Provider.CUDA).shrinking() is None
