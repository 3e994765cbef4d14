import pytest

from app.training.schedule import Schedule


def rates(schedule, iterations=10):
    return [schedule.rate(each, iterations) for each in range(schedule.epochs * iterations)]


def test_polynomial():
    found = rates(Schedule(epochs=4, learning_rate=0.2, power=2))
    assert found[0] == 0.2
    assert found[20] == pytest.approx(0.05)
    assert found[-1] == pytest.approx(0.2 * (1 / 40) ** 2)
    assert found == sorted(found, reverse=True)


def test_steps():
    found = rates(Schedule(epochs=4, learning_rate=0.1, kind="step", milestones=(2, 3.5)))
    assert found[:20] == [0.1] * 20
    assert found[20:35] == pytest.approx([0.01] * 15)
    assert found[35:] == pytest.approx([0.001] * 5)


def test_constant():
    assert rates(Schedule(epochs=2, learning_rate=0.1, kind="constant")) == [0.1] * 20


@pytest.mark.parametrize("kind", ["polynomial", "constant"])
def test_warm_up_rises_to_the_highest_rate(kind):
    found = rates(Schedule(epochs=4, learning_rate=0.2, kind=kind, warm_up=0.9))
    assert found[:9] == pytest.approx([0.02 * each for each in range(1, 10)])
    assert max(found) == found[9] == 0.2
