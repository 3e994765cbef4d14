import copy
import sys

import pytest
import torch

from app.errors import TrainingInvalid
from app.training.config import parse_config
from app.training.external import import_class, is_external
from app.training.learner import Learner
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from app.training.optimiser import build_optimiser, load_optimiser


def build(**keys):
    learner = Learner(torch.nn.Linear(4, 4), build_loss(LossSpec("arcface"), classes=2, dimension=4), share=0.1)
    return build_optimiser(learner, parse_config({"data": {"path": "/photos"}, "optimiser": keys}))


def test_stochastic_gradient_descent_with_momentum_is_the_default():
    optimiser = build(weight_decay=0.01, options={"nesterov": True})
    assert type(optimiser) is torch.optim.SGD
    assert [group["share"] for group in optimiser.param_groups] == [0.1, 1.0]
    for group in optimiser.param_groups:
        assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 0.01, True)


def test_adamw_and_any_other_class():
    group = build(name="adamw", weight_decay=0.1, options={"betas": [0.8, 0.9]}).param_groups[0]
    assert (group["weight_decay"], group["betas"]) == (0.1, (0.8, 0.9))
    assert type(build(name="torch.optim:RAdam")) is torch.optim.RAdam


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": "adamw", "options": {"beta": 1}}, "optimiser adamw cannot be constructed: .*beta"),
        ({"name": "adamw", "options": {"eps": -1.0}}, "optimiser adamw cannot be constructed"),
        ({"name": "nowhere.optim:Mine"}, "nowhere.optim:Mine: No module named 'nowhere'; install it, or add"),
        ({"name": "torch.optim:Mine"}, "the module torch.optim has no Mine"),
        ({"name": "torch.nn:Linear"}, "torch.nn:Linear is not a subclass of torch.optim.optimizer.Optimizer"),
    ],
)
def test_what_does_not_fit_is_named(keys, message):
    with pytest.raises(TrainingInvalid, match=message):
        build(**keys)


def test_a_module_that_fails_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        import_class("broken_module:Mine", object)
    assert "broken_module" not in sys.modules


def take_steps(optimiser, gradients):
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    weights = optimiser.param_groups[0]["params"][0]
    for gradient in gradients:
        optimiser.zero_grad()
        scaler.scale((weights * gradient).sum()).backward()
        scaler.unscale_(optimiser)
        scaler.step(optimiser)
        scaler.update()
    return weights.detach().clone()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_fused_optimizer_skips_infinite_gradients_as_another_does(name):
    results = []
    for fused in (False, True):
        torch.manual_seed(0)
        results.append(take_steps(build(name=name, options={"fused": fused}), [torch.inf, 1.0, 2.0]))
    torch.testing.assert_close(*results)


def test_without_a_step_the_momentum_of_a_fused_optimizer_is_zero():
    fused = build(options={"fused": True})
    assert all(not state["momentum_buffer"].any() for state in fused.state.values())
    assert len(fused.state) == 3
    assert not build().state


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("fused", [(False, True), (True, False)])
def test_a_saved_state_does_not_change_the_implementation(name, fused):
    saved, other = (build(name=name, options={"fused": value}) for value in fused)
    take_steps(saved, [1.0])
    with torch.no_grad():
        for weights, loaded in zip(saved.param_groups[0]["params"], other.param_groups[0]["params"], strict=True):
            loaded.copy_(weights)
    load_optimiser(other, copy.deepcopy(saved.state_dict()))
    assert [group["fused"] for group in other.param_groups] == [fused[1]] * 2
    torch.testing.assert_close(take_steps(other, [2.0]), take_steps(saved, [2.0]))


def test_names_of_classes():
    assert is_external("package.module:Class")
    assert not any(map(is_external, ("arcface", "timm:densenet-121", "module.Class", "a b:C")))
