"""Networks whose weights lie in other files: those would be loaded without a check of their hash."""

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from app.errors import NetworkInvalid


def refuse_external_data(data: bytes, name: str) -> None:
    """Raise NetworkInvalid if a network is not ONNX, or reads weights from another file."""
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's classes differ between its implementations
        raise NetworkInvalid(f"{name} is not an ONNX network: {error}") from error
    if _reads_another_file(model):
        raise NetworkInvalid(
            f"{name} keeps weights in another file, which no hash would check; save it as one file: "
            "onnx.save(onnx.load(...), ..., save_as_external_data=False)"
        )


def _reads_another_file(model: ModelProto) -> bool:
    graphs = [model.graph]
    attributes: list[AttributeProto] = [each for f in model.functions for node in f.node for each in node.attribute]
    while graphs or attributes:
        if attributes:
            attribute = attributes.pop()
            graphs += [attribute.g, *attribute.graphs] if _has_graph(attribute) else []
            tensors = [attribute.t, *attribute.tensors]
            tensors += [part for each in attribute.sparse_tensors for part in (each.values, each.indices)]
            tensors += [attribute.sparse_tensor.values, attribute.sparse_tensor.indices]
        else:
            graph: GraphProto = graphs.pop()
            attributes += [each for node in graph.node for each in node.attribute]
            tensors = [*graph.initializer]
            tensors += [part for each in graph.sparse_initializer for part in (each.values, each.indices)]
        if any(each.data_location == TensorProto.EXTERNAL or each.external_data for each in tensors):
            return True
    return False


def _has_graph(attribute: AttributeProto) -> bool:
    return attribute.HasField("g") or bool(attribute.graphs)
