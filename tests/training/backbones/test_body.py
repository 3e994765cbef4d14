import pytest
import torch
from torch import nn

from app.errors import TrainingInvalid
from app.training.backbones.body import checkpoint_activations
from app.training.backbones.building import build_backbone
from app.training.backbones.spec import BackboneSpec


def run(name, is_checkpointed):
    """Train for two steps with momentum; return all weights, statistics and gradients."""
    torch.manual_seed(0)
    network = build_backbone(BackboneSpec(name, dimension=16, width=0.125))
    if is_checkpointed:
        checkpoint_activations(network)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    crops = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    for step in range(2):
        torch.manual_seed(step)
        optimizer.zero_grad()
        network(crops).square().mean().backward()
        optimizer.step()
    return network, [*network.state_dict().values(), *(weight.grad for weight in network.parameters())]


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet", "sphere20"])
def test_checkpointing_changes_no_bit(name):
    _, plain = run(name, is_checkpointed=False)
    _, checkpointed = run(name, is_checkpointed=True)
    assert all(one is other or torch.equal(one, other) for one, other in zip(plain, checkpointed, strict=True))


def test_checkpointing_keeps_fewer_activations():
    kept = {}
    for is_checkpointed in (False, True):
        network = build_backbone(BackboneSpec("iresnet18", dimension=16, width=0.125))
        if is_checkpointed:
            checkpoint_activations(network)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda kept, to=sizes: to.append(kept.numel()), lambda _: None):
            network(torch.rand(2, 3, 112, 112))
        kept[is_checkpointed] = sum(sizes)
    assert kept[True] < 0.6 * kept[False]


def test_a_network_without_units_is_refused():
    with pytest.raises(TrainingInvalid, match="checkpoint_activations"):
        checkpoint_activations(nn.Linear(2, 2))
