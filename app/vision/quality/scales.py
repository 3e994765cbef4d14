"""Scales from a measurement to 0..100 that never saturate, so a small change always shows. Pure."""


def rising(value: float, *, middle: float, steepness: float) -> float:
    """Return 0 at 0, 50 at `middle`, and close to 100 far above it."""
    ratio = max(value, 0.0) / middle
    return 100 * (1 - 1 / (1 + ratio**steepness)) if ratio < 1e6 else 100.0


def falling(value: float, *, middle: float, steepness: float) -> float:
    """Return 100 at 0, 50 at `middle`, and close to 0 far above it."""
    return 100 - rising(value, middle=middle, steepness=steepness)
