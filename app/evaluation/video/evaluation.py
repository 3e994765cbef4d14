"""Comparison of single frames with tracks: FNIR at a FPIR, and the observed FPIR next to the asked one. Pure."""

from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates
from app.evaluation.curves import FARS, Comparisons, RocCurve, label, tar_at
from app.evaluation.values import Advance, Bools, Doubles, EmbeddedPhotos, Ints
from app.evaluation.video.searches import ASKED, ProbeSearches, frame_probes, look_probes, search_probes
from app.recognition.decisions.policy import Policy
from app.types import Floats

UNITS = ("frame", "track")


@dataclass(frozen=True, slots=True)
class FilmedPeople:
    """The gallery (g, d), one face each (NaN without one), and for each track its person (t,) and mate (t,), or -1."""

    gallery: Floats
    people: Ints
    mates: Ints


@dataclass(frozen=True, slots=True)
class VideoResult:
    """The curves of single frames and of tracks by their names in `UNITS`; `far` is FPIR and `tar` 1 - FNIR.

    `lost_tracks` is the number of tracks without any face.
    """

    curves: dict[str, RocCurve]
    estimates: dict[str, Estimate]
    lost_tracks: int


def compare(
    embedded: EmbeddedPhotos,
    frames: int,
    filmed: FilmedPeople,
    policy: Policy,
    *,
    replicates: int = REPLICATES,
    advance: Advance = lambda _: None,
) -> VideoResult:
    """Compare each frame for itself with each track, whose frames are consecutive photos of `embedded`.

    Every track is also searched without its mate, as that of a stranger.
    """
    singles = search_probes(frame_probes(embedded, frames, policy), filmed.gallery, filmed.mates, policy)
    fused, is_last = look_probes(embedded, frames, policy)
    looks = search_probes(fused, filmed.gallery, filmed.mates, policy)
    sides = {
        "frame": _UnitCurve(singles, np.ones(len(singles.tracks), np.bool_), filmed, frames),
        "track": _UnitCurve(looks, is_last, filmed, 1),
    }
    check = _ObservedRates(singles, looks, is_last, filmed, frames)

    def figures(multiplicities: Doubles) -> Figures:
        weights = multiplicities[filmed.people]
        found: dict[str, float] = check.figures(weights)
        for name, side in sides.items():
            curve = side.curve(weights)
            found |= {f"{name}_fnir@{label(fpir)}": 1 - tar_at(curve, fpir) for fpir in FARS}
        found |= {
            f"ratio@{label(fpir)}": found[f"track_fnir@{label(fpir)}"] / (found[f"frame_fnir@{label(fpir)}"] or np.nan)
            for fpir in FARS
        }
        return found

    count = int(filmed.people.max()) + 1
    with_intervals = estimates(figures, people=count, replicates=replicates, advance=advance)
    curves = {name: side.curve(np.ones(len(filmed.people))) for name, side in sides.items()}
    return VideoResult(curves, with_intervals, len(filmed.people) - len(np.unique(singles.tracks)))


class _UnitCurve:
    """The curve of some searches, weighted by track; mated tracks have `units` of them, and missing ones are misses."""

    def __init__(self, searches: ProbeSearches, chosen: Bools, filmed: FilmedPeople, units: int) -> None:
        self._tracks = searches.tracks[chosen]
        self._is_mated = filmed.mates >= 0
        self._units = units
        self._own = self._is_mated[self._tracks]
        lost = np.full(len(filmed.mates), -np.inf)  # the missing faces of each track, as one comparison
        genuine = np.concatenate([searches.mate[chosen][self._own], lost])
        self._comparisons = Comparisons(genuine, searches.other[chosen])
        found = np.bincount(self._tracks, minlength=len(filmed.mates))
        self._missing = np.where(self._is_mated, units - found, 0).astype(np.float64)

    def curve(self, weights: Doubles) -> RocCurve:
        """Return the curve for weights of the tracks (t,)."""
        own = weights[self._tracks]
        return self._comparisons.curve(np.concatenate([own[self._own], weights * self._missing]), own)


class _ObservedRates:
    """Observed rates at the thresholds of the calibration, which the service uses."""

    def __init__(
        self, singles: ProbeSearches, looks: ProbeSearches, is_last: Bools, filmed: FilmedPeople, frames: int
    ) -> None:
        count = len(filmed.mates)
        self._seen = np.bincount(singles.tracks, minlength=count)
        self._is_mated = filmed.mates >= 0
        self._frames = frames
        self._false_frames, self._found_frames = _hits(singles, count)
        self._false_looks, _ = _hits(looks, count)
        last = ProbeSearches(
            looks.tracks[is_last], looks.mate[is_last], looks.other[is_last], looks.thresholds[:, is_last]
        )
        self._false_last, self._found_last = _hits(last, count)

    def figures(self, weights: Doubles) -> dict[str, float]:
        """Return rates for weights of the tracks (t,)."""
        found = {}
        seen, mated = float(weights @ (self._seen > 0)) or np.nan, float(weights @ self._is_mated) or np.nan
        shown = float(weights @ self._seen) or np.nan
        for row, asked in enumerate(ASKED):
            name = label(asked)
            found[f"frame_fpir@{name}"] = float(weights @ self._false_frames[row]) / shown
            found[f"any_frame_fpir@{name}"] = float(weights @ (self._false_frames[row] > 0)) / seen
            found[f"last_look_fpir@{name}"] = float(weights @ (self._false_last[row] > 0)) / seen
            found[f"track_fpir@{name}"] = float(weights @ (self._false_looks[row] > 0)) / seen
            frames = float((weights * self._is_mated) @ self._found_frames[row])
            found[f"frame_missed@{name}"] = 1 - frames / (mated * self._frames)
            found[f"track_missed@{name}"] = 1 - float((weights * self._is_mated) @ self._found_last[row]) / mated
        return found


def _hits(searches: ProbeSearches, tracks: int) -> tuple[Doubles, Doubles]:
    """Return the false and the right matches of each track at each asked rate, both (a, t)."""

    def by_track(is_found: Bools) -> Doubles:
        counts = [np.bincount(searches.tracks, each.astype(np.float64), minlength=tracks) for each in is_found]
        return np.stack(counts).astype(np.float64)

    return by_track(searches.other >= searches.thresholds), by_track(searches.mate >= searches.thresholds)
