from types import SimpleNamespace

import numpy as np
import pytest
import torch

from app.errors import TrainingInvalid
from app.training import preflight
from app.training.config import parse_config

LABELS = np.array([0, 0, 1, 1])


def config(**groups):
    return parse_config({"data": {"path": "/photos"}, **groups})


def warned(settings, labels=LABELS, *, has_bf16=True):
    return list(preflight.warnings_of(settings, labels, has_bf16=has_bf16))


def test_one_photo_is_no_batch():
    with pytest.raises(TrainingInvalid, match="batch normalisation needs two"):
        preflight.check_config(config(schedule={"batch_size": 1}))
    preflight.check_config(config(schedule={"batch_size": 2}))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"loss": {"name": "missing_package:Loss"}}, "No module named 'missing_package'"),
        ({"backbone": {"name": "tests.training.own:Missing"}}, "has no Missing"),
        ({"optimiser": {"options": {"sped": 1}}}, "optimiser sgd cannot be constructed"),
    ],
)
def test_what_cannot_be_built_is_refused_before_photos_are_read(groups, message):
    with pytest.raises(TrainingInvalid, match=message):
        preflight.check_config(config(backbone=groups.pop("backbone", {"name": "mobilefacenet"}), **groups))


def test_what_is_probably_not_intended_is_warned_of():
    half = config(machine={"amp": "bf16"})
    assert warned(config()) == warned(half) == []
    assert "no bf16 instructions" in warned(half, has_bf16=False)[0]
    assert "only by chance" in warned(config(loss={"name": "triplet"}))[0]
    assert warned(config(loss={"name": "triplet"}, data={"path": "/photos", "photos_per_person": 2})) == []
    assert "each person has one photo" in warned(config(), np.arange(4))[0]


def test_milestones_and_a_warm_up_beyond_the_end_are_warned_of():
    step = {"kind": "step", "milestones": [2, 5, 7], "batch_size": 2}
    (late,) = warned(config(schedule={**step, "epochs": 5}))
    assert late == "the run ends after 5 epochs, so the learning rate does not drop at 5, 7 (schedule.milestones)"
    (late,) = warned(config(schedule={**step, "iterations": 12}))  # two iterations per epoch
    assert "ends after 6 epochs" in late
    assert "drop at 7 (" in late
    assert warned(config(schedule={**step, "epochs": 8})) == []
    assert warned(config(schedule={"epochs": 1, "batch_size": 2})) == []  # its decay has no milestones
    (late,) = warned(config(schedule={"epochs": 2, "warm_up": 2, "batch_size": 2}))
    assert late == "the run ends after 2 epochs, during schedule.warm_up = 2"
    assert warned(config(schedule={**step, "epochs": 5, "batch_size": 99})) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("flags : sse avx512_bf16 amx", True), ("Features : asimd bf16", True), ("flags : sse avx2", False)],
)
def test_instructions_of_the_processor(flags, expected, tmp_path, monkeypatch):
    facts = tmp_path / "cpuinfo"
    facts.write_text(flags)
    monkeypatch.setattr(preflight, "_CPU_FACTS", facts)
    monkeypatch.setattr(preflight, "platform", SimpleNamespace(system=lambda: "Linux"))
    assert preflight.computes_bf16(torch.device("cpu")) is expected
    facts.unlink()
    assert preflight.computes_bf16(torch.device("cpu"))
