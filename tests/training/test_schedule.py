import pytest

from app.training.schedule import Schedule


def rates(schedule, iterations=10):
    return [schedule.rate(each, iterations) for each in range(schedule.epochs * iterations)]


def test_polynomial():
    result = rates(Schedule(epochs=4, learning_rate=0.2, power=2))
    assert result[0] == 0.2
    assert result[20] == pytest.approx(0.05)
    assert result[-1] == pytest.approx(0.2 * (1 / 40) ** 2)
    assert result == sorted(result, reverse=True)


def test_steps():
    result = rates(Schedule(epochs=4, learning_rate=0.1, kind="step", milestones=(2, 3.5)))
    assert result[:20] == [0.1] * 20
    assert result[20:35] == pytest.approx([0.01] * 15)
    assert result[35:] == pytest.approx([0.001] * 5)


def test_constant():
    assert rates(Schedule(epochs=2, learning_rate=0.1, kind="constant")) == [0.1] * 20


@pytest.mark.parametrize("kind", ["polynomial", "constant"])
def test_warm_up_rises_to_the_highest_rate(kind):
    result = rates(Schedule(epochs=4, learning_rate=0.2, kind=kind, warm_up=0.9))
    assert result[:9] == pytest.approx([0.02 * each for each in range(1, 10)])
    assert max(result) == result[9] == 0.2
