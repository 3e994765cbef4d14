"""Rate limits: parsing them, and counting requests in sliding windows. Pure."""

import math
import re
from dataclasses import dataclass

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` requests in `seconds` seconds; an amount of 0 means no limit."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read `100/minute` (second, minute, hour, day) or `none`; raises ValueError if the text has another form."""
        if text == _NONE:
            return UNLIMITED
        if not (form := _FORM.fullmatch(text)):
            raise ValueError(f"{text!r} is not a rate; write 100/minute (second, minute, hour, day), or none")
        return cls(int(form[1]), _SECONDS[form[2]])

    def is_above(self, other: "Rate") -> bool:
        """Return whether this rate allows more requests in a second, on average, than the other one."""
        if not other.amount:
            return False
        return not self.amount or self.amount * other.seconds > other.amount * self.seconds

    def __str__(self) -> str:
        if not self.amount:
            return _NONE
        return f"{self.amount}/{next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)}"


UNLIMITED = Rate(0, 1)


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """The number of requests in the current window and in the previous one.

    `before_ends_in`: seconds until the previous window stops counting. `current_ends_in`: seconds until the current
    window becomes the previous one.
    """

    before: int
    before_ends_in: float
    current: int
    current_ends_in: float

    def used(self, rate: Rate) -> float:
        """Return how many requests count now; those of the previous window count by the part that still overlaps."""
        return self.before * self.before_ends_in / rate.seconds + self.current

    def remaining(self, rate: Rate) -> int:
        """Return how many more requests are allowed now."""
        return max(0, rate.amount - math.floor(self.used(rate)))

    def free_in(self, rate: Rate, amount: int = 1) -> float:
        """Return the seconds until `amount` requests are allowed if no others arrive; 0 if they are allowed now.

        `amount` is at most the rate's.
        """
        room = rate.amount - amount + 1  # the count must be below this
        if math.floor(self.used(rate)) < room:
            return 0.0
        if self.current < room:
            return self.before_ends_in - (room - self.current) * rate.seconds / self.before
        return self.current_ends_in + rate.seconds * (1 - room / self.current)


@dataclass(frozen=True, slots=True)
class Allowance:
    """A limit that applies to a request: its `name`, the rate, and the account it is counted on.

    The request counts `amount` times.
    """

    name: str
    rate: Rate
    account: str
    amount: int = 1


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The state of an allowance after a request."""

    allowance: Allowance
    is_allowed: bool
    remaining: int
    reset_s: int
    """Whole seconds until a refused request would be allowed, or else until the window ends."""

    @classmethod
    def of(cls, allowance: Allowance, window: SlidingWindow, *, is_allowed: bool) -> "RateLimitStatus":
        """Return the status that follows from a window's counts."""
        rate = allowance.rate
        if is_allowed:
            return cls(allowance, is_allowed, window.remaining(rate), math.ceil(window.current_ends_in))
        return cls(allowance, is_allowed, 0, math.floor(window.free_in(rate, allowance.amount)) + 1)
