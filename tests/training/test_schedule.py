import pytest

from app.training.schedule import Schedule


def rates(schedule, iterations=10):
    return [schedule.rate(each, iterations) for each in range(schedule.total(iterations))]


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


def test_cosine():
    result = rates(Schedule(epochs=4, learning_rate=0.2, kind="cosine"))
    assert result[0] == 0.2
    assert result[10] == pytest.approx(0.2 * (1 + 0.5**0.5) / 2)
    assert result[20] == pytest.approx(0.1)
    assert 0 < result[-1] < 0.001
    assert result == sorted(result, reverse=True)


def test_a_length_and_milestones_in_iterations_do_not_depend_on_the_epoch():
    schedule = Schedule(iterations=28, kind="step", unit="iterations", milestones=(16, 24), warm_up=2)
    assert schedule.total(10) == schedule.total(3) == 28
    expected = [0.1 / 3, 0.2 / 3] + [0.1] * 14 + [0.01] * 8 + [0.001] * 4
    for epoch in (3, 10):
        assert [schedule.rate(each, epoch) for each in range(28)] == pytest.approx(expected)


def test_milestones_in_epochs_of_a_length_in_iterations():
    schedule = Schedule(iterations=30, kind="step", milestones=(1, 2.5))
    assert [schedule.rate(each, 10) for each in (9, 10, 24, 25)] == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_a_length_is_given_once():
    assert Schedule().epochs == 20
    assert Schedule(iterations=5).epochs is None
    with pytest.raises(ValueError, match="not as both"):
        Schedule(epochs=2, iterations=5)
