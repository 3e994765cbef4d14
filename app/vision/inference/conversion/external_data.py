"""Check for networks with weights in other files, which would be loaded without a check of their hash."""

from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from app.errors import NetworkInvalid


def refuse_external_data(data: bytes, name: str) -> None:
    """Raise NetworkInvalid if a network is not ONNX or has weights in another file."""
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise NetworkInvalid(f"{name} is not an ONNX network: {error}") from error
    if _reads_another_file(model):
        raise NetworkInvalid(
            f"{name} has weights in another file, whose hash is not checked; save it as one file: "
            "onnx.save(onnx.load(...), ..., save_as_external_data=False)"
        )


def _reads_another_file(model: ModelProto) -> bool:
    graphs = [model.graph]
    attributes: list[AttributeProto] = [
        attribute for function in model.functions for node in function.node for attribute in node.attribute
    ]
    while graphs or attributes:
        if attributes:
            attribute = attributes.pop()
            graphs += [attribute.g, *attribute.graphs] if _has_graph(attribute) else []
            tensors = [attribute.t, *attribute.tensors]
            tensors += [part for sparse in attribute.sparse_tensors for part in (sparse.values, sparse.indices)]
            tensors += [attribute.sparse_tensor.values, attribute.sparse_tensor.indices]
        else:
            graph: GraphProto = graphs.pop()
            attributes += [attribute for node in graph.node for attribute in node.attribute]
            tensors = [*graph.initializer]
            tensors += [part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices)]
        if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
            return True
    return False


def _has_graph(attribute: AttributeProto) -> bool:
    return attribute.HasField("g") or bool(attribute.graphs)
