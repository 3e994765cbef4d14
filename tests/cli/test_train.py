import json
import subprocess
import sys
from shutil import copytree

import cv2
import numpy as np
import pytest
from typer.main import get_command

from app.cli import cli
from app.errors import TrainingInvalid, TrainingUnavailable

pytest.importorskip("torch", reason="PyTorch is not installed; run: make test TORCH=torch")

from app.training.checkpoint import load, load_trained
from app.training.config import parse_config, read_config
from app.training.data.opening import open_path
from tests.conftest import DATA
from tests.training.people import no_cropper, whole_photo_cropper, write_people

TINY = ["--backbone", "mobilefacenet", "--batch-size", "8", "--epochs", "1"]
TINY += ["--set", "backbone.width=0.125", "--set", "backbone.dimension=16"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=4, photos=6)


@pytest.fixture
def run(arcid, tmp_path):
    """run("--epochs", 1): train on made-up people into tmp_path/out; raises what the command raises."""

    def run(*arguments, out=tmp_path / "out"):
        done = arcid("train", "--out", str(out), *map(str, arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_flags_shape_a_run_and_its_file_reproduces_it(run, people, tmp_path):
    (tmp_path / "pairs.csv").write_text("p00/00.png,p00/01.png,1\np00/00.png,p01/01.png,0\np02/00.png,p03/01.png,0\n")
    pairs = f'[{{name = "pairs", csv = "{tmp_path / "pairs.csv"}", images = "{people}", aligned = true}}]'
    keys = {
        "seed": 3,
        "schedule.learning_rate": 0.05,
        "evaluation.every": 1,
        "evaluation.sets": pairs,
        "loss.scale": 16,
        "machine.amp": "bf16",
        "keeping.tensorboard": "true",
    }
    assignments = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    done = run("--data", people, *TINY, "--loss", "cosface", "--aligned", *assignments)
    assert done.exit_code == 0, done.output
    assert "24 photos of 4 people" in done.output
    assert "iteration 3: pairs: accuracy" in done.output
    config = parse_config(read_config(tmp_path / "out" / "config.toml"))
    assert (config.seed, config.loss.name, config.loss.scale, config.machine.amp) == (3, "cosface", 16, "bf16")
    assert (config.backbone.name, config.backbone.width, config.evaluation.sets[0].name) == (
        "mobilefacenet",
        0.125,
        "pairs",
    )
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [each["iteration"] for each in lines if "evaluation" in each] == [1, 2, 3]
    assert list((tmp_path / "out" / "tensorboard").iterdir())

    again = run("--config", tmp_path / "out" / "config.toml", out=tmp_path / "again")
    assert again.exit_code == 0, again.output
    first, second = (load_trained(tmp_path / name).backbone.state_dict() for name in ("out", "again"))
    for name, weights in first.items():
        np.testing.assert_array_equal(weights, second[name])
    assert load_trained(tmp_path / "out", "best.pt").classes == ("p00", "p01", "p02", "p03")


def test_a_recipe_is_the_base_of_a_run(run, people, tmp_path):
    options = ["--network", "mobilefacenet", "--batch-size", "8", "--loss", "arcface", "--set", "schedule.iterations=2"]
    options += ["--set", "backbone.width=0.125", "--set", "backbone.dimension=16", "--set", "loss.scale=8"]
    done = run("--recipe", "am-softmax", "--data", people, "--aligned", *options)
    assert done.exit_code == 0, done.output
    config = parse_config(read_config(tmp_path / "out" / "config.toml"))
    assert (config.recipe, config.backbone.name) == ("am-softmax", "mobilefacenet")
    assert (config.loss.name, config.loss.scale, config.loss.margin) == ("arcface", 8, 0.5)
    assert (config.schedule.iterations, config.schedule.milestones) == (2, (16_000, 24_000, 28_000))
    assert load(tmp_path / "out" / "last.pt")["iteration"] == 2
    with pytest.raises(TrainingInvalid, match="unknown recipe 'arcface'"):
        run("--recipe", "arcface", "--data", people)


def test_what_is_wrong_is_said(run, people, arcid, tmp_path):
    (tmp_path / "run.toml").write_text("[schedul]\nepochs = 1\n")
    copytree(people, tmp_path / "above" / "people")
    for arguments, message in (
        (["--aligned"], r"data\.path is missing"),
        (["--data", people, "--backbone", "resnet"], "resnet"),
        (["--data", people, "--device", "gpu"], r"machine\.device"),
        (["--data", people, "--set", "loss.name"], "name=value"),
        (["--data", people, "--set", "optimiser.emma=1"], r"optimiser\.emma; did you mean optimiser\.ema\?"),
        (["--data", people, "--set", "seed.x=1", "--seed", 3], "seed is 3, not a group"),
        (["--data", people, "--aligned", "--batch-size", 1], "batch normalisation"),
        (["--data", people, "--learning-rate", 0], r"schedule\.learning_rate: input should be greater than 0, not 0"),
        (["--config", tmp_path / "run.toml", "--data", people], "did you mean schedule"),
        (["--resume"], "contains no run to continue"),
        (["--data", tmp_path / "above", "--aligned"], r"its photos lie deeper|is not a folder of people"),
        (["--data", people / "p00", "--aligned"], "6 photos lie directly in it"),
        (["--data", people, "--aligned", "--batch-size", 100], r"lower schedule\.batch_size"),
    ):
        with pytest.raises(TrainingInvalid, match=message):
            run(*arguments)
    assert isinstance(arcid("train", "--data", str(people)).exception, TrainingInvalid)


def test_without_pytorch_the_remedy_is_said(run, people, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TrainingUnavailable, match=r"torch.*run: make training"):
        run("--data", people)


def test_without_arguments_help_is_shown(arcid):
    shown = arcid("train").output
    assert "--backbone" in shown
    assert "pack" in shown
    assert "clean" in shown


def test_a_wrong_key_and_the_first_line_do_not_wait_for_pytorch(people):
    code = "import sys; from app.cli import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    for arguments, shown in (
        (["--help"], ""),
        (["--data", str(people), "--set", "schedule.epoch=1"], "did you mean schedule.epochs?"),
        (["pack", "--help"], ""),
        (["finetune", "--help"], ""),
    ):
        words = [sys.executable, "-c", code, "train", "--check", *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.stdout.endswith("False\n"), done.stdout
        assert shown in done.stderr
        assert "Traceback" not in done.stderr


def test_finetune_has_the_options_of_train_except_for_the_network():
    group = get_command(cli).commands["train"].load()  # type: ignore[attr-defined] # it is a group
    train, finetune = (
        {option for parameter in command.params for option in parameter.opts}
        for command in (group, group.commands["finetune"])
    )
    assert train - finetune == {"--backbone", "--network", "--from"}
    assert finetune - train == {"--pack", "--freeze", "--backbone-learning-rate"}


def test_a_check_reads_every_photo_and_trains_nothing(run, tmp_path):
    people = write_people(tmp_path / "people", people=4, photos=6)
    (people / "p01" / "02.png").write_bytes(b"damaged")
    done = run("--check", "--data", people, "--aligned", *TINY, "--loss", "triplet")
    assert done.exit_code == 0
    *lines, warning, end = done.output.splitlines()[1:]
    assert lines == [
        "24 photos of 4 people",
        "p01/02.png is not a JPEG or PNG, or it is damaged",
        "photos that cannot be read: 1; data.max_damaged allows 1",
    ]
    assert warning.startswith("warning: the loss triplet")
    assert end == "the run can start"
    assert list((tmp_path / "out").iterdir()) == []
    (people / "p01" / "03.png").unlink()
    (people / "p02" / "03.png").write_bytes(b"damaged")
    bad = '[{name = "pairs", csv = "none.csv", aligned = true}]'
    done = run("--check", "--data", people, "--aligned", "--batch-size", 32, "--set", f"evaluation.sets={bad}")
    assert done.exit_code == 1
    assert "a batch of 32 is more than the 23 photos available" in done.output
    assert "the verification set pairs: " in done.output
    assert done.output.endswith("the run cannot start\n")


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """Return a folder of 24 photos, of which one shows no face and two are not photos, for a fake cropper."""
    monkeypatch.setattr("app.wiring.training.open_cropper", lambda _: whole_photo_cropper(tmp_path / "crops"))
    people = write_people(tmp_path / "mixed", people=4, photos=6)
    (people / "p00" / "01.png").write_bytes(b"nobody")
    for name in ("p01/02.png", "p01/03.png"):
        (people / name).write_bytes(b"text")
    return people


def test_a_check_names_the_photos_that_are_left_out(run, mixed):
    done = run("--check", "--data", mixed, *TINY, "--set", "data.max_damaged=0.05")
    assert done.exit_code == 1
    assert done.output.splitlines()[1:] == [
        "21 photos of 4 people",
        "p00/01.png: no_face",
        "photos that have no face and are left out: 1",
        "p01/02.png cannot be read: not_an_image",
        "p01/03.png cannot be read: not_an_image",
        "photos that cannot be read: 2; data.max_damaged allows 1",
        "the run cannot start",
    ]


def test_a_list_of_wrong_photos_also_has_those_that_cannot_be_aligned(run, arcid, mixed, people, tmp_path):
    assert run("--data", people, "--aligned", *TINY).exit_code == 0
    options = ["--trained", str(tmp_path / "out"), "--threshold", "-1", "--out", str(tmp_path / "wrong.txt")]
    done = arcid("train", "clean", str(mixed), *options)
    assert "2 of 24 photos are to be left out" in done.output
    assert (tmp_path / "wrong.txt").read_text().splitlines() == [
        "p01/02.png\tnan\tcannot be read",
        "p01/03.png\tnan\tcannot be read",
    ]
    packed = arcid("train", "pack", str(mixed), "--out", str(tmp_path / "shards"))
    assert "p01/02.png cannot be read: not_an_image" in packed.output
    assert "21 crops of 4 people" in packed.output


def test_a_list_that_names_no_photo_is_warned_of(run, people, tmp_path):
    (tmp_path / "list.txt").write_text("/elsewhere/p00/00.png\n")
    options = ["--data", people, "--aligned", *TINY, "--set", f"data.exclude={tmp_path / 'list.txt'}"]
    assert "warning: data.exclude: none of the 1 names in" in run("--check", *options).output


def test_a_folder_that_is_no_run_is_named(arcid, people, tmp_path):
    for command in (["export", str(people), "--licence", "x"], ["clean", str(people), "--trained", str(people)]):
        extra = ["--aligned", "--threshold", "0.3"] if command[0] == "clean" else []
        done = arcid("train", *command, *extra, "--out", str(tmp_path / "out"))
        assert "is not the folder of a run" in str(done.exception)


def test_crops_are_packed_and_trained_on(run, arcid, people, tmp_path):
    shards = tmp_path / "shards"
    done = arcid("train", "pack", str(people), "--out", str(shards), "--aligned")
    assert done.exit_code == 0, done.output
    assert "24 crops of 4 people in 1 file" in done.output
    assert run("--data", shards, *TINY).exit_code == 0
    assert load_trained(tmp_path / "out").classes == ("p00", "p01", "p02", "p03")


def test_a_damaged_crop_is_not_packed(arcid, tmp_path):
    people = write_people(tmp_path / "people", people=2, photos=2)
    (people / "p01" / "00.png").write_bytes(b"damaged")
    done = arcid("train", "pack", str(people), "--out", str(tmp_path / "shards"), "--aligned")
    assert done.exit_code == 0, done.output
    assert "p01/00.png is not a JPEG or PNG, or it is damaged" in done.output
    assert "3 crops of 2 people in 1 file" in done.output


def test_a_list_of_wrong_photos_by_a_network_trained_here(run, arcid, people, tmp_path):
    assert run("--data", people, "--aligned", *TINY).exit_code == 0
    wrong = tmp_path / "wrong.txt"
    options = ["--aligned", "--trained", str(tmp_path / "out"), "--out", str(wrong)]
    done = arcid("train", "clean", str(people), *options, "--threshold", "1")
    assert done.exit_code == 0, done.output
    assert "24 of 24 photos" in done.output
    assert len(wrong.read_text().splitlines()) == 24
    assert arcid("train", "clean", str(people), *options, "--threshold", "-1").exit_code == 0
    assert wrong.read_text() == ""


def test_photos_are_aligned_and_cleaned_by_the_served_pack(
    run, arcid, faces_of, faceless, tmp_path, monkeypatch, packs
):
    """Six people with three versions of their photo; one photo of Bob is under Ada's name."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    folder, wrong = tmp_path / "photos", tmp_path / "wrong.txt"
    for name, photo in zip(["Ada", "Bob", "Cy", "Dee", "Eve", "Flo"], faces_of, strict=True):
        (folder / name).mkdir(parents=True)
        pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        for number, changed in enumerate([pixels, pixels[:, ::-1], cv2.GaussianBlur(pixels, (0, 0), 1)]):
            (folder / name / f"{number}.jpg").write_bytes(cv2.imencode(".jpg", changed)[1].tobytes())
    (folder / "Ada" / "nobody.png").write_bytes(faceless)
    (folder / "Ada" / "wrong.jpg").write_bytes(faces_of[1])
    done = arcid("train", "clean", str(folder), "--out", str(wrong), "--threshold", "0.7")
    assert done.exit_code == 0, done.output
    assert [line.split("\t")[0] for line in wrong.read_text().splitlines()] == ["Ada/wrong.jpg"]
    done = run("--data", folder, "--set", f"data.exclude={wrong}", *TINY)
    assert done.exit_code == 0, done.output
    assert "18 photos of 6 people" in done.output
    assert (tmp_path / "out" / "without_face.csv").read_text().splitlines() == ["photo,code", "Ada/nobody.png,no_face"]
    shards = tmp_path / "shards"
    packed = arcid("train", "pack", str(folder), "--out", str(shards), "--exclude", str(wrong))
    assert "Ada/nobody.png: no_face" in packed.output
    assert open_path(shards, no_cropper, is_aligned=False).source.labels.tolist() == np.repeat(range(6), 3).tolist()
