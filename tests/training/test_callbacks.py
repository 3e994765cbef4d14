import io
import json
from dataclasses import replace

from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from app.observability.progress_line import ProgressLine
from app.training.callbacks import MetricsLog, ProgressReport, TensorBoard, TrainingProgress, loss_trend

SECOND = "epoch 2.0 of 10, iteration 20 of 100, 250 photos/s, loss 3.500"
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
    assert "theta" not in step


def test_angles_of_a_loss_with_classes_are_logged(tmp_path):
    own = replace(progress(10), theta=61.5, target_logit=-3.25)
    journal, board = MetricsLog(tmp_path / "metrics.jsonl"), TensorBoard(tmp_path)
    for each in (journal, board):
        each.on_step(own)
        each.close()
    (step,) = lines(tmp_path / "metrics.jsonl")
    assert (step["theta"], step["target_logit"]) == (61.5, -3.25)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Scalars("training/theta")[0].value == 61.5
    assert events.Scalars("training/target_logit")[0].value == -3.25


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


def test_the_line_of_progress():
    shown = io.StringIO()
    report = ProgressReport(ProgressLine(Console(file=shown, width=40), seconds=0))
    report.on_step(progress(10))
    report.on_evaluation(10, FIGURES)
    report.on_step(replace(progress(20), seconds_left=4000, best=0.75, damaged=2))
    report.close()
    assert shown.getvalue().splitlines() == [
        "epoch 1.0 of 10, iteration 10 of 100, 250 photos/s, loss 3.500, 0 s left",
        "iteration 10: lfw: accuracy 0.7500, eer 0.2500",
        f"{SECOND}, best accuracy 0.7500, 2 photos damaged, 1 h 6 min left",
    ]


def test_the_trend_of_the_loss(tmp_path):
    file = tmp_path / "metrics.jsonl"
    rows = [{"loss": 5.0}, {"evaluation": {}}, {"loss": 6.0}, {"loss": 7.0}]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert loss_trend(file) is None
    with file.open("a") as out:
        out.write('{"loss": 8.0}\n{"lo')
    assert loss_trend(file) == (5.0, 7.0)
