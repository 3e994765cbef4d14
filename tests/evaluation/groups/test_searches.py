import numpy as np
import pytest

from app.evaluation.groups.searches import search_groups
from app.evaluation.identification import identify
from tests.evaluation.fakes import embedded, random_people


class FixedCalibration:
    """Stand-in for a calibration: the same threshold for every rate."""

    def threshold(self, _rate):
        return 0.75


CALIBRATION = FixedCalibration()


def test_a_scene_by_hand():
    """Ada and Bob are enrolled. Bob's second photo looks like Ada, and so does the stranger Cy."""
    vectors = [[1, 0], [0.9, 0.1], [0, 1], [0.8, 0.6], [0.6, 0.7], [1, 0.1], [-1, 0], None]
    searches = search_groups(embedded(vectors, "aabbbcde"), CALIBRATION)  # type: ignore[arg-type]
    assert searches is not None
    assert searches.gallery == 2
    once = np.ones((1, 5))
    everyone = np.ones(8, bool)
    fpir, fnir = searches.fpir(once, everyone), searches.fnir(once, everyone)
    assert (fpir.errors[0], fpir.pairs[0], fpir.people, fpir.cases_with_error) == (1, 2, 2, 1)  # Eve has no face
    assert (fnir.errors[0], fnir.pairs[0], fnir.people, fnir.cases_with_error) == (1, 3, 2, 1)
    only_bob = np.array([False, False, True, True, True, False, False, False])
    fnir = searches.fnir(np.array([[1.0] * 5, [0, 2, 1, 1, 1]]), only_bob)
    assert fnir.errors.tolist() == [1, 2]
    assert fnir.pairs.tolist() == [2, 4]
    assert searches.fpir(once, only_bob).pairs[0] == 0


@pytest.mark.parametrize("photos", [3, 4])
def test_all_searches_are_those_of_the_identification(photos):
    scene = random_people(photos, photos=photos, noise=0.8)
    searches = search_groups(scene, CALIBRATION)  # type: ignore[arg-type]
    expected = identify(scene, calibration=CALIBRATION, replicates=0).estimates  # type: ignore[arg-type]
    assert searches is not None
    once, everyone = np.ones((1, 12)), np.ones(len(scene.photos), bool)
    assert searches.fpir(once, everyone).rates[0] == pytest.approx(expected["observed@1e-2"].value)
    assert searches.fnir(once, everyone).rates[0] == pytest.approx(expected["missed@1e-2"].value)


def test_sets_without_searches():
    assert search_groups(random_people(1), None) is None
    assert search_groups(random_people(1, photos=1, lost=0), CALIBRATION) is None  # type: ignore[arg-type]
    assert search_groups(random_people(1, people=1, lost=0), CALIBRATION) is None  # type: ignore[arg-type]
