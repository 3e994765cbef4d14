"""Small OpenVINO networks (intermediate representation, version 11), written by hand."""

from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import numpy as np

from app.types import Floats


@dataclass
class IrWriter:
    """A network while it is written; each method returns the id of its layer."""

    layers: list[ET.Element] = field(default_factory=list)
    edges: list[tuple[str, str, int]] = field(default_factory=list)
    weights: bytes = b""

    def layer(self, kind: str, inputs: tuple[str, ...] = (), **data: str) -> str:
        element = ET.Element("layer", id=str(len(self.layers)), name="x", type=kind, version="opset1")
        ET.SubElement(element, "data", data)
        self.layers.append(element)
        self.edges += [(source, element.attrib["id"], port) for port, source in enumerate(inputs)]
        return element.attrib["id"]

    def constant(self, values: Floats) -> str:
        """Write a constant in half precision, and its conversion to float32."""
        data = values.astype("<f2").tobytes()
        shape = ", ".join(map(str, values.shape))
        offset, size = str(len(self.weights)), str(len(data))
        self.weights += data
        stored = self.layer("Const", element_type="f16", shape=shape, offset=offset, size=size)
        return self.layer("Convert", (stored,), destination_type="f32")

    def description(self) -> bytes:
        net = ET.Element("net", name="tiny", version="11")
        layers, edges = ET.SubElement(net, "layers"), ET.SubElement(net, "edges")
        layers.extend(self.layers)
        for source, target, port in self.edges:
            place = {"from-layer": source, "from-port": "0", "to-layer": target, "to-port": str(port)}
            ET.SubElement(edges, "edge", place)
        return ET.tostring(net)


def halves(*shape: int, seed: int = 0) -> Floats:
    """Return random numbers that half precision represents."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float16).astype(np.float32)


def tiny_ir(kernel: Floats, bias: Floats) -> tuple[bytes, bytes]:
    """Return the files of a network (1, 3, 4, 4) -> (1, 2): a convolution without padding, a sum and pooling."""
    net = IrWriter()
    photo = net.layer("Parameter", shape="1,3,4,4", element_type="f32")
    window = {"pads_begin": "0, 0", "pads_end": "0, 0", "auto_pad": "explicit"}
    top = net.layer("Convolution", (photo, net.constant(kernel)), strides="1, 1", dilations="1, 1", **window)
    top = net.layer("Add", (top, net.constant(bias)), auto_broadcast="numpy")
    top = net.layer("AvgPool", (top,), kernel="2, 2", strides="2, 2", rounding_type="floor", **window)
    net.layer("Result", (top,))
    return net.description(), net.weights
