import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.config import PROJECT
from app.errors import TrainingInvalid
from app.training.config import TrainingConfig, parse_config, read_config
from app.training.config_errors import keys_of
from app.training.losses.spec import LossSpec

WRITTEN = ("start", "teacher", "weights")  # sections that commands write

EVERYTHING: dict[str, Any] = {
    "seed": 7,
    "data": {"path": "/photos", "exclude": '/list "quoted" \\ ü.txt', "augmentation": {"erase": 0.25}},
    "backbone": {"name": "iresnet50", "has_se": True, "width": 0.5},
    "loss": {"name": "combined", "m1": 1.0, "m2": 0.4},
    "schedule": {"kind": "step", "milestones": [1, 2.5], "learning_rate": 1e-05},
    "optimiser": {"ema": 0.999},
    "machine": {"device": "cuda:1", "amp": "fp16"},
    "evaluation": {
        "every": 100,
        "sets": [
            {"name": "lfw", "pairs": "/pairs.txt", "images": "/lfw"},
            {"name": "cfp", "bin": "/cfp_fp.bin", "aligned": True},
        ],
    },
}


def test_the_written_file_is_the_same_configuration(tmp_path):
    for values in (EVERYTHING, {"data": {"path": "/photos"}}):
        config = parse_config(values)
        (tmp_path / "config.toml").write_text(config.to_toml(), "utf-8")
        assert parse_config(read_config(tmp_path / "config.toml")) == config
        assert parse_config(tomllib.loads(config.to_toml())).resume_settings() == config.resume_settings()


def test_defaults_are_written_out():
    written = parse_config({"data": {"path": "/photos"}}).to_toml()
    for line in (
        "seed = 0",
        'name = "arcface"',
        "scale = 64.0",
        "margin = 0.5",
        "momentum = 0.9",
        "weight_decay = 0.0005",
        "clip = 5.0",
        'amp = "off"',
    ):
        assert line in written.splitlines()


def test_a_path_is_from_where_the_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_config({"data": {"path": "photos"}}).data.path == tmp_path / "photos"


@pytest.mark.parametrize(
    ("group", "keys", "message"),
    [
        ("data", {"paht": "/x"}, r"data\.paht"),
        ("backbone", {"name": "iresnet18", "widht": 1}, r"backbone\.widht"),
        ("backbone", {"name": "resnet"}, "resnet"),
        ("loss", {"name": "arcface", "margim": 1}, r"loss\.margim"),
        ("loss", {"name": "arcface", "margin": 9}, "margin"),
        ("loss", {"name": "magface", "norms": [1]}, r"loss\.norms"),
        ("schedule", {"epochs": 0}, r"schedule\.epochs"),
        ("machine", {"device": "gpu"}, r"machine\.device"),
        ("machine", {"amp": "int8"}, r"machine\.amp"),
        ("machine", {"accumulation": 3}, "a batch of 128 cannot be split into 3 parts"),
        ("machine", {"compile": True, "checkpoint_activations": True}, "exclude each other"),
        ("schedule", {"epochs": 2, "iterations": 100}, "schedule: give the length"),
        ("optimiser", {"name": "rmsprop"}, r"optimiser\.name"),
        ("optimiser", {"name": "adamw", "momentum": 0.9}, "adamw has no momentum"),
        ("data", {"augmentation": {"flip": 1.5}}, r"augmentation\.flip"),
        ("evaluation", {"sets": [{"pairs": "/x"}]}, r"evaluation\.sets\.0\.name"),
        ("seed", -1, "seed"),
        ("sead", 1, "sead"),
    ],
)
def test_what_is_wrong_is_named(group, keys, message):
    values: dict[str, Any] = {"data": {"path": "/photos"}}
    values[group] = {**values.get(group, {}), **keys} if isinstance(keys, dict) else keys
    with pytest.raises(TrainingInvalid, match=message):
        parse_config(values)


def test_what_a_run_that_goes_on_may_change():
    config = parse_config(EVERYTHING)
    free = {
        "data": {**EVERYTHING["data"], "path": "/elsewhere", "workers": 3},
        "machine": {"device": "cpu", "threads": 2, "amp": "fp16"},
        "evaluation": {},
        "keeping": {"save_every": 5},
    }
    assert parse_config({**EVERYTHING, **free}).resume_settings() == config.resume_settings()
    for group, keys in (("data", {"least_photos": 2}), ("machine", {"amp": "off"}), ("optimiser", {"clip": 1})):
        assert (
            parse_config({**EVERYTHING, group: {**EVERYTHING[group], **keys}}).resume_settings()
            != config.resume_settings()
        )


def test_files_that_are_none(tmp_path):
    with pytest.raises(TrainingInvalid, match="cannot be read"):
        read_config(tmp_path / "none.toml")
    for content in (b"seed = ", b"\xff"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(TrainingInvalid, match="not valid TOML"):
            read_config(tmp_path / "bad.toml")


def test_it_is_frozen():
    config = parse_config({"data": {"path": "/photos"}})
    assert config.loss == LossSpec("arcface")
    assert config.data.path == Path("/photos")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1  # type: ignore[misc] # refused at run time too


def test_every_key_is_documented():
    table = (
        (PROJECT / "docs" / "training.md").read_text("utf-8").partition("## Configure a run\n")[2].partition("\n## ")[0]
    )
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    keys = {re.sub(r"(?<=\.sets)\..*", "", key) for key in keys_of(TrainingConfig)}
    keys = {key for key in keys if key.partition(".")[0] not in WRITTEN}
    described = set(re.findall(r"`([^`]+)`", " ".join(rows)))
    assert described - {"teacher.cosine", "teacher.relation"} == keys | {f"{group}.*" for group in WRITTEN}
