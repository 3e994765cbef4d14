import io
import json

from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from app.training.callbacks import MetricsLog, ProgressBar, TensorBoard, TrainingProgress

FIGURES = {"lfw": {"accuracy": 0.75, "eer": 0.25}}


def progress(iteration):
    return TrainingProgress(iteration, 100, iteration / 10, 3.5, 0.1, 250.123)


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_journal(tmp_path):
    journal = MetricsLog(tmp_path / "metrics.jsonl")
    journal.on_step(progress(10))
    journal.on_evaluation(10, FIGURES)
    journal.close()
    step, evaluation = lines(tmp_path / "metrics.jsonl")
    assert (step["iteration"], step["loss"], step["epoch"], step["images_per_second"]) == (10, 3.5, 1.0, 250.12)
    assert evaluation["evaluation"] == FIGURES


def test_the_journal_of_a_run_that_goes_on_from_an_earlier_iteration(tmp_path):
    file = tmp_path / "metrics.jsonl"
    before = MetricsLog(file)
    for iteration in (10, 20, 30):
        before.on_step(progress(iteration))
    before.close()
    with file.open("a") as out:
        out.write('{"iteration": 4')
    MetricsLog(file, first=20).close()
    assert [each["iteration"] for each in lines(file)] == [10, 20]
    MetricsLog(file).close()
    assert lines(file) == []


def test_tensorboard(tmp_path):
    board = TensorBoard(tmp_path)
    board.on_step(progress(10))
    board.on_evaluation(10, FIGURES)
    board.close()
    result = EventAccumulator(str(tmp_path)).Reload()
    assert result.Scalars("training/loss")[0].value == 3.5
    assert (result.Scalars("lfw/accuracy")[0].step, result.Scalars("lfw/accuracy")[0].value) == (10, 0.75)


def test_the_bar():
    shown = io.StringIO()
    bar = ProgressBar(Console(file=shown, width=120, force_terminal=True))
    bar.on_step(progress(10))
    bar.on_evaluation(10, FIGURES)
    bar.close()
    assert "loss 3.500, 250 images/s" in shown.getvalue()
    assert "10/100" in shown.getvalue()
    assert "iteration 10: lfw: accuracy 0.7500, eer 0.2500" in shown.getvalue()
