"""Compare ArcID with what users could take instead: the same photos and task, end to end, side by side in one run.

    python benchmarks/peers.py                                   # everything; the first time it takes hours
    python benchmarks/peers.py --photos small group --no-accuracy
    python benchmarks/peers.py --photos --only dlib              # no costs; the accuracy of one contestant

The task: from a file to who is in it, that is decode, detect all faces, embed them, and compare them with two enrolled
people. Every contestant runs on one thread. Its figures are medians over rounds in which all take turns:

- CPU time of its processes, relative to the first contestant, and wall time. The client of the service is not counted.
- Peak resident memory of its processes.
- Accuracy on the pairs of LFW, with a threshold from the other folds, and TMR at FMR 1e-3 over all pairs of their
  photos, with 95 % intervals by person. The largest face counts. A photo without a detected face is an error.

A library that cannot be installed, or whose weights cannot be had, is skipped, and the reason is printed. Results are
kept in the folder of caches; the table at the end has everything that was measured.
"""

import argparse
import datetime as dt
import hashlib
import inspect
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import peer_accuracy
import peer_photos
from peer_environments import CONTESTANTS, Contestant, Unavailable
from peer_processes import Running, cpu_seconds, peak_mib, started
from peer_worker import HAS_DISTANCES, LIBRARIES

from app.config import PROJECT, read_settings
from app.evaluation.protocols import read_lfw
from app.evaluation.values import Pairs

_ROUNDS = {"small": 7, "group": 7, "large-group": 5, "large": 5}
_CACHE = Path("~/.cache/arcid-peers").expanduser()

Result = dict[str, Any]


def measure(kind: str, photos: Sequence[Path], sides: Mapping[str, Running], rounds: int) -> Result:
    """Return for each contestant the CPU and wall seconds of a photo (medians), and the faces that it found."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    faces: dict[str, float] = {}
    for count in range(rounds + 1):
        for name, side in _turned(sides, count):
            before, started_at = cpu_seconds(side.pid), time.perf_counter()
            found = [side.identify(photo) for photo in photos]
            cpu, wall = cpu_seconds(side.pid) - before, time.perf_counter() - started_at
            if count:  # the first round warms up
                spent[name].append((cpu / len(photos), wall / len(photos)))
            faces[name] = sum(found) / len(found)
    return {
        "kind": kind,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "of": {
            name: {
                "cpu": statistics.median(cpu for cpu, _ in spent[name]),
                "wall": statistics.median(wall for _, wall in spent[name]),
                "faces": faces[name],
                "peak": peak_mib(side.pid),
            }
            for name, side in sides.items()
        },
    }


def _turned(sides: Mapping[str, Running], count: int) -> Iterator[tuple[str, Running]]:
    """Yield the contestants, starting with another one in each round."""
    names = list(sides)
    for name in names[count % len(names) :] + names[: count % len(names)]:
        yield name, sides[name]


def costs(options: argparse.Namespace, chosen: Sequence[Contestant]) -> None:
    """Measure what the kinds of photos cost, and keep the results."""
    photos = peer_photos.photos(options.shared, options.cache / "photos")
    people = peer_photos.enrolled(options.cache / "photos")
    for kind in options.photos:
        with ExitStack() as stack:
            sides = {}
            for each in chosen:
                try:
                    sides[each.name] = stack.enter_context(started(each, options.cache, options.data_dir))
                except Unavailable as error:
                    print(f"skipped {each.title}: {error}", file=sys.stderr, flush=True)
            for side in sides.values():
                for photo in people:
                    side.enroll(photo)
            result = measure(kind, photos[kind], sides, options.rounds or _ROUNDS[kind])
        (options.cache / f"cost-{kind}.json").write_text(json.dumps(result, indent=1))
        print_costs(result)


def print_costs(result: Result) -> None:
    """Print one kind of photos."""
    first = next(iter(result["of"].values()))
    print(f"\n{peer_photos.TITLES[result['kind']]} ({result['date']}, {result['commit']})")
    print(f"{'':44}{'CPU':>6}{'wall':>7}{'CPU ms':>9}{'wall ms':>9}{'faces':>7}{'peak MiB':>10}")
    for name, found in result["of"].items():
        ratios = f"{found['cpu'] / first['cpu']:6.2f}{found['wall'] / first['wall']:7.2f}"
        absolute = f"{found['cpu'] * 1e3:9.0f}{found['wall'] * 1e3:9.0f}"
        print(f"{_title(name):44}{ratios}{absolute}{found['faces']:7.1f}{found['peak']:10.0f}", flush=True)


def accuracies(options: argparse.Namespace, chosen: Sequence[Contestant]) -> None:
    """Measure the accuracy of the libraries, and keep the results."""
    pairs = read_lfw(options.shared / "lfw" / "pairs.txt", options.shared / "lfw" / "images")
    if options.pairs is not None:
        pairs = peer_accuracy.sample(pairs, options.pairs)
    for each in chosen:
        if each.is_served:
            continue  # that of the library with the same settings: tests/end_to_end/test_lfw.py compares the answers
        try:
            result = _accuracy_of(each, pairs, options)
        except Unavailable as error:
            print(f"skipped {each.title}: {error}", file=sys.stderr, flush=True)
            continue
        (options.cache / f"accuracy-{each.name}.json").write_text(json.dumps(asdict(result)))


def _accuracy_of(contestant: Contestant, pairs: Pairs, options: argparse.Namespace) -> peer_accuracy.Accuracy:
    def report(done: int, total: int) -> None:
        print(f"{contestant.title}: {done} of {total} photos", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        cached = options.cache / "embeddings" / f"{contestant.name}-{_key(contestant)}.npz"
        vectors = peer_accuracy.embed(
            lambda: stack.enter_context(started(contestant, options.cache, options.data_dir)), pairs, cached, report
        )
    return peer_accuracy.accuracy(vectors, pairs, is_by_distance=contestant.library in HAS_DISTANCES)


def _key(contestant: Contestant) -> str:
    """Return a name for embeddings of exactly this code, packages and settings."""
    parts = [
        *contestant.packages,
        inspect.getsource(LIBRARIES[contestant.library]),
        *sorted(contestant.settings.items()),
    ]
    if contestant.is_ours:
        rooms = ("vision", "recognition/decisions", "wiring", "config")
        files = [path for room in rooms for path in sorted((PROJECT / "app" / room).rglob("*.py"))]
        parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def table(cache: Path) -> str:
    """Return the table of everything that was measured, in Markdown."""
    kinds = [kind for kind in peer_photos.TITLES if (cache / f"cost-{kind}.json").exists()]
    measured = {kind: json.loads((cache / f"cost-{kind}.json").read_text())["of"] for kind in kinds}
    heads = [*(peer_photos.TITLES[kind] for kind in kinds), "peak MiB", "LFW pairs", "TMR at FMR 1e-3", "no face"]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for each in CONTESTANTS:
        cells = [_ratio(measured[kind], each.name) for kind in kinds]
        peaks = [measured[kind][each.name]["peak"] for kind in kinds if each.name in measured[kind]]
        cells += [f"{max(peaks):.0f}" if peaks else "-", *_accuracy_cells(each, cache)]
        if any(cell != "-" for cell in cells):
            lines.append(f"| {each.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(of: Result, name: str) -> str:
    first = next(iter(of.values()))
    return f"{of[name]['cpu'] / first['cpu']:.2f}" if name in of else "-"


def _accuracy_cells(contestant: Contestant, cache: Path) -> list[str]:
    path = cache / f"accuracy-{contestant.name.replace('http-', 'library-')}.json"
    if not path.exists():
        return ["-"] * 3
    found = json.loads(path.read_text())

    def percent(estimate: Result) -> str:
        low, high = estimate["interval"]
        return f"{100 * estimate['value']:.2f} ({100 * low:.2f}-{100 * high:.2f})"

    return [percent(found["pairs"]), percent(found["tmr"]), f"{found['undetected']} of {found['photos']}"]


def _title(name: str) -> str:
    return next(each.title for each in CONTESTANTS if each.name == name)


def _commit() -> str:
    command = ["git", "-C", str(PROJECT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=PROJECT.parent / "shared", help="folder with lfw and london")
    parser.add_argument("--cache", type=Path, default=_CACHE, help="folder of environments, weights and results")
    parser.add_argument("--photos", nargs="*", choices=list(_ROUNDS), default=list(_ROUNDS), help="kinds of photos")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(each.name for each in CONTESTANTS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--pairs", type=int, help="a sample of so many pairs for the accuracy; default: all of them")
    parser.add_argument("--no-accuracy", action="store_true")
    options = parser.parse_args()
    options.data_dir = Path(read_settings().data_dir).resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in CONTESTANTS if options.only is None or each.name in options.only]
    costs(options, chosen)
    if not options.no_accuracy and (options.shared / "lfw" / "pairs.txt").exists():
        accuracies(options, chosen)
    print(f"\n{table(options.cache)}")


if __name__ == "__main__":
    main()
