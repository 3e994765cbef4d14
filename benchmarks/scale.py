"""Compare search by gallery size: our index, exact FAISS and others, in one run.

python benchmarks/scale.py --rows 10000,100000,1000000 --dimension 512 --out scale.json

Faces are synthetic: five templates per identity, at cosine 0.6 to each other. Impostors have the distribution of
ArcFace-type embeddings (standard deviation of their cosine 0.059 at 512-d, 0.107 at 128-d). Probes are further images
of enrolled people, at cosine 0.6 to their templates, and hard ones at 0.4. Recall considers the probes for which exact
search finds the right person first; it is the share for which the index does, too. Ratios to exact search and to the
memory bandwidth mean more than milliseconds, which depend on the machine.
"""

import argparse
import gc
import importlib
import importlib.util
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.storage.codec import TRAINING_ROWS
from app.gallery.index.storage.nearest import Nearest
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.types import Floats, Keys

_IMAGES = 5
_IDENTITIES_AT_ONCE = 10_000
_MATED, _HARD = 0.6, 0.4
_SPREAD = {128: 0.107, 512: 0.059}
_PROBES = 200
_ORIGIN = SnapshotOrigin("synthetic", "scale")

Search = Callable[[Floats, int], Keys]


class Faces:
    """Templates and probes of synthetic people, with a fixed seed; key // 5 is the person."""

    def __init__(self, dimension: int, rows: int) -> None:
        self.dimension = dimension
        self.identities = rows // _IMAGES
        exponent = _exponent(dimension, _SPREAD[dimension])
        variances = np.arange(1, dimension + 1) ** -exponent
        rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(dimension, dimension)))[0]
        self._shape = np.asarray(np.sqrt(variances / variances.sum())[:, None] * rotation, np.float32)

    def blocks(self) -> Iterator[tuple[Keys, Floats]]:
        """Yield all templates: keys (n,) and unit vectors (n, d)."""
        for first in range(0, self.identities, _IDENTITIES_AT_ONCE):
            people = min(_IDENTITIES_AT_ONCE, self.identities - first)
            centres, rng = self._centres(first, people)
            own = rng.standard_normal((people * _IMAGES, self.dimension), np.float32)
            mixed = np.float32(np.sqrt(_MATED)) * np.repeat(centres, _IMAGES, 0) + np.float32(np.sqrt(1 - _MATED)) * own
            yield np.arange(first * _IMAGES, (first + people) * _IMAGES), self._units(mixed)

    def probes(self, cosine: float) -> tuple[Keys, Floats]:
        """Return people (n,) from all over the gallery and one probe (n, d) of each."""
        starts = range(0, self.identities, _IDENTITIES_AT_ONCE)
        each = -(-_PROBES // len(starts))
        people = np.concatenate([np.arange(first, min(first + each, self.identities)) for first in starts])
        centres = np.concatenate([self._centres(first, min(each, self.identities - first))[0] for first in starts])
        share = np.float32(cosine / np.sqrt(_MATED))
        own = np.random.default_rng(7).standard_normal(centres.shape, np.float32)
        order = np.random.default_rng(8).permutation(len(people))[:_PROBES]
        return people[order], self._units((share * centres + np.sqrt(1 - share**2) * own)[order])

    def _centres(self, first: int, people: int) -> tuple[Floats, np.random.Generator]:
        rng = np.random.default_rng([1, first])
        return rng.standard_normal((people, self.dimension), np.float32), rng

    def _units(self, raw: Floats) -> Floats:
        vectors = raw @ self._shape
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _exponent(dimension: int, spread: float) -> float:
    """Return the power law whose random unit vectors have cosines of this standard deviation."""
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        variances = np.arange(1, dimension + 1) ** -middle
        wide = np.sqrt((variances**2).sum()) / variances.sum() > spread
        low, high = (low, middle) if wide else (middle, high)
    return low


@dataclass(frozen=True, slots=True)
class Probes:
    """Probes and their results in exact search."""

    people: Keys
    vectors: Floats
    best: Keys

    def recall(self, search: Search) -> float:
        """Return the share of probes found among those that exact search finds."""
        right = self.best // _IMAGES == self.people
        result = search(self.vectors, 1)[:, 0] // _IMAGES
        return float((result == self.people)[right].mean()) if right.any() else 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One index at one size."""

    index: str
    rows: int
    dimension: int
    p50_ms: float
    recall: float
    hard_recall: float
    memory_mib: float
    batch_ms: float
    """For each probe of a batch of 16."""
    build_s: float = 0.0
    add_per_second: float = 0.0
    add_one_ms: float = 0.0
    remove_one_ms: float = 0.0
    save_s: float = 0.0
    save_again_s: float = 0.0
    cold_start_s: float = 0.0


def resident_mib() -> float:
    """Return this process's resident memory in MiB."""
    gc.collect()
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def p50_ms(act: Callable[[int], object], rounds: int) -> float:
    """Return the median milliseconds of act(0), act(1), ..."""
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        act(number)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def seconds(act: Callable[[], object]) -> float:
    """Return the time of one call."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def bandwidth() -> float:
    """Return the memory bandwidth of all cores in GB per second, the best of ten."""
    cores = len(os.sched_getaffinity(0))
    parts = np.array_split(np.ones(1 << 27, np.int64), cores)
    with ThreadPoolExecutor(cores) as pool:
        return max((8 << 27) / 1e9 / seconds(lambda: list(pool.map(np.sum, parts))) for _ in range(10))


def truth(faces: Faces) -> list[Probes]:
    """Return normal and hard probes with their exact answers, computed block by block."""
    probes = [faces.probes(cosine) for cosine in (_MATED, _HARD)]
    nearest = [Nearest(len(people), 1) for people, _ in probes]
    for keys, vectors in faces.blocks():
        stored = vectors.astype(np.float16).astype(np.float32)
        for (_, probe_vectors), best in zip(probes, nearest, strict=True):
            best.offer(probe_vectors @ stored.T, keys)
    return [
        Probes(people, vectors, best.best()[1][:, 0]) for (people, vectors), best in zip(probes, nearest, strict=True)
    ]


def searched(name: str, faces: Faces, sets: list[Probes], search: Search, memory: float, **more: float) -> Figures:
    """Measure the searches of an index."""
    normal, hard = sets
    rounds = 100 if faces.identities > 100_000 else 400
    search(normal.vectors[:2], 5)
    return Figures(
        index=name,
        rows=faces.identities * _IMAGES,
        dimension=faces.dimension,
        p50_ms=p50_ms(lambda number: search(normal.vectors[number % _PROBES][None], 5), rounds),
        recall=normal.recall(search),
        hard_recall=hard.recall(search),
        memory_mib=memory,
        batch_ms=p50_ms(lambda number: search(normal.vectors[number : number + 16], 5), 10) / 16,
        **more,
    )


def exact(faces: Faces, sets: list[Probes]) -> Figures:
    """Measure FAISS's flat index with one thread, as in a service with concurrent requests."""
    before = resident_mib()
    index: Any = faiss.IndexFlatIP(faces.dimension)
    adding = 0.0
    for _, vectors in faces.blocks():
        adding += seconds(partial(index.add, vectors))
    rows = faces.identities * _IMAGES
    faiss.omp_set_num_threads(1)

    def search(vectors: Floats, k: int) -> Keys:
        return np.asarray(index.search(vectors, k)[1], np.int64)

    return searched("exact", faces, sets, search, resident_mib() - before, add_per_second=rows / adding)


def ours(faces: Faces, sets: list[Probes], folder: Path, groups: int | None) -> Figures:
    """Measure the compressed index, with additions, removals and snapshots."""
    figures = _measured(faces, sets, folder, CompressedIndex(faces.dimension, groups=groups))
    gc.collect()
    _drop_from_cache(folder)
    loaded = CompressedIndex(faces.dimension, groups=groups)
    cold = seconds(lambda: (loaded.load(folder, _ORIGIN), loaded.search(sets[0].vectors[:1], 5)))
    if loaded.count() != figures.rows:
        raise SystemExit("the snapshot did not give back what was saved")
    return replace(figures, cold_start_s=cold)


def _measured(faces: Faces, sets: list[Probes], folder: Path, index: CompressedIndex) -> Figures:
    before = resident_mib()
    adding, building = 0.0, 0.0
    for keys, vectors in faces.blocks():
        if not index.count():
            building = seconds(partial(index.train, vectors[:TRAINING_ROWS]))
        for first in range(0, len(keys), 1000):
            part = slice(first, first + 1000)
            adding += seconds(partial(index.add, keys[part], vectors[part]))
    memory, rows = resident_mib() - before, index.count()
    result = searched("ours", faces, sets, lambda vectors, k: index.search(vectors, k)[1], memory)
    new = rows + np.arange(400)
    add_one = p50_ms(lambda number: index.add(new[number : number + 1], sets[0].vectors[number % _PROBES][None]), 400)
    save = seconds(lambda: index.save(folder, _ORIGIN, 1))
    remove_one = p50_ms(lambda number: index.remove(new[number : number + 1]), 400)
    again = seconds(lambda: index.save(folder, _ORIGIN, 2))
    return replace(
        result,
        build_s=building,
        add_per_second=rows / adding,
        add_one_ms=add_one,
        remove_one_ms=remove_one,
        save_s=save,
        save_again_s=again,
    )


def _drop_from_cache(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def usearch(faces: Faces, sets: list[Probes]) -> Figures:
    """Measure usearch's graph (HNSW, float16) with its own defaults for building and 128 candidates."""
    before = resident_mib()
    index: Any = importlib.import_module("usearch.index").Index(
        ndim=faces.dimension, metric="ip", dtype="f16", expansion_search=128
    )
    building = sum(seconds(partial(index.add, keys, vectors)) for keys, vectors in faces.blocks())

    def search(vectors: Floats, k: int) -> Keys:
        result = np.asarray(index.search(vectors, k).keys)
        return result.reshape(len(vectors), -1).astype(np.int64)

    rows = faces.identities * _IMAGES
    memory = resident_mib() - before
    return searched("usearch", faces, sets, search, memory, build_s=building, add_per_second=rows / building)


def at_size(rows: int, options: argparse.Namespace, folder: Path) -> list[Figures]:
    """Measure everything at one size."""
    faces = Faces(options.dimension, rows)
    sets = truth(faces)
    figures = []
    if rows <= options.exact_rows:
        figures.append(exact(faces, sets))
    figures.append(ours(faces, sets, folder, options.groups))
    if importlib.util.find_spec("usearch") is None:
        print("usearch: not installed, skipped")
    elif rows > options.graph_rows:
        print(f"usearch: skipped beyond {options.graph_rows} rows, a graph takes too long to build (--graph-rows)")
    else:
        figures.append(usearch(faces, sets))
    return figures


def show(figures: list[Figures], speed: float) -> None:
    """Print one size."""
    base = next((each.p50_ms for each in figures if each.index == "exact"), None)
    rows, dimension = figures[0].rows, figures[0].dimension
    limit = rows * dimension * 4 / speed / 1e6
    print(f"\n{rows} x {dimension}; reading float32 rows once takes {limit:.2f} ms at {speed:.0f} GB/s")
    for each in figures:
        ratio = f"{base / each.p50_ms:.1f}x exact, " if base else ""
        print(
            f"{each.index:8} p50 {each.p50_ms:.2f} ms ({ratio}{limit / each.p50_ms:.1f}x the limit), "
            f"{each.batch_ms:.2f} ms in a batch, recall {each.recall:.3f} hard {each.hard_recall:.3f}, "
            f"{each.memory_mib:.0f} MiB, add {each.add_per_second:.0f}/s one {each.add_one_ms:.2f} ms, "
            f"remove {each.remove_one_ms:.2f} ms, train {each.build_s:.1f} s, "
            f"save {each.save_s:.1f} s again {each.save_again_s:.2f} s, cold start {each.cold_start_s:.1f} s",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000,1000000", help="sizes, separated by commas")
    parser.add_argument("--dimension", type=int, default=512, choices=sorted(_SPREAD))
    parser.add_argument("--groups", type=int, help="groups of the codes (bytes x 2), instead of the default")
    parser.add_argument(
        "--exact-rows", type=int, default=1_000_000, help="skip the exact index (float32) above this size"
    )
    parser.add_argument("--graph-rows", type=int, default=100_000, help="skip the graph index above this size")
    parser.add_argument("--folder", type=Path, help="folder for temporary snapshots")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    speed, results = bandwidth(), []
    for rows in map(int, options.rows.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="arcid-scale-", dir=options.folder))
        try:
            figures = at_size(rows, options, folder)
        finally:
            shutil.rmtree(folder)
        show(figures, speed)
        results += [asdict(each) for each in figures]
    if options.out:
        options.out.write_text(json.dumps({"gigabytes_per_second": speed, "figures": results}, indent=1))


if __name__ == "__main__":
    main()
