import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import PROJECT
from app.errors import CalibrationInvalid, CalibrationTooSmall
from app.recognition.decisions.calibration.applicable import Calibrations, file_name
from app.recognition.decisions.calibration.error_rates import (
    LEVELS,
    Calibration,
    CalibrationOrigin,
    ParetoTail,
    Spread,
    as_json,
    chance_among,
    rate_for_chance,
    read_calibration,
    scoring_of,
)
from app.recognition.decisions.calibration.fit import calibrate, fit_pareto
from app.recognition.decisions.scoring import AS_STORED
from app.types import Floats

ORIGIN = CalibrationOrigin(
    "ab" * 32, "model", "yunet", is_flip_averaged=True, people=0, faces=0, pairs=0, source="test"
)
DIMENSION = 64


def strangers(seed: int, people: int, photos: int = 1) -> tuple[Floats, list[str]]:
    """Unit vectors of random people, and whose they are; with several photos a person's lie close together."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((people, DIMENSION)).repeat(photos, axis=0)
    vectors = centres + 0.5 * rng.standard_normal(centres.shape) if photos > 1 else centres
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32), [f"person-{number // photos}" for number in range(people * photos)]


def fitted(vectors: Floats, people: list[str], origin: CalibrationOrigin = ORIGIN) -> Calibration:
    norms = np.linspace(5, 15, len(vectors), dtype=np.float32)
    return calibrate(vectors, people, origin, norms=norms, scoring=AS_STORED)


def impostor_scores(vectors, people):
    rows, columns = np.triu_indices(len(vectors), 1)
    person = np.array(people)
    return (vectors @ vectors.T)[rows, columns][person[rows] != person[columns]]


@pytest.fixture(scope="module")
def calibration():
    return fitted(*strangers(1, 1500))


@pytest.mark.parametrize(
    ("fmr", "factor"), [(0.5, 1.02), (0.1, 1.05), (1e-2, 1.1), (1e-3, 1.15), (1e-4, 1.3), (1e-5, 2)]
)
def test_the_promise_holds_for_people_never_seen(calibration, fmr, factor):
    scores = impostor_scores(*strangers(2, 2000))
    assert 1 / factor < (scores >= calibration.threshold(fmr)).mean() / fmr < factor


def test_every_pair_of_different_people_counts_once():
    vectors, people = strangers(3, 200, photos=4)
    made = fitted(vectors, people)
    scores = impostor_scores(vectors, people)
    assert (made.origin.people, made.origin.faces, made.origin.pairs) == (200, 800, len(scores))
    assert made.threshold(0.01) == pytest.approx(np.quantile(scores, 0.99), abs=2e-3)


def test_photos_under_a_wrong_name_do_not_lead_the_tail(calibration):
    vectors, people = strangers(1, 1500)
    wrong = vectors[:5] + 0.02 * np.random.default_rng(0).standard_normal((5, DIMENSION)).astype(np.float32)
    wrong /= np.linalg.norm(wrong, axis=1, keepdims=True)
    spoilt = fitted(np.concatenate([vectors, wrong]), [*people, *(f"wrong-{n}" for n in range(5))])
    assert spoilt.threshold(1e-6) == pytest.approx(calibration.threshold(1e-6), abs=0.02)


@given(st.floats(1e-9, 1))
def test_threshold_and_rate_are_inverse(rate):
    made = Calibration(
        ORIGIN, tuple(np.linspace(-1, 0.4, len(LEVELS)).tolist()), ParetoTail(0.4, 1e-3, -0.1, 0.03), SPREAD
    )
    assert made.fmr(made.threshold(rate)) == pytest.approx(rate, rel=1e-6)


SPREAD = tuple(Spread(rate, 0.8, 1.25) for rate in (1e-1, 1e-3, 1e-6))


def test_rates_fall_with_similarity_and_stay_in_range(calibration):
    rates = [calibration.fmr(similarity) for similarity in np.linspace(-1, 1, 401)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates))


def test_doubt_lies_around_the_threshold_and_grows_outwards(calibration):
    widths = []
    for rate in (1e-2, 1e-4, 1e-6):
        low, high = calibration.doubt(rate)
        assert low < calibration.threshold(rate) < high
        widths.append(high - low)
    assert widths == sorted(widths)


@given(st.floats(1e-6, 0.5), st.integers(1, 10_000_000))
def test_the_chance_among_many_is_inverted(chance, faces):
    assert chance_among(rate_for_chance(chance, faces), faces) == pytest.approx(chance, rel=1e-6)


@pytest.mark.parametrize("rate", [0.0, 5e-324, 1e-310])
@pytest.mark.parametrize("shape", [-0.2, 0.2])
def test_a_rate_next_to_nothing_has_a_threshold(calibration, rate, shape):
    heavy = replace(calibration, tail=replace(calibration.tail, shape=shape))
    least, most = sorted(heavy.doubt(rate))
    assert least <= heavy.threshold(rate) <= 1
    assert most <= 1


def test_the_chance_among_one_is_the_rate():
    assert chance_among(1e-4, 1) == pytest.approx(1e-4)
    assert chance_among(1e-4, 1000) == pytest.approx(1 - (1 - 1e-4) ** 1000)


@pytest.mark.parametrize("fpir", [0.1, 0.01])
def test_strangers_find_a_match_as_rarely_as_promised(calibration, fpir):
    gallery, _ = strangers(4, 1000)
    probes, _ = strangers(5, 5000)
    threshold = calibration.threshold(rate_for_chance(fpir, len(gallery)))
    assert 0.5 < ((probes @ gallery.T).max(axis=1) >= threshold).mean() / fpir < 2


@pytest.mark.parametrize("shape", [-0.2, -0.05, 1e-9, 0.1])
def test_no_other_tail_near_the_fitted_one_is_more_likely(shape):
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    drawn = 0.03 * ((1 - quantiles) ** -shape - 1) / shape
    limit = float(np.quantile(drawn, 0.99))
    excesses, censored = drawn[drawn < limit], float((drawn >= limit).sum())
    found = fit_pareto(excesses, np.ones_like(excesses), censored=censored, limit=limit)
    assert found == pytest.approx((shape, 0.03), rel=0.02, abs=0.01)

    def likelihood(shape, scale):
        seen = np.log(scale) + (1 + 1 / shape) * np.log(1 + shape * excesses / scale)
        return -seen.sum() - censored * np.log(1 + shape * limit / scale) / shape

    for other in itertools.product((found[0] - 1e-3, found[0] + 1e-3), (0.999 * found[1], 1.001 * found[1])):
        assert likelihood(*other) < likelihood(*found)


def test_too_few_pairs_are_refused():
    with pytest.raises(CalibrationTooSmall, match="100,000"):
        fitted(*strangers(6, 100))


def test_the_file_says_the_same(calibration, tmp_path):
    path = tmp_path / "calibration.json"
    path.write_bytes(as_json(calibration))
    assert read_calibration(path) == calibration


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"version": 1}'])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationInvalid):
        read_calibration(path)


def test_another_version_is_refused(calibration, tmp_path):
    path = tmp_path / "calibration.json"
    path.write_bytes(as_json(calibration).replace(b'"version": 2', b'"version": 3'))
    with pytest.raises(CalibrationInvalid, match="version"):
        read_calibration(path)


# The scale of feature norms


def test_by_default_the_mean_embedding_of_the_people_is_subtracted():
    vectors, people = strangers(3, 600, photos=2)
    norms = np.full(len(vectors), 10, np.float32)
    made = calibrate(vectors, people, ORIGIN, norms=norms)
    assert made.mean == pytest.approx(vectors.mean(axis=0), abs=1e-5)
    again = fitted(scoring_of(made).vectors(vectors, norms), people)
    assert made.thresholds == again.thresholds
    assert scoring_of(again) is AS_STORED


def test_the_typical_norm_is_the_median():
    vectors, people = strangers(3, 600)
    norms = np.random.default_rng(0).permutation(np.linspace(1, 9, 600, dtype=np.float32))
    norms[:3] = 1e6
    made = calibrate(vectors, people, ORIGIN, norms=norms)
    assert made.typical_norm == pytest.approx(float(np.median(norms)))
    assert 4.9 < np.median(norms) < 5.2


def test_a_file_from_before_there_was_a_typical_norm_is_read(calibration, tmp_path):
    content = json.loads(as_json(calibration))
    assert content.pop("typical_norm") == calibration.typical_norm
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    assert read_calibration(path) == replace(calibration, typical_norm=None)


def test_a_file_of_version_1_is_read_and_has_no_moments(calibration, tmp_path):
    content = json.loads(as_json(calibration)) | {"version": 1}
    assert content.pop("moments")["count"] == 1500
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    assert read_calibration(path) == replace(calibration, version=1, moments=None)


def test_the_calibrations_that_ship_are_read():
    paths = list((PROJECT / "models" / "calibrations").glob("*.json"))
    assert paths
    for path in paths:
        made = read_calibration(path)
        assert path.name == file_name(
            network_sha256=made.origin.network_sha256,
            detector=made.origin.detector,
            is_flip_averaged=made.origin.is_flip_averaged,
        )


# Which calibration holds


def name_for(is_flip_averaged: bool) -> str:  # noqa: FBT001 - as Calibrations calls it
    return file_name(network_sha256="ab" * 32, detector="yunet", is_flip_averaged=is_flip_averaged)


def write(path: Path, made: Calibration) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_json(made))


def test_the_file_name_says_how_the_network_is_used():
    assert name_for(True) == "abababababababab-yunet-arcface112-flip.json"  # noqa: FBT003 - as Calibrations calls it
    assert name_for(False) == "abababababababab-yunet-arcface112-plain.json"  # noqa: FBT003 - as above


@pytest.mark.parametrize("kind", [False, True])
def test_a_collections_own_calibration_goes_before_the_shipped_one(calibration, tmp_path, kind):
    calibrations = Calibrations(tmp_path / "shipped", tmp_path / "own", name_for)
    assert calibrations.of("default", is_flip_averaged=kind) is None
    assert calibrations.shipped(is_flip_averaged=kind) is None
    write(tmp_path / "shipped" / name_for(kind), calibration)
    assert calibrations.of("default", is_flip_averaged=kind) == calibration
    own = fitted(*strangers(7, 600))
    write(calibrations.path_of("default", is_flip_averaged=kind), own)
    assert calibrations.of("default", is_flip_averaged=kind) == own
    assert calibrations.of("other", is_flip_averaged=kind) == calibration
    assert calibrations.shipped(is_flip_averaged=kind) == calibration
    # Nothing of it holds for embeddings that are made in another way.
    assert calibrations.of("default", is_flip_averaged=not kind) is None


def test_a_new_calibration_is_used_at_once(calibration, tmp_path):
    calibrations = Calibrations(tmp_path / "shipped", tmp_path / "own", name_for)
    path = calibrations.path_of("default", is_flip_averaged=True)
    write(path, calibration)
    assert calibrations.of("default", is_flip_averaged=True) == calibration
    changed = replace(calibration, typical_norm=1.0)
    write(path, changed)
    os.utime(path, ns=(1, 1))
    assert calibrations.of("default", is_flip_averaged=True) == changed
