from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.gallery.store.calibration_state import CalibrationVersion
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.adaptation import adapted
from app.recognition.decisions.calibration.similar_impostors import SimilarImpostorCurve
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.reference_population import AdaptedTo, ReferencePopulation, reference_population
from app.types import CollectionKey, ImpostorMoments, Impostors
from tests.recognition.fakes import calibration

AT = datetime(2026, 11, 29, tzinfo=UTC)
PRIOR, SEEN = ImpostorMoments(0.05, 0.1, 1e6), ImpostorMoments(0.15, 0.12, 40)
BASE = replace(calibration(), moments=PRIOR)
VERSION = CalibrationVersion(
    3,
    AT,
    PRIOR,
    SEEN,
    SEEN,
    is_converged=True,
    seen_gallery=SEEN,
    seen_probes=None,
    identities=40,
    revision=40,
    probes_so_far=0,
)
PEOPLE = Collection(CollectionKey(1), "uid", "people", "colours", 3, 40, 40, 40, CollectionSettings())


@pytest.mark.parametrize("collection", [PEOPLE, replace(PEOPLE, calibration=VERSION)])
def test_a_shipped_calibration_states_its_source_and_people(collection):
    expected = ReferencePopulation("test", 9, None, Impostors.ANY)
    assert reference_population(Policy(BASE, 0.4), collection) == expected


def test_an_adapted_calibration_states_to_whom_it_was_adapted():
    policy = Policy(adapted(BASE, SEEN, people=40), 0.4)
    expected = ReferencePopulation("test", 9, AdaptedTo(3, 40, AT), Impostors.ANY)
    assert reference_population(policy, replace(PEOPLE, calibration=VERSION)) == expected


def test_the_impostors_that_rates_are_about_are_stated():
    stated = reference_population(Policy(SimilarImpostorCurve(BASE), 0.4), PEOPLE)
    assert stated is not None
    assert stated.impostors is Impostors.SIMILAR


def test_without_a_calibration_there_is_no_population():
    assert reference_population(Policy(None, 0.4), PEOPLE) is None
