from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.threshold_curve import curve_of
from app.types import CollectionKey
from tests.recognition.fakes import calibration

CALIBRATED = Policy(calibration(), 0.42)
COLLECTION = Collection(
    CollectionKey(1), "uid", "people", "colours", 3, revision=1, faces=80, identities=50, settings=CollectionSettings()
)


def test_points_carry_the_rates_of_the_policy():
    points = curve_of(COLLECTION, CALIBRATED).points
    assert len(points) == 121
    for each in points:
        assert each.fmr == CALIBRATED.fmr(each.similarity)
        assert each.fpir == CALIBRATED.fpir(each.similarity, comparisons_among(50, 80))


def test_the_rules_are_those_of_requests_that_say_nothing():
    curve = curve_of(COLLECTION, CALIBRATED)
    assert curve.identification == CALIBRATED.for_identification(comparisons_among(50, 80))
    assert curve.verification == CALIBRATED.for_verification()


def test_without_a_calibration_there_are_no_points():
    curve = curve_of(COLLECTION, Policy(None, 0.42))
    assert curve.points == []
    assert curve.identification.threshold == curve.verification.threshold == 0.42
