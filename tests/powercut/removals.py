"""Programs that lack one call: each call in `app/` that makes a change durable is removed, and cuts must notice it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.cuts import Cut, Recorded, cut
from tests.powercut.recovery import Restarts
from tests.powercut.scene import RecordedScene
from tests.powercut.sites import Site

_SCENE_CUTS = 300
_SERVICE_CUTS = 40


@dataclass(frozen=True, slots=True)
class Removal:
    """A removed call. `cuts`: how many it took to notice, None if none did; `where`: what noticed it, or tried to."""

    site: Site
    cuts: int | None
    where: list[str]

    def __str__(self) -> str:
        if not self.where:
            return f"{self.site}: not reached"
        return f"{self.site}: {'not noticed' if self.cuts is None else f'{self.cuts} cuts'} ({', '.join(self.where)})"


def remove(
    site: Site,
    scenes: dict[str, RecordedScene],
    folder: Path,
    service: Recorded | None = None,
    restarts: Restarts | None = None,
) -> Removal:
    """Remove a call, and cut what reaches it until a cut notices: first the scenes, then the service's recording."""
    forget, tried = site.removed(), []
    for name, scene in scenes.items():
        if any(map(forget, scene.recorded.records)):
            tried.append(name)
            if number := _noticed(scene.cuts(folder, _SCENE_CUTS, 1, forget)):
                return Removal(site, number, [name])
    if service is not None and restarts is not None and any(map(forget, service.records)):
        tried.append("the service")
        if number := _noticed(cut(service, restarts, folder, _SERVICE_CUTS, seed=1, forget=forget)):
            return Removal(site, number, ["the service"])
    return Removal(site, None, tried)


def _noticed(cuts: Iterator[Cut]) -> int | None:
    return next((number for number, each in enumerate(cuts, 1) if each.violations), None)
