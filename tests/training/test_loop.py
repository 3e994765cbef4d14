import io
import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from rich.console import Console

from app.errors import CheckpointMismatch, PhotosDamaged, TrainingDiverged, TrainingInvalid
from app.training import running
from app.training.checkpoint import load, load_trained
from app.training.config import parse_config
from tests.training.people import no_cropper, whole_photo_cropper, write_people

TINY = {"name": "mobilefacenet", "width": 0.125, "dimension": 16}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), people=4, photos=6)


@pytest.fixture
def config(people):
    """Return a function: config(**groups) is a run of 2 epochs with 3 iterations each, with changed keys."""

    def config(**groups):
        values = {
            "data": {"path": people, "aligned": True},
            "backbone": TINY,
            "schedule": {"epochs": 2, "batch_size": 8, "learning_rate": 0.02},
            "keeping": {"log_every": 1},
        }
        for name, keys in groups.items():
            values[name] = {**values.get(name, {}), **keys} if isinstance(keys, dict) else keys
        return parse_config(values)

    return config


def train(config, out, **options):
    return running.train(config, out, open_cropper=no_cropper, console=Console(quiet=True), **options)


def lines_of(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


class StopAfter:
    def __init__(self, iterations):
        self.left = iterations

    def __call__(self):
        self.left -= 1
        return self.left <= 0


def is_equal(one, other):
    """Compare nested states bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_run_learns_and_can_be_read_again(config, tmp_path):
    settings = config(schedule={"epochs": 8, "learning_rate": 0.1}, loss={"name": "cosface", "scale": 16})
    training = train(settings, tmp_path)
    assert training.iteration == training.total == 24
    losses = [each["loss"] for each in lines_of(tmp_path)]
    assert len(losses) == 24
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    trained = load_trained(tmp_path)
    assert trained.config == settings
    assert trained.classes == ("p00", "p01", "p02", "p03")
    assert not trained.backbone.training
    for name, weights in trained.backbone.state_dict().items():
        assert torch.equal(weights, training.learner.backbone.state_dict()[name])


@pytest.mark.parametrize(
    "changed",
    [
        {"data": {"photos_per_person": 2}},
        {"optimiser": {"ema": 0.9}, "machine": {"amp": "bf16", "channels_last": True}},
        {"seed": 1, "machine": {"amp": "fp16"}, "loss": {"name": "arcface", "sample_rate": 0.5}},
        {"optimiser": {"name": "adamw"}, "schedule": {"kind": "cosine", "learning_rate": 0.001}},
        {"optimiser": {"name": "torch.optim:RAdam", "options": {"eps": 1e-6}}, "schedule": {"learning_rate": 0.001}},
        {"machine": {"accumulation": 2, "checkpoint_activations": True}},
        {
            "backbone": {"name": "tests.training.own:OwnNetwork", "dimension": 16, "width": 1.0},
            "loss": {"name": "tests.training.own:OwnLoss", "options": {"scale": 4.0}},
        },
        {"backbone": {"name": "sphere20", "width": 0.125}, "loss": {"name": "adaface", "scale": 8.0}},
        {"loss": {"name": "center"}},
    ],
)
def test_a_stopped_run_goes_on_as_if_nothing_had_been(config, people, tmp_path, changed):
    (tmp_path / "pairs.csv").write_text("p00/00.png,p00/01.png,1\np00/00.png,p01/01.png,0\np02/00.png,p03/01.png,0\n")
    pairs = {"name": "pairs", "csv": tmp_path / "pairs.csv", "images": people, "aligned": True}
    settings = config(**changed, evaluation={"every": 2, "sets": [pairs]})
    train(settings, tmp_path / "whole")
    stopped = train(settings, tmp_path / "parts", is_stopping=StopAfter(4))
    assert stopped.iteration == 4
    train(settings, tmp_path / "parts", is_resumed=True)
    whole, parts = (load(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert parts["iteration"] == 6
    assert is_equal(whole, parts)
    whole_lines, lines = (
        [(each["iteration"], each.get("loss"), each.get("evaluation")) for each in lines_of(tmp_path / name)]
        for name in ("whole", "parts")
    )
    assert lines == whole_lines
    assert [iteration for iteration, loss, _ in lines if loss is None] == [2, 4, 6]
    assert is_equal(load(tmp_path / "whole" / "best.pt"), load(tmp_path / "parts" / "best.pt"))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own code
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_goes_on_as_if_nothing_had_been(config, tmp_path):
    network = {"name": "tests.training.own:OwnNetwork", "dimension": 16, "width": 1.0}
    settings = config(backbone=network, machine={"compile": True}, optimiser={"ema": 0.9})
    train(settings, tmp_path / "whole")
    assert train(settings, tmp_path / "parts", is_stopping=StopAfter(4)).iteration == 4
    train(settings, tmp_path / "parts", is_resumed=True)
    assert is_equal(load(tmp_path / "whole" / "last.pt"), load(tmp_path / "parts" / "last.pt"))
    assert set(load_trained(tmp_path / "parts").backbone.state_dict()) == {"layers.2.weight", "layers.2.bias"}


def test_seeds_differ(config, tmp_path):
    train(config(), tmp_path / "0")
    train(config(seed=1), tmp_path / "1")
    assert not is_equal(load(tmp_path / "0" / "last.pt")["backbone"], load(tmp_path / "1" / "last.pt")["backbone"])


def test_a_run_does_not_go_on_as_another(config, people, tmp_path):
    train(config(), tmp_path, is_stopping=StopAfter(1))
    with pytest.raises(TrainingInvalid, match="--resume"):
        train(config(), tmp_path)
    with pytest.raises(CheckpointMismatch, match=r"schedule\.epochs = 2, not 3"):
        train(config(schedule={"epochs": 3}), tmp_path, is_resumed=True)
    with pytest.raises(CheckpointMismatch, match=r"loss\.(margin|name)"):
        train(config(loss={"name": "cosface"}), tmp_path, is_resumed=True)
    (tmp_path / "list").write_text("p00/00.png\n")
    with pytest.raises(CheckpointMismatch, match=r"made with other data \(photos or people\); resume"):
        train(config(data={"exclude": tmp_path / "list"}), tmp_path, is_resumed=True)
    resumed = train(config(keeping={"log_every": 2, "save_every": 1}), tmp_path, is_resumed=True)
    assert resumed.iteration == 6


def test_resuming_a_finished_run_reports_that_it_is_complete(config, tmp_path):
    train(config(), tmp_path)
    before, shown = (tmp_path / "last.pt").read_bytes(), io.StringIO()
    console = Console(file=shown, width=500)
    again = running.train(config(), tmp_path, open_cropper=no_cropper, console=console, is_resumed=True)
    assert again.iteration == 6
    assert "the run is complete: 6 iterations" in shown.getvalue()
    assert "training: 0" not in shown.getvalue()
    assert (tmp_path / "last.pt").read_bytes() == before


def test_resuming_what_has_not_begun_begins_it(config, tmp_path):
    assert train(config(), tmp_path / "new", is_resumed=True).iteration == 6


def test_a_damaged_checkpoint_is_refused(config, tmp_path):
    train(config(), tmp_path)
    last = tmp_path / "last.pt"
    for damaged in (last.read_bytes()[:-500], b"", b"\x80\x02cos\nsystem\n(S'true'\ntR."):
        last.write_bytes(damaged)
        with pytest.raises(TrainingInvalid, match=r"last\.pt"):
            train(config(), tmp_path, is_resumed=True)


def test_a_loss_that_is_no_number_ends_the_run(config, tmp_path):
    with pytest.raises(TrainingDiverged, match=r"lower schedule.learning_rate \(1e\+30\).*no checkpoint was written"):
        train(config(schedule={"learning_rate": 1e30}, optimiser={"clip": 0}), tmp_path)
    assert not (tmp_path / "last.pt").exists()


def test_the_last_good_checkpoint_stays(config, tmp_path):
    """The loss is reported after the checkpoint that would have been bad."""
    settings = config(
        schedule={"learning_rate": 1e30, "warm_up": 1, "kind": "constant"},
        optimiser={"clip": 0},
        keeping={"log_every": 100, "save_every": 1},
    )
    train(config(keeping={"save_every": 1}), tmp_path / "good", is_stopping=StopAfter(1))
    with pytest.raises(TrainingDiverged, match=r"the weights are no longer numbers at iteration [23]"):
        train(settings, tmp_path)
    if (tmp_path / "last.pt").exists():
        saved = load(tmp_path / "last.pt")["backbone"].values()
        assert all(bool(weights.isfinite().all()) for weights in saved)


def damage(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"damaged")


def test_a_damaged_photo_is_skipped_and_listed(config, tmp_path):
    people = write_people(tmp_path / "people", people=4, photos=6)
    damage(people, "p01/02.png")
    shown = io.StringIO()
    settings = config(data={"path": people, "max_damaged": 0.05})
    running.train(settings, tmp_path / "out", open_cropper=no_cropper, console=Console(file=shown))
    assert (tmp_path / "out" / "damaged.csv").read_text().splitlines() == [
        "photo,reason",
        'p01/02.png,"p01/02.png is not a JPEG or PNG, or it is damaged"',
    ]
    assert "photos that cannot be read and were skipped: 1, listed in" in shown.getvalue()
    damage(people, "p01/03.png", "p02/03.png")
    with pytest.raises(PhotosDamaged, match="--check"):
        train(settings, tmp_path / "other")
    assert len((tmp_path / "other" / "damaged.csv").read_text().splitlines()) >= 3
    assert load(tmp_path / "out" / "last.pt")["iteration"] == 6


def test_a_photo_that_cannot_be_aligned_is_damaged_and_one_without_a_face_is_not(config, tmp_path):
    people = write_people(tmp_path / "people", people=4, photos=6)
    (people / "p01" / "02.png").write_bytes(b"text")
    (people / "p02" / "03.png").write_bytes(b"nobody")
    shown, out, other = io.StringIO(), tmp_path / "out", tmp_path / "other"

    def train_aligned(settings, folder):
        opener = partial(whole_photo_cropper, tmp_path / "crops")
        return running.train(settings, folder, open_cropper=opener, console=Console(file=shown, width=500))

    settings = config(data={"path": people, "aligned": False, "max_damaged": 0.05})
    train_aligned(settings, out)
    assert (out / "damaged.csv").read_text().splitlines() == [
        "photo,reason",
        "p01/02.png,p01/02.png cannot be read: not_an_image",
    ]
    assert (out / "without_face.csv").read_text().splitlines() == ["photo,code", "p02/03.png,no_face"]
    assert "photos that cannot be read and are left out: 1, listed in" in shown.getvalue()
    assert "photos that have no face and are left out: 1, listed in" in shown.getvalue()
    (people / "p03" / "03.png").write_bytes(b"text")
    with pytest.raises(PhotosDamaged, match=r"^2 of 24 photos cannot be read, .*last one: p03/03\.png cannot be read"):
        train_aligned(settings, other)
    assert len((other / "damaged.csv").read_text().splitlines()) == 3
    (tmp_path / "list.txt").write_text("p03/03.png\n")
    train_aligned(config(data={**settings.data.model_dump(), "exclude": tmp_path / "list.txt"}), other)
    assert "p03" not in (other / "damaged.csv").read_text()


def test_a_damaged_photo_does_not_change_a_resumed_run(config, tmp_path):
    people = write_people(tmp_path / "people", people=4, photos=6)
    damage(people, "p01/02.png")
    settings = config(data={"path": people, "max_damaged": 0.05})
    train(settings, tmp_path / "whole")
    train(settings, tmp_path / "parts", is_stopping=StopAfter(4))
    train(settings, tmp_path / "parts", is_resumed=True)
    assert is_equal(*(load(tmp_path / name / "last.pt") for name in ("whole", "parts")))


def test_a_loss_that_rose_is_warned_of(config, tmp_path):
    shown = io.StringIO()
    rising = config(
        schedule={"epochs": 3, "learning_rate": 3, "kind": "constant"}, loss={"name": "softmax"}, optimiser={"clip": 0}
    )
    running.train(rising, tmp_path, open_cropper=no_cropper, console=Console(file=shown))
    assert "warning: the loss ended at" in shown.getvalue()
    assert "training: 9 iterations on cpu" in shown.getvalue()


def test_a_batch_larger_than_the_data_is_refused(config, tmp_path):
    with pytest.raises(TrainingInvalid, match="batch of 32"):
        train(config(schedule={"batch_size": 32}), tmp_path)


def test_the_longest_gradient_is_clipped(config, tmp_path):
    free, clipped = config(optimiser={"clip": 0}), config(optimiser={"clip": 1e-6})
    start = train(free, tmp_path / "free", is_stopping=StopAfter(1)).learner.backbone.state_dict()
    slow = train(clipped, tmp_path / "clipped", is_stopping=StopAfter(1)).learner.backbone.state_dict()
    name = next(each for each in start if each.endswith("weight"))
    assert not torch.equal(start[name], slow[name])
