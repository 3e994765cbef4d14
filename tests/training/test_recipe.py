import tomllib

import pytest

from app.config import PROJECT
from app.errors import TrainingInvalid
from app.training.config import parse_config
from app.training.recipe import overlay, read_recipe, recipe_names

DATA = {"data": {"path": "/photos"}}


def config(name, **values):
    return parse_config({**DATA, "recipe": name, **values})


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_a_whole_run_and_so_is_its_written_file(name):
    written = config(name)
    again = parse_config(tomllib.loads(written.to_toml()))
    assert again == written
    assert again.resume_settings() == written.resume_settings()
    explicit = tomllib.loads(written.to_toml())
    del explicit["recipe"]
    assert parse_config(explicit).resume_settings() == written.resume_settings()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("arcface-v1", ("iresnet100", "arcface", 64, 0.5, 512, 200_000, (100_000, 140_000, 160_000), 0.4)),
        ("am-softmax", ("sphere20", "cosface", 30, 0.35, 256, 30_000, (16_000, 24_000, 28_000), 0.4)),
        ("sphereface", ("sphere20", "sphereface", None, 4, 128, 28_000, (16_000, 24_000), 0.4)),
    ],
)
def test_recipes_are_the_papers(name, expected):
    run = config(name)
    schedule, loss = run.schedule, run.loss
    assert expected == (
        run.backbone.name,
        loss.name,
        loss.scale,
        loss.margin,
        schedule.batch_size,
        schedule.total(100),
        schedule.milestones,
        run.backbone.dropout,
    )
    last = schedule.milestones[-1]
    drops = 10.0 ** -len(schedule.milestones)
    assert schedule.rate(int(last) - 1, 7) == pytest.approx(0.1 * drops * 10)
    assert schedule.rate(int(last), 7) == pytest.approx(0.1 * drops)
    assert (run.optimiser.momentum, run.optimiser.weight_decay, run.optimiser.clip) == (0.9, 5e-4, 0)


def test_arcface_torch_decays_in_a_line():
    run = config("arcface-torch")
    assert (run.backbone.name, run.backbone.dropout, run.optimiser.clip) == ("iresnet50", 0, 5)
    assert (run.schedule.epochs, run.schedule.batch_size) == (20, 128)
    assert [run.schedule.rate(step, 10) for step in (0, 50, 100, 150)] == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_values_of_ones_own_override_a_recipe():
    run = config("am-softmax", loss={"margin": 0.2}, schedule={"batch_size": 64}, backbone={"width": 0.5})
    assert (run.loss.name, run.loss.scale, run.loss.margin) == ("cosface", 30, 0.2)
    assert (run.schedule.batch_size, run.schedule.iterations) == (64, 30_000)
    assert (run.backbone.name, run.backbone.width) == ("sphere20", 0.5)


def test_another_loss_has_its_own_parameters():
    run = config("am-softmax", loss={"name": "arcface"})
    assert (run.loss.scale, run.loss.margin) == (64, 0.5)
    base = {"loss": {"name": "cosface", "margin": 0.1, "sub_centers": 3}, "optimiser": {"momentum": 0.8, "clip": 1}}
    merged = overlay(base, {"loss": {"name": "softmax"}, "optimiser": {"name": "adamw"}, "seed": 3})
    assert merged == {
        "loss": {"name": "softmax", "sub_centers": 3},
        "optimiser": {"name": "adamw", "clip": 1},
        "seed": 3,
    }
    assert overlay(base, {"loss": {"name": "cosface"}})["loss"] == base["loss"]


def test_a_length_of_ones_own_replaces_that_of_the_recipe():
    assert config("arcface-v1", schedule={"epochs": 3}).schedule.total(10) == 30
    assert config("arcface-torch", schedule={"iterations": 7}).schedule.total(10) == 7


def test_another_optimizer_needs_no_momentum():
    run = config("arcface-v1", optimiser={"name": "adamw", "weight_decay": 0.1})
    assert (run.optimiser.momentum, run.optimiser.weight_decay, run.optimiser.clip) == (None, 0.1, 0)


def test_an_unknown_recipe_is_named():
    with pytest.raises(TrainingInvalid, match="unknown recipe 'arcface'; did you mean arcface-v1 or arcface-torch"):
        read_recipe("arcface")


def test_every_recipe_is_documented():
    page = (PROJECT / "docs" / "training.md").read_text("utf-8")
    for name in recipe_names():
        assert f"| `{name}` |" in page
