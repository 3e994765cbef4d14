"""How many requests in how long: what a rate looks like, and how somebody stands with it; pure."""

import math
import re
from dataclasses import dataclass

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` requests in any `seconds` seconds; an amount of 0 stands for no limit."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Read `100/minute` (second, minute, hour, day) or `none`; raises ValueError."""
        if text == _NONE:
            return UNLIMITED
        if not (form := _FORM.fullmatch(text)):
            raise ValueError(f"{text!r} is no rate: say 100/minute (second, minute, hour, day), or none")
        return cls(int(form[1]), _SECONDS[form[2]])

    def __str__(self) -> str:
        if not self.amount:
            return _NONE
        return f"{self.amount}/{next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)}"


UNLIMITED = Rate(0, 1)


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted: the requests in the window that has begun and in the one before it.

    Both `_ends_in` are seconds: until nothing of the window before counts any more, and until the current one becomes
    the one before.
    """

    before: int
    before_ends_in: float
    current: int
    current_ends_in: float

    def used(self, rate: Rate) -> float:
        """Return how many requests count now: those of the window before by the part of it that still overlaps."""
        return self.before * self.before_ends_in / rate.seconds + self.current

    def remaining(self, rate: Rate) -> int:
        """Return how many requests would be served now."""
        return max(0, rate.amount - math.floor(self.used(rate)))

    def free_in(self, rate: Rate, amount: int = 1) -> float:
        """Return in how many seconds `amount` requests (of at most the rate's) are served, if none comes before.

        0 if they would be now.
        """
        room = rate.amount - amount + 1  # fewer than that must be in use
        if math.floor(self.used(rate)) < room:
            return 0.0
        if self.current < room:
            return self.before_ends_in - (room - self.current) * rate.seconds / self.before
        return self.current_ends_in + rate.seconds * (1 - room / self.current)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One of the limits that hold for a request: its `name`, the rate, and on whose account it counts.

    It counts as `amount` requests.
    """

    name: str
    rate: Rate
    account: str
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with an allowance after a request."""

    allowance: Allowance
    is_allowed: bool
    remaining: int
    reset_s: int
    """Whole seconds: until a refused request can be served, otherwise until the window ends."""

    @classmethod
    def of(cls, allowance: Allowance, window: Window, *, is_allowed: bool) -> "Standing":
        """Take over what was counted."""
        rate = allowance.rate
        if is_allowed:
            return cls(allowance, is_allowed, window.remaining(rate), math.ceil(window.current_ends_in))
        return cls(allowance, is_allowed, 0, math.floor(window.free_in(rate, allowance.amount)) + 1)
