from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from app.errors import TrainingInvalid
from app.training.export.network import as_onnx
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session

# In each of the eight units of IResNet-18, a padded convolution follows, so folding would change the function.
NORMS_LEFT = {"iresnet18": 8, "mobilefacenet": 0}


@pytest.fixture(scope="module", params=["iresnet18", "mobilefacenet"])
def exported(request, backbone_of, tmp_path_factory):
    """Return a backbone in training mode and its exported file."""
    backbone = backbone_of(request.param).train()
    file = tmp_path_factory.mktemp("exported") / "network.onnx"
    file.write_bytes(as_onnx(backbone))
    return request.param, backbone, file


@pytest.mark.parametrize("batch", [1, 5])
def test_the_service_computes_what_pytorch_computes(exported, batch):
    _, backbone, file = exported
    assert backbone.training  # unchanged
    crops = torch.randn(batch, 3, 112, 112, generator=torch.Generator().manual_seed(batch))
    with torch.no_grad():
        expected = backbone.eval()(crops).numpy()
    backbone.train()
    session = Session(file, Runtime())
    (actual,) = session.run(crops.numpy())
    assert (session.input_shape, session.output_shapes) == ((None, 3, 112, 112), {"embedding": (None, 16)})
    lengths = np.linalg.norm(actual, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((actual * expected).sum(axis=1) / lengths).min() >= 0.9999
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_nothing_is_computed_that_can_be_folded(exported):
    name, _, file = exported
    model = onnx.load(file)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["BatchNormalization"] == NORMS_LEFT[name]
    assert not {"PRelu", "Dropout", "Identity"} & kinds.keys()
    assert model.graph.input[0].name == "input"


def test_what_has_no_onnx_form_is_said():
    class Odd(torch.nn.Module):
        def forward(self, crops):
            return crops.flatten(1) if crops.sum().item() > 0 else -crops.flatten(1)

    with pytest.raises(TrainingInvalid, match="cannot be exported to ONNX"):
        as_onnx(Odd())
