"""Measure the health check: plant duplicates and wrong-person photos among real people, and count the findings.

    arcid evaluate identification --images people/ --out report/ --bootstrap 0 --save-embeddings people.npz
    python benchmarks/gallery_health.py people.npz --seeds 5

The people are split into two halves. The first half gives the calibration, the second is measured.

The first part measures how often a photo is flagged among so many photos of a person: another photo of this person,
that of a look-alike, and that of any stranger.

The second part builds galleries in a database and an index like the service's. In each, one person in 28 is split into
two identities, and as many identities get a photo of another person. Half of these other people are enrolled with other
photos. Prints precision and recall of the findings, and how often an enrollment with all photos of an identity names
another person. The galleries are written to the temporary folder; set TMPDIR to one in memory.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import read_settings
from app.gallery.gallery import Gallery
from app.gallery.index_projection import Projection
from app.gallery.store.identities import IdentityStore
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.values import Collection, NewFace, Person
from app.observability import logs
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin, scoring_of
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.policy import Policy
from app.recognition.duplicates import find_duplicates
from app.recognition.health.check import HealthService
from app.recognition.health.findings import Findings
from app.recognition.identity_consistency import assess_consistency
from app.types import Detection, Floats
from app.vision.quality import Quality
from app.wiring.projections import Projections
from app.wiring.storage import open_database

_PEOPLE_FOR_A_FAULT = 28  # 50 of each kind among the 1,418 people of half of the project's photos of LFW
_OWN = (1, 2, 3, 5, 8)
_STRANGERS, _RESAMPLES = 300, 200
_SURE = 1e-8  # false match rate at which a pair is one person under two names
_DETECTION = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Photos:
    """Unit vectors (n, d), qualities, norms and people of photos (n,)."""

    vectors: Floats
    qualities: Floats
    norms: Floats
    people: NDArray[np.str_]

    def only(self, is_kept: NDArray[np.bool_]) -> "Photos":
        """Return a selection."""
        return Photos(self.vectors[is_kept], self.qualities[is_kept], self.norms[is_kept], self.people[is_kept])

    def of_people(self) -> dict[str, Places]:
        """Return the positions of each person's photos."""
        return {str(name): np.flatnonzero(self.people == name) for name in np.unique(self.people)}


@dataclass
class Planted:
    """A gallery: positions of photos by identity, the planted faults, and the true person of each photo."""

    identities: dict[str, list[int]]
    split: set[frozenset[str]] = field(default_factory=set)
    known: dict[int, str] = field(default_factory=dict)
    """Planted photos of enrolled people, with their identities."""
    unknown: set[int] = field(default_factory=set)


def read(file: Path) -> Photos:
    """Read a file of `arcid evaluate --save-embeddings`."""
    saved = np.load(file)
    raw = saved["embeddings"]
    people = np.array([Path(each).parent.name for each in saved["files"].tolist()], np.str_)
    return Photos(raw / np.linalg.norm(raw, axis=1, keepdims=True), saved["quality"], saved["norms"], people)


def halves(photos: Photos) -> tuple[Photos, Photos]:
    """Split the people at random."""
    names = np.random.default_rng(1).permutation(np.unique(photos.people))
    is_first = np.isin(photos.people, names[: len(names) // 2])
    return photos.only(is_first), photos.only(~is_first)


def rule(photos: Photos, policy: Policy) -> None:
    """Print how often the photos of a person are flagged, alone and with a look-alike's photo among them."""
    groups = photos.of_people()
    print("\nphotos flagged, with 95 % intervals (people resampled)")
    for own in _OWN:
        rng = np.random.default_rng(0)
        flagged: dict[str, list[tuple[float, float, float]]] = {}
        for name, places in groups.items():
            for _ in range(min(len(places), 20) if len(places) > own else 0):
                drawn = rng.permutation(places)
                core, extra = drawn[:own], drawn[own]
                strangers = rng.choice(np.flatnonzero(photos.people != name), _STRANGERS, replace=False)
                nearest = strangers[(photos.vectors[strangers] @ photos.vectors[core].sum(axis=0)).argmax()]
                added = (extra, nearest, strangers[0])
                one, other, third = (is_flagged(photos, core, each, policy) for each in added)
                flagged.setdefault(name, []).append((one, other, third))
        people = [np.mean(each, axis=0) for each in flagged.values()]
        weights = np.array([len(each) for each in flagged.values()], np.float64)
        shares = resampled(np.array(people), weights)
        labels = ("another photo of the person", f"nearest of {_STRANGERS} strangers", "any stranger")
        print(f"  added to {own} photos ({len(people)} people, {int(weights.sum())} draws):")
        for label, (mean, low, high) in zip(labels, shares, strict=True):
            print(f"    {label:<28} {mean:.2%} [{low:.2%}, {high:.2%}]")


def is_flagged(photos: Photos, core: Places, added: int, policy: Policy) -> bool:
    """Return whether a photo does not fit if it is enrolled with others; of two unlike photos, both are flagged."""
    places = np.append(core, added)
    found = assess_consistency(photos.vectors[places], photos.qualities[places], policy)
    return not found.fits[-1] or not found.is_majority


def resampled(shares: NDArray[np.float64], weights: NDArray[np.float64]) -> list[tuple[float, float, float]]:
    """Return the weighted mean of the shares of people (n, k), and its 95 % interval, for each of k figures."""
    draws = np.random.default_rng(0).integers(len(weights), size=(_RESAMPLES, len(weights)))
    means = [(weights[each] @ shares[each]) / weights[each].sum() for each in draws]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return list(zip((weights @ shares) / weights.sum(), low, high, strict=True))


def planted(photos: Photos, seed: int, size: int | None, most: int | None) -> Planted:
    """Return a gallery of all people, or `size` of them, with planted faults; one person in 28 is split.

    With `most`, each identity gets a random number of photos up to it.
    """
    rng = np.random.default_rng(seed)
    people = {name: rng.permutation(places).tolist() for name, places in photos.of_people().items()}
    people = {str(name): people[name] for name in rng.permutation(list(people))[:size]}
    count = len(people) // _PEOPLE_FOR_A_FAULT
    several = rng.permutation([name for name, places in people.items() if len(places) > 1]).tolist()
    single = rng.permutation([name for name, places in people.items() if len(places) == 1]).tolist()
    made = Planted(people)
    limit = most or len(photos.people)
    for name in several[:count]:
        people[name] = people[name][: 2 * limit]
        at = int(rng.integers(max(1, len(people[name]) - limit), min(limit, len(people[name]) - 1) + 1))
        people[f"{name} again"] = people[name][at:]
        del people[name][at:]
        made.split.add(frozenset((name, f"{name} again")))
    for name in several[count:] if most else ():
        people[name] = people[name][: max(int(rng.integers(limit + 1)), 2)]  # two, so that each can give one
    givers, takers = several[count : count + count // 2], several[count + count // 2 :][:count]
    for giver, taker in zip(givers, takers, strict=False):
        photo = people[giver].pop()
        people[taker].append(photo)
        made.known[photo] = giver
    for giver, taker in zip(single[: count // 2], takers[count // 2 :], strict=False):
        (photo,) = people.pop(giver)
        people[taker].append(photo)
        made.unknown.add(photo)
    return made


@contextmanager
def service(photos: Photos, gallery_of: Planted, policy: Policy) -> Iterator[tuple[Gallery, HealthService]]:
    """Enroll the gallery and yield it with its health check; the id of a face is the position of its photo."""
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(data_dir=Path(folder), models_dir=read_settings().models_dir, database_url=None)
        with open_database(settings) as database:
            database.schema.upgrade()
            store = IdentityStore(database.engine, database.vault)
            projections, opened = Projections(settings, database), []

            def new(collection: Collection) -> Projection:
                opened.append(projections.new(collection))
                return opened[-1]

            gallery = Gallery(store, new, model="benchmark", dimension=photos.vectors.shape[1])
            gallery.ensure("people")
            target = gallery.require("people")
            for identity_id, places in gallery_of.identities.items():
                faces = [
                    NewFace(
                        str(place),
                        photos.vectors[place],
                        float(photos.norms[place]),
                        Quality(float(photos.qualities[place])),
                        _DETECTION,
                        "0" * 64,
                    )
                    for place in places
                ]
                store.enroll(target, Person(identity_id), faces)
            try:
                yield gallery, HealthService(gallery, IdentityPages(database.engine, store), lambda _: policy)
            finally:
                for each in opened:
                    each.close()


def checked(health: HealthService, max_fpir: float | None) -> Findings:
    """Read all pages."""
    every, after = Findings(0, 0), 0
    while True:
        page = health.check("people", after=after, max_fpir=max_fpir)
        every.pairs.extend(page.pairs)
        every.foreign.extend(page.foreign)
        every.poor.extend(page.poor)
        if page.after is None:
            return every
        after = page.after


def count(truth: Planted, findings: Findings, sure: float) -> Counter[str]:
    """Count found, missed and false findings; pairs of at least the similarity `sure` are one person in truth."""
    counts: Counter[str] = Counter()
    pairs = {frozenset((pair.first.identity_id, pair.second.identity_id)): pair.similarity for pair in findings.pairs}
    assert len(pairs) == len(findings.pairs), "a pair was reported twice"  # noqa: S101 - a benchmark
    counts["pairs planted"] = len(truth.split)
    counts["pairs found"] = len(truth.split & set(pairs))
    counts["pairs reported"] = len(pairs)
    counts["pairs not planted, sure"] = sum(
        similarity >= sure for pair, similarity in pairs.items() if pair not in truth.split
    )
    wrongly = [pair for pair, similarity in pairs.items() if pair not in truth.split and similarity < sure]
    counts["people paired wrongly"], counts["people"] = len(set().union(*wrongly)), len(truth.identities)
    foreign = {int(face.face_id): face for face in findings.foreign}
    decided = {place for place, finding in foreign.items() if not finding.is_undecided}
    wrong = truth.unknown | set(truth.known)
    owners = {place: name for name, places in truth.identities.items() for place in places}
    hurt = {owners[place] for place in wrong}
    named = {owners[place] for place in foreign}
    counts["foreign planted"], counts["foreign reported"] = len(wrong), len(foreign)
    counts["foreign found"] = len(wrong & set(foreign))
    counts["decided reported"], counts["decided found"] = len(decided), len(wrong & decided)
    counts["known planted"] = len(truth.known)
    counts["owner named"] = sum(
        (alike := foreign[place].looks_like) is not None and alike.person.identity_id == owner
        for place, owner in truth.known.items()
        if place in foreign
    )
    counts["identities named"], counts["identities hurt"] = len(named), len(hurt)
    counts["identities found"] = len(named & hurt)
    counts["identities not planted that look like others"] = len(
        {owners[place] for place in decided - wrong if foreign[place].looks_like is not None}
    )
    counts["poor"] = len(findings.poor)
    return counts


def enrolled(photos: Photos, truth: Planted, gallery: Gallery, policy: Policy) -> Counter[str]:
    """Count the people for whom an enrollment with all their photos would have named another person."""
    counts: Counter[str] = Counter()
    wrong, target = truth.unknown | set(truth.known), gallery.require("people")
    again = {name for pair in truth.split for name in pair}
    for name, places in truth.identities.items():
        if wrong & set(places):
            continue
        vectors = policy.scoring.vectors(photos.vectors[places], photos.norms[places])
        named = find_duplicates(
            gallery,
            target,
            policy,
            identity_id=name,
            vectors=vectors,
            qualities=photos.qualities[places],
            photos=range(len(places)),
        )
        kind = "again" if name in again else "once"
        counts[f"enrolled {kind}"] += 1
        counts[f"named for {kind}"] += bool(named)
    return counts


def share(part: int, of: int) -> str:
    """Return a share as text."""
    return f"{part}/{of} = {part / of:.1%}" if of else "none"


def print_totals(total: Counter[str]) -> None:
    """Print precision, recall and other shares from the counts of all galleries."""
    pairs, foreign = total["pairs found"], total["foreign found"]
    print(f"  pairs: precision {share(pairs, total['pairs reported'])}, recall {share(pairs, total['pairs planted'])}")
    sure = total["pairs not planted, sure"]
    print(f"    reported though not planted, but at an FMR below {_SURE:g}: {sure}")
    print(f"    without these: precision {share(pairs, total['pairs reported'] - sure)}")
    print(f"    people paired wrongly, without these: {share(total['people paired wrongly'], total['people'])}")
    print(
        f"  wrong-person photos: precision {share(foreign, total['foreign reported'])}, "
        f"recall {share(foreign, total['foreign planted'])}"
    )
    decided = total["decided found"]
    print(f"    those that are decided: precision {share(decided, total['decided reported'])}, {decided} found")
    print(
        f"    identities with one: precision {share(total['identities found'], total['identities named'])}, "
        f"recall {share(total['identities found'], total['identities hurt'])}"
    )
    print(f"    their person named correctly: {share(total['owner named'], total['known planted'])}")
    print(f"    not planted, but similar to another person: {total['identities not planted that look like others']}")
    print(f"  low-quality faces: {total['poor']}")
    print("  an enrollment names another person:")
    print(f"    of people with two identities {share(total['named for again'], total['enrolled again'])}")
    print(f"    of people with one {share(total['named for once'], total['enrolled once'])}")


def main() -> None:
    """Read the options, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--people", type=int, help="size of the galleries; default: all people of the half")
    parser.add_argument("--photos", type=int, help="most photos of an identity; default: all")
    parser.add_argument("--max-fpir", type=float, default=None, help="instead of the check's default")
    options = parser.parse_args()
    logs.configure(is_json=False, level="WARNING")
    fitted_on, others = halves(read(options.embeddings))
    origin = CalibrationOrigin("", "benchmark", "", is_flip_averaged=True, people=0, faces=0, pairs=0, source="")
    calibration: Calibration = calibrate(fitted_on.vectors, fitted_on.people.tolist(), origin, norms=fitted_on.norms)
    policy = Policy(calibration, 0.5, 0.2, scoring=scoring_of(calibration))
    rule(replace(others, vectors=policy.scoring.vectors(others.vectors, others.norms)), policy)

    total: Counter[str] = Counter()
    for seed in range(options.seeds):
        truth = planted(others, seed, options.people, options.photos)
        with service(others, truth, policy) as (gallery, health):
            total += count(truth, checked(health, options.max_fpir), calibration.threshold(_SURE))
            total += enrolled(others, truth, gallery, policy)
    print(f"\n{len(truth.identities)} identities, {len(others.vectors)} photos, {options.seeds} galleries")
    print_totals(total)


if __name__ == "__main__":
    main()
