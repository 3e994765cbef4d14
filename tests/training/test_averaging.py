import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from app.training.averaging import MovingAverage


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))


def test_it_is_pytorchs_average_bit_for_bit():
    torch.manual_seed(0)
    model = network()
    expected = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average = MovingAverage(model, 0.9)
    for _ in range(4):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        model(torch.randn(2, 3, 8, 8))
        expected.update_parameters(model)
        average.update_parameters(model)
    states = expected.state_dict(), average.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, weights in states[0].items():
        assert torch.equal(states[1][name], weights)
    assert not torch.equal(average.module[0].weight, model[0].weight)
