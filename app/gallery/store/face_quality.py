"""The quality of an enrolled face as its row stores it: the score, and a JSON object with reasons and components."""

from collections.abc import Mapping

from app.vision.quality import Component, Quality, Reason

_REASONS, _COMPONENTS = "reasons", "components"
_DIGITS = 2  # of a component, 0 to 100
_KNOWN_REASONS, _KNOWN_COMPONENTS = frozenset(Reason), frozenset(Component)


def quality_members(quality: Quality) -> dict[str, object]:
    """Return reasons and components as JSON."""
    components = {name.value: round(value, _DIGITS) for name, value in quality.components.items()}
    return {_REASONS: [each.value for each in quality.reasons], _COMPONENTS: components}


def stored_quality(score: float | None, members: Mapping[str, object] | None) -> Quality | None:
    """Return the quality of a row, None without a score.

    Faces of early versions and of archives have a score only. Names of other versions are left out.
    """
    if score is None:
        return None
    reasons, components = (members or {}).get(_REASONS), (members or {}).get(_COMPONENTS)
    return Quality(
        score,
        tuple(Reason(each) for each in reasons if each in _KNOWN_REASONS) if isinstance(reasons, list) else (),
        {Component(name): value for name, value in components.items() if name in _KNOWN_COMPONENTS}
        if isinstance(components, dict)
        else {},
    )
