import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compreface.similarity_score import SimilarityScale, rate_of_score, score_of_rate
from app.config import PROJECT
from app.recognition.decisions.calibration.error_rates import read_calibration
from app.recognition.decisions.policy import DEFAULT_MAX_FMR, Policy
from tests.recognition.fakes import calibration

SHIPPED = sorted((PROJECT / "models" / "calibrations").glob("*.json"))
COSINES = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("rate", "score"), [(1e-2, 0.1), (1e-3, 0.25), (1e-4, 0.5), (1e-5, 0.75), (1e-6, 0.9), (0, 1), (1, 1 / 82)]
)
def test_what_a_likeness_stands_for(rate, score):
    assert score_of_rate(rate) == pytest.approx(score, abs=1e-5)
    if 0 < rate < 1:
        assert rate_of_score(score) == pytest.approx(rate)


@pytest.mark.parametrize("policy", [Policy(calibration(), 0.4), Policy(None, 0.4)])
@given(st.lists(COSINES, min_size=2, max_size=2), st.integers(1, 9))
def test_more_similar_is_never_less_alike(policy, pair, faces):
    low, high = (SimilarityScale(policy).score(each, faces) for each in sorted(pair))
    assert 0 <= low <= high <= 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_half_is_the_threshold_that_decides_verifications(path):
    policy = Policy(read_calibration(path), 0)
    scale = SimilarityScale(policy)
    assert scale.score(policy.for_verification(1).threshold) == pytest.approx(0.5, abs=1e-3)
    assert scale.score(policy.for_verification(4).threshold, 4) == pytest.approx(0.5, abs=1e-3)
    assert scale.score(policy.for_verification(1, max_fmr=1e-6).threshold) == pytest.approx(0.9, abs=1e-3)
    assert (scale.score(1.0), DEFAULT_MAX_FMR) == (1.0, 1e-4)


def test_without_a_calibration_a_half_is_the_packs_threshold():
    scale = SimilarityScale(Policy(None, 0.4))
    assert scale.score(0.4) == 0.5
    assert scale.score(0.51) == pytest.approx(0.9, abs=2e-3)


def test_the_documented_table_is_that_of_the_shipped_calibrations():
    text = (PROJECT / "docs" / "compreface.md").read_text("utf-8")
    rows = re.findall(r"^\| \**(0\.\d\d)\** \| [^|]+ \| ([^|]+) \| (0\.\d{3}) \| (0\.\d{3}) \|$", text, re.MULTILINE)
    assert len(rows) == 13
    flipped = [path for path in SHIPPED if path.stem.endswith("flip")]
    of = {each.origin.model: each for each in map(read_calibration, flipped)}
    for score, rate, *cosines in rows:
        fmr = rate_of_score(float(score))
        assert float(rate) == pytest.approx(fmr, rel=0.05)
        models = ("sface-2021dec", "arcface-mobilefacenet-192")
        assert [float(each) for each in cosines] == [
            pytest.approx(of[model].threshold(fmr), abs=6e-4) for model in models
        ]
