import itertools
import json

import draw_losses
import numpy as np
import pytest
from figures import drawing, eight_people
from figures.convergence import convergence
from figures.curves import parse_curve
from figures.run_angles import stages
from rich.console import Console

from app.errors import TrainingInvalid
from app.training import running
from app.training.config import parse_config
from app.training.data.folder import read_folder
from app.training.losses.spec import LossSpec
from tests.training.people import no_cropper, write_people

SIGNS = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Nine people; the last has one photo only."""
    folder = write_people(tmp_path_factory.mktemp("people"), people=9, photos=4)
    for number in range(1, 4):
        (folder / "p08" / f"{number:02d}.png").unlink()
    return folder


@pytest.fixture(scope="module")
def run(people, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    config = parse_config(
        {
            "data": {"path": people, "aligned": True},
            "backbone": {"name": "iresnet18", "width": 0.125, "dimension": 16},
            "loss": {"name": "normface"},
            "schedule": {"epochs": 4, "batch_size": 16, "learning_rate": 0.05},
        }
    )
    running.train(config, out, open_cropper=no_cropper, console=Console(quiet=True))
    return out


def test_a_run_draws_its_people_nearer_to_their_own_class(run, people):
    result = stages(run, read_folder(people, None))
    assert list(result) == ["start", "iteration 4", "end"]
    middles = np.arange(len(result["end"].genuine))
    own = {name: float(each.genuine @ middles) for name, each in result.items()}
    others = {name: float(each.impostor @ middles) for name, each in result.items()}
    assert own["end"] < own["start"]
    assert others["end"] - own["end"] > others["start"] - own["start"]
    assert all(each.genuine.sum() == pytest.approx(1) for each in result.values())


def test_the_people_must_be_those_of_the_run(run, tmp_path):
    with pytest.raises(TrainingInvalid, match="not the people of the run"):
        stages(run, read_folder(write_people(tmp_path / "others", people=2, photos=2), None))


@pytest.mark.parametrize("name", eight_people.LOSSES)
def test_eight_people_are_laid_out_apart(name, people):
    eight = eight_people.eight_of(read_folder(people, None))
    assert len(eight.people) == len(set(eight.people)) == 8
    assert "p08" not in eight.people
    plane = eight_people.arranged(eight, eight_people.LOSSES[name], epochs=30)
    assert plane.features.shape == (32, 2)
    units = plane.features / np.linalg.norm(plane.features, axis=1, keepdims=True)
    cosines = units @ units.T
    is_same = eight.labels[:, None] == eight.labels
    np.fill_diagonal(is_same, val=False)
    assert cosines[is_same].mean() > 0.8
    assert cosines[eight.labels[:, None] != eight.labels].mean() < 0.3
    if name in {"normface", "cosface", "arcface"}:
        np.testing.assert_allclose(np.linalg.norm(plane.features, axis=1), 1, atol=1e-5)


def test_fewer_than_eight_people_are_too_few(tmp_path):
    with pytest.raises(TrainingInvalid, match="needs 8 people"):
        eight_people.eight_of(read_folder(write_people(tmp_path, people=7, photos=2), None))


def test_the_same_seed_lays_out_the_same(people):
    eight = eight_people.eight_of(read_folder(people, None))
    one, two = (eight_people.arranged(eight, LossSpec("softmax"), epochs=2) for _ in range(2))
    np.testing.assert_array_equal(one.features, two.features)


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_all_pictures_are_drawn(form, run, people, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path))
    options = ["--out", str(tmp_path), "--run", str(run), "--eight", str(people), "--aligned", "--epochs", "2"]
    draw_losses.main([*options, "--format", form])
    names = {"target_logits", "boundaries", "convergence", "angles", "eight_people"}
    assert {path.stem for path in tmp_path.glob(f"*.{form}")} == names
    for path in tmp_path.glob(f"*.{form}"):
        data = path.read_bytes()
        assert SIGNS[form] in data[:2000]


def test_a_run_converges(run, tmp_path):
    result = convergence(run)
    assert result.epochs.tolist() == [4.0]
    logged = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert (result.theta[0], result.target_logit[0]) == (logged["theta"], logged["target_logit"])
    figure = drawing.convergences({"one": result, "two": result})
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2]
    (tmp_path / "metrics.jsonl").write_text('{"iteration": 1, "loss": 3}\n')
    with pytest.raises(TrainingInvalid, match="has no angles"):
        convergence(tmp_path)


def test_two_runs_are_drawn_below_each_other(run, people, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(tmp_path))
    runs = {name: stages(run, read_folder(people, None)) for name in ("one", "two")}
    del runs["two"]["iteration 4"]
    figure = drawing.distributions(runs)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["one: start", "one: iteration 4", "one: end", "two: start", "two: end", ""]


def test_only_the_chosen_losses_are_drawn(tmp_path, capsys):
    draw_losses.main(["--out", str(tmp_path), "--losses", "arcface:m=0.3", "cosface", "--format", "png", "--dpi", "30"])
    curves = drawing.target_logits([parse_curve("arcface:m=0.3"), parse_curve("cosface")])
    legend = curves.axes[0].get_legend_handles_labels()[1]
    assert legend == ["ArcFace (s = 64; m = 0.3)", "CosFace (s = 64; m = 0.35)"]
    assert [label.get_text() for label in curves.axes[0].get_xticklabels()] == ["0", "30", "60", "90", "162.81", "180"]
    small = (tmp_path / "target_logits.png").stat().st_size
    draw_losses.main(
        ["--out", str(tmp_path), "--losses", "arcface:m=0.3", "cosface", "--format", "png", "--dpi", "300"]
    )
    assert (tmp_path / "target_logits.png").stat().st_size > 3 * small
    with pytest.raises(SystemExit):
        draw_losses.main(["--out", str(tmp_path), "--losses", "triplet"])
    assert "the loss triplet has no target logit" in capsys.readouterr().err


def test_every_curve_is_seen():
    for curves in (drawing.FIGURE_4A, drawing.LOSSES):
        lines = drawing.target_logits(curves).axes[0].get_lines()[: len(curves)]
        looks = {(line.get_color(), str(line.get_linestyle())) for line in lines}
        assert len(looks) == len(curves)
    logits = [curve.target_logit(np.linspace(0, np.pi, 50)) for curve in drawing.FIGURE_4A]
    assert all(np.abs(one - two).max() > 1 for one, two in itertools.combinations(logits, 2))  # none hides another


def test_the_same_figures_give_the_same_file(tmp_path):
    for name in ("one", "two"):
        drawing.write(drawing.target_logits(), tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_two_runs_of_one_name_are_drawn_by_their_paths(run, tmp_path):
    again = tmp_path / "other" / run.name
    again.parent.mkdir()
    again.symlink_to(run)
    first, second = draw_losses.by_title([run, again])
    assert (first, second) == (str(run), str(again))
    assert list(draw_losses.by_title([run])) == [run.name]
