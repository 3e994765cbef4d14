"""benchmarks/paper_tables.py: its rows, its intervals over seeds and people, and its table; with PyTorch, its runs."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import paper_rows
import pytest
from paper_judge import Judge
from paper_results import NetworkCost, RowResult, RowResults, SeedRate, draw, over_seeds, read_result
from paper_rows import SOURCES, TABLES

from app.cli.output import Console
from app.cli.train_options import put_all
from app.errors import EvaluationInvalid, TrainingInvalid
from app.training.backbones.spec import BackboneSpec
from app.training.config import parse_config
from tests.training.people import write_people

HAS_TORCH = all(find_spec(name) for name in ("torch", "pyarrow", "onnxscript"))
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch not installed; run: make test TORCH=torch")
TABLE = TABLES[6]
PEOPLE, SHOTS = 30, 3


def rate_of(value, spread=0.0):
    drawn = np.random.default_rng(0).normal(value, spread, 400)
    return SeedRate(value, tuple(drawn.tolist()))


def width_of(estimate):
    low, high = estimate.interval
    return high - low


def results_of(table, tmr, spec):
    seeds = {seed: RowResult(rate_of(0.8, 0.01), rate_of(tmr, 0.01), 2.5) for seed in (1, 2)}
    return {row.name: RowResults(seeds, spec) for row in table.rows}


@pytest.mark.parametrize("row", [row for table in TABLES.values() for row in table.rows], ids=lambda row: row.name)
def test_each_row_is_a_valid_configuration_with_a_known_source(row):
    values = {"data": {"path": "photos"}, "backbone": {"width": 0.125}}
    put_all(values, row.keys)
    assert parse_config(values).schedule.epochs
    assert row.published is None or (row.published.source in SOURCES and 98 < row.published.lfw < 100)


def test_all_tables_of_the_paper_have_rows_of_different_names():
    assert sorted(TABLES) == [2, 3, 4, 5, 6, 7, 8]
    assert all(len({row.name for row in table.rows}) == len(table.rows) > 1 for table in TABLES.values())
    assert all(table.row(row.start) for table in TABLES.values() for row in table.rows if row.start)


def test_one_seed_has_an_interval_by_people_alone():
    estimate = over_seeds([rate_of(0.5, 0.02)])
    assert estimate.value == 0.5
    assert width_of(estimate) == pytest.approx(2 * 1.96 * 0.02, rel=0.1)


def test_equal_seeds_leave_the_interval_by_people():
    assert width_of(over_seeds([rate_of(0.5, 0.02)] * 2)) == pytest.approx(width_of(over_seeds([rate_of(0.5, 0.02)])))


@pytest.mark.parametrize(("seeds", "factor"), [(2, 12.71), (3, 4.303), (6, 2.571)])
def test_seeds_that_differ_widen_the_interval_by_the_factor_of_student(seeds, factor):
    values = np.linspace(0.4, 0.6, seeds)
    estimate = over_seeds([SeedRate(value, (value,) * 10) for value in values.tolist()])
    assert width_of(estimate) == pytest.approx(2 * factor * values.std(ddof=1) / seeds**0.5)


def test_a_difference_of_the_same_people_has_a_narrow_interval():
    one, other = rate_of(0.5, 0.02), rate_of(0.6, 0.02)
    assert other.minus(one).value == pytest.approx(0.1)
    assert width_of(over_seeds([other.minus(one)])) < 1e-6


def test_a_result_can_be_read_again(tmp_path):
    result = RowResult(rate_of(0.8, 0.1), rate_of(0.3, 0.1), None)
    assert read_result(tmp_path / "result.json") is None
    result.write(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == result


def test_a_table_without_results_can_be_drawn():
    spec = BackboneSpec()
    text = draw(TABLE, {row.name: RowResults({}, spec, failure="too large") for row in TABLE.rows})
    assert "| m = 0.5 | 99.53 (d) | 0 | - | - | - | - |" in text
    assert "- m = 0.2: too large" in text


def test_a_table_shows_costs_only_if_the_networks_differ():
    results = results_of(TABLE, 0.3, BackboneSpec())
    assert "MiB" not in draw(TABLE, results)
    assert "| 30.0 (28." in draw(TABLE, results)
    last = TABLE.rows[-1].name
    results[last] = replace(results[last], spec=BackboneSpec("mobilefacenet"), cost=NetworkCost(1_000, 2**20, 0.5))
    assert "| 1,000 | 1.0 | 0.50 |" in draw(TABLE, results)


def test_a_difference_of_nothing_has_no_sign_of_its_own():
    results = results_of(TABLE, 0.3, BackboneSpec())
    assert "| +0.0 (+0.0 to +0.0) |" in draw(TABLE, results)
    assert "-0.0" not in draw(TABLE, results)


def test_published_figures_name_their_source():
    text = draw(TABLES[5], results_of(TABLES[5], 0.3, BackboneSpec()))
    assert "| 5e-4 | 99.78 (a) | 2 |" in text
    assert f"- (a) {SOURCES['a']}" in text


def test_the_judge_separates_people_from_noise():
    people = np.repeat(np.arange(PEOPLE), SHOTS)
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(PEOPLE, 64))[people]
    vectors = centres + 0.05 * generator.normal(size=centres.shape)
    accuracy, tmr = Judge(people).rates(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert (accuracy.value, tmr.value) == (1, 1)
    noise = generator.normal(size=centres.shape)
    accuracy, tmr = Judge(people).rates(noise / np.linalg.norm(noise, axis=1, keepdims=True))
    assert 0.35 < accuracy.value < 0.65
    assert tmr.value < 0.1
    assert len(set(tmr.replicates)) > 1


@pytest.mark.parametrize("people", [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2, 3]])
def test_the_judge_needs_four_people_with_two_photos(people):
    with pytest.raises(EvaluationInvalid, match="four people"):
        Judge(np.array(people))


def quiet():
    console = Console(stderr=True)
    console.quiet = True
    return console


def no_training(*_args, **_options):
    raise TrainingInvalid("trained again")


@pytest.fixture
def options(tmp_path):
    import paper_tables  # noqa: PLC0415 - imports PyTorch

    write_people(tmp_path / "0", 6, 4)
    write_people(tmp_path / "1", 6, 4)
    line = ["--images", str(tmp_path), "--out", str(tmp_path), "--seeds", "2", "--photos", "9", "--epochs", "1"]
    return paper_tables.arguments().parse_args([*line, "--batch-size", "4", "--per-person", "3", "--dimension", "16"])


@pytest.fixture
def table():
    rows = [TABLES[7].row("softmax"), TABLES[7].row("triplet, refining softmax"), TABLES[3].row("SE-LResNet50A-IR")]
    broken = paper_rows.Row("no network", {"backbone.name": "timm:no_such_network", "backbone.width": 1.0})
    return paper_rows.PaperTable(9, "Tiny", (*rows, broken))


@needs_torch
def test_rows_are_trained_once_and_drawn_again(options, table, monkeypatch):
    import paper_runs  # noqa: PLC0415 - as above
    import paper_tables  # noqa: PLC0415 - as above

    runs = paper_tables.open_runs(options)
    assert len(list((options.out / "paper-photos-9-3").rglob("*.png"))) == 9
    console = quiet()
    failures = paper_tables.train_table(runs, table, (1, 2), console, lambda: False)
    assert failures.keys() == {"no network"}, failures
    text = paper_tables.table_text(runs, table, (1, 2), failures, is_measured=True)
    assert "| softmax | 99.08 (d) | 2 |" in text
    assert "| triplet, refining softmax | 98.98 (d) | 2 |" in text
    assert "- no network: not trained: " in text
    assert "| 1.00 |" in text
    monkeypatch.setattr(paper_runs, "train", no_training)
    again = paper_tables.open_runs(options)
    assert list(paper_tables.train_table(again, table, (1,), console, lambda: False)) == ["no network"]
    assert paper_tables.table_text(again, table, (1, 2), failures, is_measured=False) == text


@needs_torch
def test_networks_can_be_measured_without_training(options, table):
    import paper_tables  # noqa: PLC0415 - as above

    text = paper_tables.table_text(paper_tables.open_runs(options), table, (), {}, is_measured=True)
    assert "| softmax | 99.08 (d) | 0 | - | - | - | - |" in text
    assert text.count("| 1.00 |") >= 2
    assert "- no network: not measured: " in text


@needs_torch
def test_another_length_is_another_run(options, table):
    import paper_tables  # noqa: PLC0415 - as above

    row = table.rows[0]
    short = paper_tables.open_runs(options).run_folder(table, row, 1)
    options.epochs = 2
    assert paper_tables.open_runs(options).run_folder(table, row, 1) != short


@needs_torch
def test_a_stopped_run_continues(options, table):
    import paper_tables  # noqa: PLC0415 - as above

    options.epochs, options.set = 30, ["keeping.save_every=5"]
    runs = paper_tables.open_runs(options)
    row, console = table.rows[0], quiet()
    assert runs.train(table, row, 1, console=console, is_stopping=lambda: True) is None
    assert (runs.run_folder(table, row, 1) / "last.pt").exists()
    assert runs.result(table, row, 1) is None
    assert runs.train(table, row, 1, console=console, is_stopping=lambda: False) is not None
