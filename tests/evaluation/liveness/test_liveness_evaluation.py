"""Evaluation of presentation attack detection: rates by kind, bounds of few photos, and the report."""

import json

import numpy as np
import pytest

from app.errors import EvaluationInvalid
from app.evaluation.liveness.liveness_evaluation import RateLimits, VerdictCounts, evaluate_liveness
from app.evaluation.liveness.liveness_page import page_of
from app.evaluation.liveness.liveness_report import of_liveness
from app.evaluation.liveness.liveness_tables import figure_rows, sections, threshold_line, verdict_rows
from app.evaluation.liveness.presentations import Presentations
from app.evaluation.report import to_json
from app.recognition.liveness.thresholds import LivenessThresholds

HALF = LivenessThresholds(0.6, 0.4)


def presentations(name, scores, each=1):
    """Return presentations of which each person has so many."""
    people = tuple(f"{name}{number // each}" for number in range(len(scores)))
    return Presentations(name, np.array(scores, np.float64), people)


def width_of(estimate):
    low, high = estimate.interval
    return high - low


@pytest.fixture
def result():
    drawn = np.random.default_rng(5)
    live = presentations("live", [*drawn.uniform(0.3, 1, 100), np.nan])
    prints = presentations("print", [*drawn.uniform(0, 0.7, 80), np.nan, np.nan])
    screens = presentations("screen", drawn.uniform(0, 0.9, 120), each=2)
    masks = presentations("mask", [0.1, 0.2, 0.9])
    blank = presentations("blank", [np.nan] * 4)
    return evaluate_liveness(live, [prints, screens, masks, blank], HALF, replicates=50)


def test_the_worst_kind_with_a_figure_is_the_apcer(result):
    rates = {each.name: each.error.estimate for each in result.species}
    assert result.worst == "screen"
    assert rates["screen"].value == result.estimates["apcer"].value > rates["print"].value
    assert rates["mask"] is None
    assert rates["blank"] is None


def test_few_photos_give_only_a_bound(result):
    mask = result.species[2].error.count
    assert (mask.errors, mask.photos) == (1, 3)
    assert 0.8 < mask.at_most < 0.9
    assert result.species[2].auc is None


def test_verdicts_and_non_responses_are_counted(result):
    assert result.species[3].verdicts == VerdictCounts(0, 0, 0, 4)
    assert result.species[0].no_answer.count.errors == 2
    assert result.species[0].no_answer.estimate.value == pytest.approx(2 / 82)
    verdicts = result.live.verdicts
    assert verdicts.live + verdicts.uncertain + verdicts.attack == 100


def test_intervals_are_by_person():
    """Ten photos of each person with equal scores add nothing."""
    drawn = np.random.default_rng(6)
    few, kind = drawn.uniform(0, 1, 40), presentations("print", drawn.uniform(0, 0.5, 40))
    narrow = evaluate_liveness(presentations("live", few), [kind], HALF, replicates=200)
    repeated = evaluate_liveness(presentations("live", few.repeat(10), each=10), [kind], HALF, replicates=200)
    assert repeated.estimates["bpcer"].value == narrow.estimates["bpcer"].value
    assert width_of(repeated.estimates["bpcer"]) == pytest.approx(width_of(narrow.estimates["bpcer"]), rel=0.2)


def test_the_report_keeps_real_and_simulated_attacks_apart(result):
    report = {**of_liveness(result, result, None), "setup": {"pack": "fake"}}
    real, simulated = report["real"], report["simulated"]
    assert "do not measure security" in simulated["note"]
    assert "note" not in real
    assert [title for title, _ in sections(report)] == ["Real attacks", "Simulated attacks"]
    assert json.loads(json.dumps(to_json(real), allow_nan=False))["worst"] == "screen"
    assert real["attacks"]["mask"]["apcer"]["rate"] is None
    assert real["bpcer_at_apcer"]["0.01"]["note"] == "needs 299 people"
    assert real["bpcer_at_apcer"]["0.05"]["rate"] == result.estimates["bpcer@0.05"].value
    page = page_of(report, {"real": result, "simulated": result})
    assert page.count("<h2>") == 2
    assert "data:image/svg+xml" in page


def test_the_tables_name_every_kind(result):
    section = of_liveness(result, None, None)["real"]
    rows = verdict_rows(section)
    assert [row[0] for row in rows] == ["live people", "print", "screen", "mask", "blank"]
    assert rows[0][7].startswith("BPCER ")
    assert rows[3][7] == "APCER at most 86%"
    assert rows[4][7] == "APCER at most 100%"
    figures = {row[0]: row[1] for row in figure_rows(section)}
    assert figures["APCER of the worst kind"].endswith("(screen)")
    assert figures["BPCER at APCER 1%"] == "needs 299 people"
    assert "uncalibrated" in threshold_line(section)


def test_too_few_attacks_have_no_figure_at_all():
    few = evaluate_liveness(presentations("live", [0.9] * 50), [presentations("print", [0.1] * 15)], HALF, replicates=9)
    section = of_liveness(few, None, None)["real"]
    assert few.worst is None
    assert section["apcer"] is section["acer"] is section["auc"] is None
    assert section["det"] == []
    assert {row[1] for row in figure_rows(section) if "people" not in row[1]} == {"too few photos"}


def test_thresholds_can_be_chosen_on_the_photos():
    drawn = np.random.default_rng(7)
    live, kind = presentations("live", drawn.uniform(0.2, 1, 200)), presentations("print", drawn.uniform(0, 0.8, 200))
    limits = RateLimits(max_bpcer=0.05)
    result = evaluate_liveness(live, [kind], limits, replicates=20)
    assert result.estimates["bpcer"].value == pytest.approx(0.05)
    section = of_liveness(result, None, limits)["real"]
    assert section["thresholds"]["max_bpcer"] == 0.05
    assert "optimistic" in threshold_line(section)


@pytest.mark.parametrize(("live", "kind"), [([np.nan], [0.1]), ([0.9], [np.nan])])
def test_photos_without_any_usable_face_are_refused(live, kind):
    with pytest.raises(EvaluationInvalid, match="shows a face that can be judged"):
        evaluate_liveness(presentations("live", live), [presentations("print", kind)], HALF, replicates=2)
