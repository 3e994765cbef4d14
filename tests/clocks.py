"""A wall clock that a test sets."""

import time

from app.wall_clock import WallClock


class Jumps:
    """The wall clock of a test: `ahead` is by how many seconds it is wrong."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.clock = WallClock(lambda: time.time() + self.ahead)
