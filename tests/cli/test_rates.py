import pytest

from app.cli.rates import rate_in_words
from app.recognition.decisions.stated_rates import UNKNOWN, StatedRate


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (UNKNOWN, "unknown"),
        (StatedRate(1e-7, (0, 1e-7)), "below 1 in 10 million"),
        (StatedRate(2e-7, (0, 8e-7)), "below 1 in 1.2 million"),
        (StatedRate(2e-4, (1 / 12_000, 1 / 3_000)), "1 in 3,000 to 1 in 12,000"),
        (StatedRate(1e-4, (0.9999e-4, 1.0001e-4)), "1 in 10,000"),
        (StatedRate(0.31, (0.281, 0.339)), "28 to 34 %"),
        (StatedRate(1.0, (1.0, 1.0)), "100 %"),
    ],
)
def test_a_rate_is_said_as_its_range(rate, words):
    assert rate_in_words(rate) == words
