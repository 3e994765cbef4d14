"""Twenty mistakes of people who train: each ends with one line, its code and an exit status, without a traceback."""

import sys

import pytest

from app.cli import main
from tests.training.people import write_people

pytest.importorskip("torch", reason="PyTorch is not installed; run: make test TORCH=torch")

TINY = ["--backbone", "mobilefacenet", "--batch-size", "4", "--epochs", "1"]
TINY += ["--set", "backbone.width=0.125", "--set", "backbone.dimension=16"]
CROPS = ["train", "--data", "people", "--aligned", *TINY, "--out", "run"]
KEYS = ["train", "--data", "people", "--aligned", "--out", "run"]
MISTAKES = {  # the words of the command, the code, a part of the line
    "damaged crops": (
        ["train", "--data", "damaged", "--aligned", *TINY, "--out", "run"],
        "photos_damaged",
        "photos cannot be read",
    ),
    "a disk in the place of the folder": ([*CROPS[:-1], "text.txt/run"], "storage_not_writable", "not a directory"),
    "one photo in a batch": ([*CROPS, "--batch-size", "1"], "training_invalid", "two photos or more"),
    "no learning rate": ([*CROPS, "--learning-rate", "0"], "training_invalid", "greater than 0"),
    "an unknown key": ([*CROPS, "--set", "schedul.epochs=3"], "training_invalid", "did you mean schedule.epochs?"),
    "groups that do not fill a batch": (
        [*CROPS, "--loss", "triplet", "--set", "data.photos_per_person=3"],
        "training_invalid",
        "not a multiple",
    ),
    "the folder of one person": (
        ["train", "--data", "people/p00", "--aligned", *TINY, "--out", "run"],
        "training_invalid",
        "without a folder for each person",
    ),
    "a folder that does not exist": (
        ["train", "--data", "nowhere", "--aligned", *TINY, "--out", "run"],
        "training_invalid",
        "does not exist",
    ),
    "one person": (["train", "--data", "one", "--aligned", *TINY, "--out", "run"], "training_invalid", "two people"),
    "a misspelt recipe": ([*KEYS, "--recipe", "arcface"], "training_invalid", "did you mean arcface-v1"),
    "a misspelt loss": ([*KEYS, "--loss", "arcfase"], "training_invalid", "did you mean arcface?"),
    "a misspelt network": ([*KEYS, "--network", "resnet18"], "training_invalid", "did you mean iresnet18"),
    "a class of no module": ([*CROPS, "--loss", "missing.losses:Mine"], "training_invalid", "add its folder to"),
    "no class": ([*CROPS, "--loss", "pathlib:Pth"], "training_invalid", "the module pathlib has no Pth"),
    "a missing list": ([*CROPS, "--set", "data.exclude=list.txt"], "training_invalid", "list.txt cannot be read"),
    "a set without pairs": (
        [*CROPS, "--set", 'evaluation.sets=[{name="lfw", pairs="pairs.txt", images="people", aligned=true}]'],
        "evaluation_invalid",
        "pairs.txt cannot be read",
    ),
    "a run to continue that does not exist": (
        ["train", "--resume", "--out", "nowhere"],
        "training_invalid",
        "contains no run to continue",
    ),
    "a teacher that does not exist": (
        ["train", "distill", "--photos", "people", "--pack", "opne", "--aligned", "--out", "run"],
        "pack_unknown",
        "did you mean open?",
    ),
    "an import of a text": (
        ["models", "import", "text.txt", "--arch", "mbf", "--licence", "mine"],
        "training_invalid",
        "is not a file of torch.save",
    ),
    "an export of a folder of photos": (
        ["train", "export", "people", "--licence", "mine", "--out", "packs"],
        "training_invalid",
        "is not the folder of a run",
    ),
}


@pytest.fixture
def here(home, tmp_path, monkeypatch):
    """Move to a folder with photos of four people, one person, damaged photos, and a text."""
    write_people(tmp_path / "people", people=4, photos=3)
    write_people(tmp_path / "one", people=1, photos=6)
    for path in sorted(write_people(tmp_path / "damaged", people=4, photos=3).rglob("*.png"))[::2]:
        path.write_bytes(b"damaged")
    (tmp_path / "text.txt").write_text("a text")
    monkeypatch.chdir(tmp_path)
    return home


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.usefixtures("here")
def test_a_mistake_ends_with_one_line_and_its_code(mistake, monkeypatch, capsys):
    words, code, part = MISTAKES[mistake]
    monkeypatch.setattr(sys, "argv", ["arcid", *words])
    with pytest.raises(SystemExit) as left:
        main()
    line = capsys.readouterr().err.splitlines()[-1]
    assert left.value.code == 1
    assert line.startswith("arcid: ")
    assert line.endswith(f" [{code}]")
    assert part in line
