import pytest

from app.watch.pace import KeyFrames, Pace


def wanted(fps, times):
    pace = Pace(fps)
    return [each for each in times if pace.wants(each)]


@pytest.mark.parametrize(("fps", "of"), [(5, 25), (4, 30), (1, 10), (10, 29.97)])
def test_as_many_frames_as_wanted(fps, of):
    times = [number / of for number in range(int(20 * of))]
    assert abs(len(wanted(fps, times)) - 20 * fps) <= 1


def test_all_frames_of_a_slower_source():
    times = [number / 2 for number in range(20)]
    assert wanted(5, times) == times


def test_a_pause_is_not_made_up_for():
    assert wanted(1, [0, 0.5, 1, 5.5, 5.6, 5.7, 6.6]) == [0, 1, 5.5, 6.6]


def test_time_that_jumps_back_starts_a_new_pace():
    assert wanted(1, [1000, 1001, 3, 3.5, 4]) == [1000, 1001, 3, 4]


def suffice(period, packets):
    keys = KeyFrames(period)
    return [keys.suffice(time, is_key=is_key) for time, is_key in packets]


def test_key_frames_that_come_often_enough_suffice():
    packets = [(number / 10, number % 5 == 0) for number in range(40)]
    assert suffice(1, packets)[-1]
    assert not any(suffice(0.2, packets))


def test_one_short_group_of_frames_proves_nothing():
    assert not any(suffice(1, [(0, True), (0.1, True), (2.1, True), (4.1, True), (6.1, True), (8.1, True)]))
