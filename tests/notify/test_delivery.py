from datetime import timedelta

from app.notify.delivery import RETRY_WINDOW, retry_delay
from app.notify.destination import DestinationAccess


def test_delays_double_from_a_second_to_an_hour():
    for attempts, seconds in ((1, 1), (2, 2), (5, 16), (12, 2048), (13, 3600), (10_000, 3600)):
        delay = retry_delay(attempts).total_seconds()
        assert 0.75 * seconds <= delay <= 1.25 * seconds


def test_delays_differ_so_that_retries_do_not_come_together():
    assert len({retry_delay(10) for _ in range(20)}) > 10


def test_a_delay_is_not_shorter_than_the_receiver_asks_for_and_never_above_a_day():
    assert retry_delay(1, 300) == timedelta(seconds=300)
    assert retry_delay(13, 1) > timedelta(minutes=30)
    assert retry_delay(1, 1e9) == RETRY_WINDOW


def test_the_text_of_an_access_has_no_secret():
    assert "secret" not in repr(DestinationAccess("https://secret", "secret", "secret"))
