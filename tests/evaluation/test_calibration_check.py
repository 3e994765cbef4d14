"""Promised and observed rates, on pairs and searches whose errors are counted by hand."""

import numpy as np
import pytest

from app.evaluation.all_pairs import compare_all
from app.evaluation.bootstrap import Estimate
from app.evaluation.calibration_check import (
    PromisedRate,
    check_content,
    observed_rates,
    promised_fmrs,
    promised_fpirs,
)
from app.evaluation.curves import Comparisons
from app.evaluation.identification import identify
from app.evaluation.report import of_all_pairs, of_searches
from app.evaluation.values import Pairs
from app.evaluation.verification import verify
from tests.evaluation.fakes import embedded, random_people


class LogCalibration:
    """Stand-in for a calibration: each tenth of a rate is 0.2 more similar, from 0.1 on."""

    def threshold(self, fmr):
        return 0.1 - 0.2 * np.log10(fmr)


CALIBRATION = LogCalibration()


def test_promised_thresholds():
    assert promised_fmrs(None) == ()
    promises = promised_fmrs(CALIBRATION)  # type: ignore[arg-type]
    assert [promise.asked for promise in promises] == [1e-2, 1e-3, 1e-4]
    assert [promise.threshold for promise in promises] == pytest.approx([0.5, 0.7, 0.9])
    (alone,), (among_many,) = (promised_fpirs(CALIBRATION, people) for people in (1, 100))  # type: ignore[arg-type]
    assert alone.threshold == pytest.approx(0.5)
    assert among_many.threshold == pytest.approx(0.9, abs=1e-3)  # about 1e-4 for each of a hundred
    assert promised_fpirs(CALIBRATION, 0) == ()  # type: ignore[arg-type]
    assert promised_fpirs(None, 5) == ()


def test_rates_at_a_threshold_by_hand():
    curve = Comparisons(np.array([0.2, 0.6, 0.9]), np.array([0.1, 0.5, 0.7, 0.3])).curve(np.ones(3), np.ones(4))
    rates = observed_rates(curve, [PromisedRate(0.1, 0.5), PromisedRate(0.01, 0.61), PromisedRate(0.001, 0.95)])
    assert rates == {
        "observed@1e-1": 0.5,
        "missed@1e-1": pytest.approx(1 / 3),
        "observed@1e-2": 0.25,
        "missed@1e-2": pytest.approx(2 / 3),
        "observed@1e-3": 0,
        "missed@1e-3": 1,
    }


def content_of(observed, comparisons, asked=0.01):
    estimates = {
        "observed@1e-2": Estimate(observed, (observed / 2, observed * 2)),
        "missed@1e-2": Estimate(0.25, (0.2, 0.3)),
    }
    content = check_content([PromisedRate(asked, 0.4)], estimates, comparisons, "too few")
    assert content is not None
    return content["1e-2"]


def test_the_content_of_a_report():
    assert content_of(0.03, 1000) == {
        "observed": 0.03,
        "interval": (0.015, 0.06),
        "over_asked": pytest.approx(3),
        "over_asked_interval": pytest.approx((1.5, 6)),
        "threshold": 0.4,
        "errors": 30,
        "comparisons": 1000,
        "missed": 0.25,
        "missed_interval": (0.2, 0.3),
    }
    assert check_content([], {}, 5, "") is None


@pytest.mark.parametrize(("errors", "comparisons", "is_known"), [(10, 100, True), (9, 999, False), (0, 1000, True)])
def test_ten_errors_are_observed_or_promised(errors, comparisons, is_known):
    content = content_of(errors / comparisons, comparisons)
    assert (content["observed"] is not None) is is_known
    assert content.get("note") == (None if is_known else "too few")
    assert content["errors"] == errors


def test_given_pairs_and_all_pairs_agree():
    photos = random_people(3, people=30, photos=4, noise=0.9)
    places = np.array([(one, two) for one in range(120) for two in range(one + 1, 120)])
    is_same = photos.people[places[:, 0]] == photos.people[places[:, 1]]
    pairs = Pairs(photos.photos, places, is_same, np.arange(len(places)) % 10)
    given = verify(pairs, photos, calibration=CALIBRATION, replicates=20).estimates  # type: ignore[arg-type]
    compared = compare_all(photos, calibration=CALIBRATION, replicates=20)  # type: ignore[arg-type]
    for name in ("observed@1e-2", "missed@1e-2", "observed@1e-3"):
        assert given[name].value == pytest.approx(compared.estimates[name].value, abs=2e-3)
        assert given[name].interval == pytest.approx(compared.estimates[name].interval, abs=4e-3)
    check = of_all_pairs(photos, compared)["calibration_check"]["fmr"]
    assert list(check) == ["1e-2", "1e-3", "1e-4"]
    assert check["1e-2"]["over_asked"] == pytest.approx(100 * check["1e-2"]["errors"] / check["1e-2"]["comparisons"])


def test_searches():
    """Three enrolled people; the threshold for one stranger in a hundred is 0.5 - 0.2 log10(1/3), about 0.6."""
    vectors = [[1, 0], [1, 0], [0, 1], [0, 1], [-1, 0], [-1, 0.01], [0.8, 0.6], [0.5, 0.5]]
    result = identify(embedded(vectors, "aabbccde"), calibration=CALIBRATION, replicates=0)  # type: ignore[arg-type]
    (promise,) = result.promises
    assert promise.threshold == pytest.approx(0.596, abs=1e-3)
    assert result.estimates["observed@1e-2"].value == 1  # 0.8 and 0.71
    assert result.estimates["missed@1e-2"].value == 0
    report = of_searches(embedded(vectors, "aabbccde"), result, {})
    assert report["calibration_check"]["fpir"]["1e-2"]["note"] == "fewer than 10 impostor searches above"
    without = of_searches(embedded(vectors, "aabbccde"), identify(embedded(vectors, "aabbccde"), replicates=0), {})
    assert without["calibration_check"] == {"fpir": None}
