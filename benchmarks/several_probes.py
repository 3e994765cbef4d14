"""Measure searches by several photos of one probe: misses, false matches, and probes that mix two people.

    arcid evaluate identification --images people/ --out report/ --bootstrap 0 --save-embeddings people.npz
    python benchmarks/several_probes.py people.npz

One half of the people gives the calibration, the other is measured, and then the reverse. Half of the measured people
are enrolled with one photo each, of sufficient quality for the service; the others are strangers. Prints FNIR and the
observed FPIR at the thresholds of the service for FPIR 1 %, with 95 % intervals (people resampled). People with k + 1
photos are searched by k of them. For comparison, the same people are searched by one photo.

A mixed probe has photos of an enrolled person and of a stranger. Prints how often it matches the enrolled person
(verdict `match` of /verify at FMR 1e-4): averaged without a check, and as the service does. A look-alike is the
most similar of 300 strangers.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from template_rates import People

from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Policy
from app.recognition.probe_fusion import FusedProbe, fuse

_PROBES = (1, 2, 3, 5, 10)
_MIXTURES = ((1, 1), (2, 1), (1, 2), (2, 2), (1, 4))  # photos of the enrolled person, of the stranger
_FPIR, _FMR = 0.01, 1e-4
_ENROLL_QUALITY, _PROBE_QUALITY = 0.25, 0.2
_RESAMPLES = 1000
_LOOK_ALIKES = 300

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Tally:
    """Searches by person: numbers of people (n,), and whether each search counts (n,)."""

    people: list[int]
    hits: list[bool]

    def add(self, person: int, *, is_hit: bool) -> None:
        """Count a search."""
        self.people.append(person)
        self.hits.append(is_hit)

    def __str__(self) -> str:
        """Return the share of the hits with its interval."""
        if not self.people:
            return "nobody"
        _, person = np.unique(self.people, return_inverse=True)
        counts, hits = np.bincount(person), np.bincount(person, self.hits)
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(counts), size=(_RESAMPLES, len(counts)))
        low, high = np.quantile(hits[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
        return f"{hits.sum() / counts.sum():6.2%} [{low:.2%}, {high:.2%}]"


class Gallery:
    """Half of the measured people, one random photo each; the policy is from people who are not measured."""

    def __init__(self, people: People, policy: Policy, measured: Places, rng: np.random.Generator) -> None:
        order = rng.permutation(measured)
        self.people, self.policy, self.rng = people, policy, rng
        first, self.strangers = np.split(order, [len(order) // 2])
        good = {each: places[people.qualities[places] >= _ENROLL_QUALITY] for each, places in enumerate(people.places)}
        self.enrolled = np.array([each for each in first if len(good[each])])
        self.photos = [int(rng.choice(good[each])) for each in self.enrolled]
        self.templates = people.vectors[self.photos]

    def probe(self, places: Places) -> FusedProbe:
        """Return the probe of some photos."""
        return fuse(self.people.vectors[places], self.people.qualities[places], self.policy)

    def search(self, probe: FusedProbe) -> tuple[int, bool]:
        """Return the place of the first candidate, and whether it reaches the threshold for FPIR 1 %."""
        scores = np.clip(self.templates @ probe.vector, -1, 1)
        comparisons = comparisons_among(len(self.photos), len(self.photos), len(probe.used))
        best = int(scores.argmax())
        return best, bool(scores[best] >= self.policy.for_identification(comparisons, max_fpir=_FPIR).threshold)

    def others(self, place: int) -> Places:
        """Return the photos of an enrolled person that are not enrolled, in random order."""
        photos = self.people.places[self.enrolled[place]]
        return self.rng.permutation(photos[photos != self.photos[place]])

    def count(self, size: int, tallies: dict[str, Tally]) -> None:
        """Count the searches by `size` photos."""
        for place, person in enumerate(self.enrolled):
            photos = self.others(place)
            if len(photos) >= size:
                for name, part in (("missed", photos[:size]), ("missed by one photo", photos[:1])):
                    probe = self.probe(part)
                    best, is_match = self.search(probe)
                    tallies[name].add(int(person), is_hit=best != place or not is_match or not probe.is_agreed)
                tallies["not agreed"].add(int(person), is_hit=not self.probe(photos[:size]).is_agreed)
        for person in self.strangers:
            if len(self.people.places[person]) >= size:
                photos = self.rng.permutation(self.people.places[person])[:size]
                tallies["FPIR"].add(int(person), is_hit=self.search(self.probe(photos))[1])
                tallies["FPIR of one photo"].add(int(person), is_hit=self.search(self.probe(photos[:1]))[1])

    def mix(self, own: int, foreign: int, tallies: dict[str, Tally], *, is_look_alike: bool) -> None:
        """Count matches of probes with photos of an enrolled person and of a stranger."""
        strangers = [each for each in self.strangers if len(self.people.places[each]) >= foreign]
        for place, person in enumerate(self.enrolled):
            photos = self.others(place)
            if len(photos) < own:
                continue
            stranger = self.rng.choice(strangers)
            if is_look_alike:
                drawn = self.rng.permutation(strangers)[:_LOOK_ALIKES]
                firsts = [self.people.places[each][0] for each in drawn]
                stranger = drawn[int((self.people.vectors[firsts] @ self.templates[place]).argmax())]
            mixed = np.concatenate([photos[:own], self.rng.permutation(self.people.places[stranger])[:foreign]])
            average = template_of(self.people.vectors[mixed], self.people.qualities[mixed])
            probe = self.probe(mixed)
            cases = (("averaged", average, own + foreign), ("checked", probe.vector, len(probe.used)))
            for name, vector, size in cases:
                rule = self.policy.for_verification(1, size, max_fmr=_FMR)
                is_match = float(self.templates[place] @ vector) >= rule.doubt_to
                is_match &= name == "averaged" or probe.is_agreed
                tallies[name].add(int(person), is_hit=bool(is_match))


def galleries(people: People, rounds: int) -> list[Gallery]:
    """Return random galleries of each half of the people, with the calibration of the other half."""
    rng = np.random.default_rng(0)
    half = rng.permutation(len(people.places)) < len(people.places) // 2
    found = []
    for is_measured in (half, ~half):
        calibration = people.calibration(~is_measured)
        scored = people.scored(calibration)
        policy = Policy(calibration, 0.5, _PROBE_QUALITY)
        found += [Gallery(scored, policy, np.flatnonzero(is_measured), rng) for _ in range(rounds)]
    return found


def print_row(label: str, names: Sequence[str], tallies: dict[str, Tally]) -> None:
    """Print a row."""
    print(f"{label:<28}" + "  ".join(f"{name} {tallies[name]}" for name in names))


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    drawn = galleries(People(options.embeddings), options.rounds)
    for size in _PROBES:
        tallies = {
            name: Tally([], []) for name in ("missed", "missed by one photo", "not agreed", "FPIR", "FPIR of one photo")
        }
        for gallery in drawn:
            gallery.count(size, tallies)
        people = len(set(tallies["missed"].people))
        print_row(f"{size} photos, {people} people:", list(tallies), tallies)
    for own, foreign in _MIXTURES:
        for is_look_alike in (False, True):
            tallies = {name: Tally([], []) for name in ("averaged", "checked")}
            for gallery in drawn:
                gallery.mix(own, foreign, tallies, is_look_alike=is_look_alike)
            other = "a look-alike" if is_look_alike else "a stranger"
            print_row(f"{own} own, {foreign} of {other}:", list(tallies), tallies)


if __name__ == "__main__":
    main()
