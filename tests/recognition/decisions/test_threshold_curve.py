from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.gallery.store.calibration_state import CalibrationVersion
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.adaptation import adapted
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.threshold_curve import curve_of
from app.types import CollectionKey, ImpostorMoments
from tests.recognition.fakes import calibration

CALIBRATED = Policy(calibration(), 0.42)
COLLECTION = Collection(
    CollectionKey(1), "uid", "people", "colours", 3, revision=1, faces=80, identities=50, settings=CollectionSettings()
)


def test_points_carry_the_rates_of_the_policy():
    points = curve_of(COLLECTION, CALIBRATED, CALIBRATED).points
    assert len(points) == 121
    for each in points:
        assert each.fmr == CALIBRATED.fmr(each.similarity)
        assert each.fpir == CALIBRATED.fpir(each.similarity, comparisons_among(50, 80))


def test_the_rules_are_those_of_requests_that_say_nothing():
    curve = curve_of(COLLECTION, CALIBRATED, CALIBRATED)
    assert curve.identification == CALIBRATED.for_identification(comparisons_among(50, 80))
    assert curve.verification == CALIBRATED.for_verification()


def test_without_a_calibration_there_are_no_points():
    curve = curve_of(COLLECTION, Policy(None, 0.42), Policy(None, 0.42))
    assert curve.points == []
    assert curve.identification.threshold == curve.verification.threshold == 0.42


def test_an_adapted_curve_is_shown_beside_the_fitted_one_with_its_move():
    prior, seen = ImpostorMoments(0.05, 0.1, 1e6), ImpostorMoments(0.15, 0.12, 40)
    version = CalibrationVersion(
        3,
        datetime(2026, 11, 29, tzinfo=UTC),
        prior,
        prior,
        seen,
        is_converged=False,
        seen_gallery=prior,
        seen_probes=seen,
        identities=40,
        revision=40,
        probes_so_far=25,
    )
    base = replace(calibration(), moments=prior)
    fitted, now = Policy(base, 0.42), Policy(base, 0.42, probe_calibration=adapted(base, seen, people=40))
    collection = replace(COLLECTION, calibration=version)
    curve = curve_of(collection, now, fitted)
    assert curve.move is not None
    assert (curve.move.probes, curve.move.is_converged) == (25, False)
    assert curve.move.shift == pytest.approx(0.1)
    assert curve.move.stretch == pytest.approx(1.2)
    assert curve.move.threshold_before == base.threshold(1e-4) < curve.move.threshold_after
    assert curve.identification == now.for_probes().for_identification(comparisons_among(50, 80))
    assert curve.verification == fitted.for_verification()
    for each in curve.points:
        assert each.fitted_fmr == fitted.fmr(each.similarity).value
        assert each.fmr == now.for_probes().fmr(each.similarity)
    plain = curve_of(collection, fitted, fitted)
    assert plain.move is None
    assert {each.fitted_fpir for each in plain.points} == {None}
