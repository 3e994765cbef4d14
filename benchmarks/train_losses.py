"""Compare margin losses with the same small network, people, seed and schedule, on unseen people.

python benchmarks/train_losses.py --images ../shared/lfw/images --pairs ../shared/lfw/pairs.txt --out runs/

The last fold of the pairs is the verification set. The training data are the people with two photos or more who do not
occur in its pairs. The pairs are split into ten parts; each is decided with the best threshold of the others. Prints
a table for docs/training.md. With so few photos, all losses stay far below pretrained networks.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PARTS = 10
_HEAD = """| loss | accuracy | EER | TAR at FAR 1e-3 | loss at the end | processor minutes |
|---|---|---|---|---|---|"""
LOSSES = ("softmax", "sphereface", "cosface", "arcface")
KEYS = {
    "backbone.name": '"iresnet18"',
    "data.least_photos": "2",
    "machine.amp": '"bf16"',
    "machine.channels_last": "true",
    "machine.threads": "1",
    "schedule.warm_up": "1",
    "keeping.log_every": "50",
}


def last_fold(pairs: Path) -> tuple[list[str], list[str]]:
    """Return the lines of the matched and of the mismatched pairs of the last fold of a file in LFW's format."""
    header, *lines = pairs.read_text("utf-8").splitlines()
    _, each = map(int, header.split())
    return lines[-2 * each : -each], lines[-each:]


def people_of(lines: list[str]) -> set[str]:
    """Return the people of a line: name, n, m or name, n, name, m."""
    return {name for line in lines for name in line.split("\t") if not name.isdecimal()}


def prepare(images: Path, pairs: Path, out: Path) -> tuple[Path, Path]:
    """Link the photos of the training people and the verification set into folders; return both."""
    same, different = last_fold(pairs)
    judged = people_of(same + different)
    people = out / "people"
    people.mkdir(parents=True, exist_ok=True)
    for folder in sorted(images.iterdir()):
        link = people / folder.name
        if folder.name not in judged and not link.exists():
            link.symlink_to(folder.resolve())
    each = len(same) // PARTS
    parts = (same[at : at + each] + different[at : at + each] for at in range(0, PARTS * each, each))
    unseen = out / "unseen.txt"
    unseen.write_text("\n".join([f"{PARTS}\t{each}", *(line for part in parts for line in part)]) + "\n", "utf-8")
    return people, unseen


def trained(loss: str, *, people: Path, unseen: Path, options: argparse.Namespace) -> str:
    """Train with one loss and return its row."""
    folder = options.out / loss
    keys = {
        **KEYS,
        "backbone.width": str(options.width),
        "backbone.dimension": str(options.dimension),
        "schedule.learning_rate": str(options.learning_rate),
        "seed": "1",
        "evaluation.sets": f'[{{name = "unseen", pairs = "{unseen}", images = "{options.images}"}}]',
        **dict(assignment.split("=", 1) for assignment in options.set),
    }
    assignments = [word for name, value in keys.items() for word in ("--set", f"{name}={value}")]
    command = [
        *(str(Path(sys.executable).with_name("arcid")), "train", "--data", str(people), "--loss", loss),
        *("--epochs", str(options.epochs), "--batch-size", str(options.batch_size), "--out", str(folder), *assignments),
    ]
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        return f"| {loss} | failed: see {folder}/log | | | | |"
    minutes = (used.ru_utime + used.ru_stime) / 60
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    figures = [line["evaluation"] for line in lines if "evaluation" in line][-1]["unseen"]
    loss_at_end = [line for line in lines if "loss" in line][-1]["loss"]
    return (
        f"| {loss} | {figures['accuracy']:.2%} | {figures['eer']:.2%} | {figures['tar@far=1e-3']:.2%} | "
        f"{loss_at_end:.2f} | {minutes:.1f} |"
    )


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs in LFW's format, of several folds")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--at-once", type=int, default=1, help="runs side by side, of one thread each")
    parser.add_argument("--set", action="append", default=[], help="another key of a run, such as optimiser.ema=0.999")
    options = parser.parse_args()
    people, unseen = prepare(options.images.resolve(), options.pairs, options.out.resolve())
    options.images, options.out = options.images.resolve(), options.out.resolve()
    print(_HEAD, flush=True)
    with ThreadPoolExecutor(options.at_once) as pool:
        for row in pool.map(lambda loss: trained(loss, people=people, unseen=unseen, options=options), options.losses):
            print(row, flush=True)


if __name__ == "__main__":
    main()
