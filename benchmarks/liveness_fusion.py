"""Compare ways to fuse the networks of liveness, on kinds of attack and people that were not shown.

    python benchmarks/presentation_attacks.py --photos LFW/images --people 200 --out lfw/
    python benchmarks/presentation_attacks.py --photos LONDON/neutral --person file --out london/
    python benchmarks/liveness_fusion.py --train lfw/ --test london/

Each row is about one kind of simulated attack in `--test`. APCER is that at the threshold which refuses 5 % of the live
photos. `average` is the mean log-odds of the networks of `minifas-fused`, `pattern` subtracts its regular
patterns, and `regression` is a logistic regression of both, fitted on `--train` without attacks of this kind.

**A simulation does not measure security.** A regression fitted on it may learn the simulation.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import read_settings
from app.vision.detection.main_face import most_prominent_first
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.runtime import Runtime
from app.vision.liveness.detector import obstacles
from app.vision.liveness.pattern import pattern_excess
from app.wiring.liveness import open_networks
from app.wiring.networks import open_detector
from app.wiring.storage import open_packs

Rows = NDArray[np.float64]
"""Log-odds of each network, then the excess of a pattern: (n, networks + 1)."""
Measure = Callable[[Path], Rows | None]

PACK = "minifas-fused"
BPCER = 0.05
_STEPS = 30


def measure_with(pack: str) -> Measure:
    """Return a function that measures the most prominent face of a photo; None if it cannot be judged."""
    settings = read_settings()
    packs = open_packs(settings)
    networks = open_networks(packs, packs.manifest(pack))
    finder = open_detector(packs, "yunet", Runtime(), settings)

    def measure(path: Path) -> Rows | None:
        pixels = decode(path.read_bytes(), Limits(20_000_000, 50_000_000)).pixels
        faces = most_prominent_first(finder.detect(pixels), pixels.shape)
        if not faces or obstacles(faces[0].box, pixels.shape):
            return None
        box = faces[0].box
        return np.array(
            [*(float(each.network.log_odds(pixels, [box])[0]) for each in networks), pattern_excess(pixels, box)]
        )

    return measure


def rows_of(folder: Path, measure: Measure) -> Rows:
    """Return the rows of all photos below a folder that can be judged."""
    rows = [measure(path) for path in sorted(folder.rglob("*.jpg"))]
    return np.array([row for row in rows if row is not None])


def kinds_of(folder: Path, measure: Measure) -> dict[str, Rows]:
    """Return the rows of `live`, and of each kind of attack."""
    kinds = sorted(path for path in (folder / "attacks").iterdir() if path.is_dir())
    return {"live": rows_of(folder / "live", measure)} | {path.name: rows_of(path, measure) for path in kinds}


def regression(live: Rows, attacks: Rows) -> Rows:
    """Return the factors of a logistic regression by Newton's method. The last is constant; classes weigh the same."""
    values = np.vstack([live, attacks])
    values = np.column_stack([values, np.ones(len(values))])
    is_live = np.arange(len(values)) < len(live)
    share = np.where(is_live, 0.5 / len(live), 0.5 / len(attacks)) * len(values)
    ridge = np.diag([*np.full(live.shape[1], 1.0), 0.0])
    factors = np.zeros(values.shape[1])
    for _ in range(_STEPS):
        odds = 1 / (1 + np.exp(-values @ factors))
        slope = values.T @ (share * (odds - is_live)) + ridge @ factors
        curvature = (values * (share * odds * (1 - odds))[:, None]).T @ values + ridge
        factors -= np.linalg.solve(curvature, slope)
    return factors


def apcer(live: Rows, attacks: Rows, factors: Rows) -> float:
    """Return the share of attacks from the threshold on below which 5 % of live photos are."""
    threshold = np.quantile(live @ factors, BPCER)
    return float(np.mean(attacks @ factors >= threshold))


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="folder of presentation_attacks.py")
    parser.add_argument("--test", type=Path, required=True, help="the same of other people")
    options = parser.parse_args()
    measure = measure_with(PACK)
    train, test = kinds_of(options.train, measure), kinds_of(options.test, measure)
    networks = test["live"].shape[1] - 1
    average = np.array([*np.full(networks, 1 / networks), 0.0])
    pattern = np.array([*np.full(networks, 1 / networks), -2.0])
    print(f"{'APCER at BPCER 5 %':20}{'average':>12}{'pattern':>12}{'regression':>12}")
    for kind, attacks in test.items():
        if kind == "live":
            continue
        family = kind.split("-")[0]
        others = np.vstack([rows for name, rows in train.items() if name != "live" and not name.startswith(family)])
        fitted = regression(train["live"], others)[:-1]
        shares = [apcer(test["live"], attacks, factors) for factors in (average, pattern, fitted)]
        print(f"{kind:20}" + "".join(f"{each:12.1%}" for each in shares) + f"   {len(attacks)} attacks")
    print(f"{len(test['live'])} live photos; trained on {len(train['live'])}")


if __name__ == "__main__":
    main()
