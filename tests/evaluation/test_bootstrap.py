import numpy as np
import pytest

from app.evaluation.bootstrap import draw_multiplicities, estimates, interval, pair_weights


def test_as_many_people_are_drawn_as_there_are_and_always_the_same():
    multiplicities = draw_multiplicities(50, 200)
    assert multiplicities.shape == (200, 50)
    assert (multiplicities.sum(axis=1) == 50).all()
    assert abs(multiplicities.mean(axis=0) - 1).max() < 0.4
    np.testing.assert_array_equal(multiplicities, draw_multiplicities(50, 200))


def test_a_pair_weighs_the_product_of_its_people():
    multiplicities, first, second = np.array([2.0, 3, 0]), np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2])
    assert pair_weights(multiplicities, first, second).tolist() == [2, 6, 0, 0]


def test_the_interval_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(1).normal(size=400)
    result = estimates(
        lambda multiplicities: {"mean": float(multiplicities @ values / multiplicities.sum())},
        people=400,
        replicates=1000,
    )["mean"]
    assert result.value == pytest.approx(values.mean())
    assert result.interval is not None
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose(result.interval, (values.mean() - half, values.mean() + half), atol=half / 5)


def test_photos_of_one_person_are_no_independent_evidence():
    values = np.repeat(np.random.default_rng(1).normal(size=40), 10)
    person = np.repeat(np.arange(40), 10)

    def width(owner):
        result = estimates(
            lambda multiplicities: {"mean": float(multiplicities[owner] @ values / multiplicities[owner].sum())},
            people=int(owner.max()) + 1,
            replicates=500,
        )["mean"].interval
        assert result is not None
        return result[1] - result[0]

    assert width(person) > 2.5 * width(np.arange(400))


def test_without_replicates_there_is_no_interval():
    assert estimates(lambda _: {"a": 1.0}, people=3, replicates=0)["a"].interval is None
    assert interval(np.array([np.nan, 1])) is None
    assert interval(np.array([np.nan, 1, 1])) == (1, 1)
