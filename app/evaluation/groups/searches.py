"""Identification by group: FPIR and FNIR at the calibration's threshold for the default FPIR. Pure."""

from dataclasses import dataclass

import numpy as np

from app.evaluation.calibration_check import PromisedRate
from app.evaluation.groups.group_rates import Tally
from app.evaluation.identification import identify
from app.evaluation.values import Bools, Doubles, EmbeddedPhotos, Ints
from app.recognition.decisions.calibration.error_rates import Calibration


@dataclass(frozen=True, slots=True)
class GroupSearches:
    """Searches among `gallery` people. `probes` and `strangers` are indices of photos, with or without an error each.

    A probe has a mate and is an error if it misses the mate. A stranger has none and is an error if it finds anybody.
    """

    promise: PromisedRate
    gallery: int
    people: Ints
    probes: Ints
    is_missed: Bools
    strangers: Ints
    is_false: Bools

    def fpir(self, multiplicities: Doubles, is_member: Bools) -> Tally:
        """Return the searches without a mate of the photos that are members (photos,)."""
        return self._tally(multiplicities, self.strangers, self.is_false, is_member)

    def fnir(self, multiplicities: Doubles, is_member: Bools) -> Tally:
        """Return the searches with a mate of the photos that are members (photos,)."""
        return self._tally(multiplicities, self.probes, self.is_missed, is_member)

    def _tally(self, multiplicities: Doubles, photos: Ints, is_error: Bools, is_member: Bools) -> Tally:
        is_chosen = is_member[photos]
        person, size = self.people[photos[is_chosen]], multiplicities.shape[1]
        errors, searches = np.bincount(person, is_error[is_chosen], size), np.bincount(person, minlength=size)
        people, with_error = int(np.count_nonzero(searches)), int(np.count_nonzero(errors))
        return Tally(multiplicities @ errors, multiplicities @ searches, people, people, with_error, people)


def search_groups(embedded: EmbeddedPhotos, calibration: Calibration | None) -> GroupSearches | None:
    """Search all photos as `identify` does; None without a calibration, or if nobody has two photos."""
    people = embedded.people
    if calibration is None or np.bincount(people).max() < 2:
        return None
    identified = identify(embedded, calibration=calibration, replicates=0)
    if not identified.promises:
        return None
    (promise,), roles, mated = identified.promises, identified.split, identified.mated
    is_possible = np.isfinite(identified.non_mated)
    return GroupSearches(
        promise,
        len(roles.gallery),
        people,
        roles.probes,
        (mated.rank > 1) | (mated.mate < promise.threshold),
        roles.searches[is_possible],
        identified.non_mated[is_possible] >= promise.threshold,
    )
