"""The pace of frames: which of a stream's frames are wanted at a rate; pure."""

from collections import deque

_GAPS = 4  # encoders add key frames where the scene changes, so one gap alone means little


class Pace:
    """Chooses frames so that at most `fps` a second remain, evenly spaced."""

    def __init__(self, fps: float) -> None:
        self.period = 1 / fps
        self._due: float | None = None

    def wants(self, time: float) -> bool:
        """Return whether the frame at a time (seconds) is due, and count it. A jump in time starts a new pace."""
        due = self._due
        is_jump = due is not None and abs(time - due) > max(10 * self.period, 10)
        if due is not None and not is_jump and time < due - self.period / 100:
            return False
        # Late frames do not shift the pace, so that 5 of 25 frames a second are not 4.2.
        self._due = time + self.period if due is None or is_jump or time > due + self.period else due + self.period
        return True


class KeyFrames:
    """Decides whether a stream's key frames are frequent enough, so that no other frame needs decoding."""

    def __init__(self, period: float) -> None:
        """`period` is the time between two wanted frames, in seconds."""
        self._most = period * 1.01
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def suffice(self, time: float, *, is_key: bool) -> bool:
        """Record a packet, and return whether key frames suffice now. The answer changes only at a key frame."""
        if is_key:
            if self._last is not None:
                self._gaps.append(time - self._last)
            self._last = time
        return len(self._gaps) == _GAPS and min(self._gaps) > 0 and max(self._gaps) <= self._most
