"""Draw the target logits and boundaries of losses, and their effect on faces.

python benchmarks/draw_losses.py --out pictures                                  # target_logits, boundaries
python benchmarks/draw_losses.py --out pictures --run runs/a --run runs/b         # convergence, angles
python benchmarks/draw_losses.py --out pictures --losses cosface arcface:m=0.3,s=30 sphereface:m=1.5,lambda=0
python benchmarks/draw_losses.py --out pictures --eight photos/ --format png     # eight_people

Needs PyTorch (make training) and Matplotlib (make tools).
"""

import argparse
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from figures import drawing, eight_people
from figures.convergence import convergence
from figures.curves import Curve, parse_curve
from figures.run_angles import config_of, stages
from matplotlib.figure import Figure

from app.config import read_settings
from app.errors import TrainingInvalid
from app.training.data.opening import open_data, open_path
from app.wiring.training import open_cropper


def draw(options: argparse.Namespace) -> dict[str, Figure]:
    """Return the figures by name."""
    open_once = cache(partial(open_cropper, read_settings()))
    figures = {
        "target_logits": drawing.target_logits(options.losses or drawing.FIGURE_4A),
        "boundaries": drawing.boundaries(options.losses or drawing.LOSSES),
    }
    if options.run:
        folders = by_title(options.run)
        sources = {title: open_data(config_of(run).data, open_once).source for title, run in folders.items()}
        runs = {title: stages(folders[title], source, options.snapshots) for title, source in sources.items()}
        figures["convergence"] = drawing.convergences({title: convergence(run) for title, run in folders.items()})
        figures["angles"] = drawing.distributions(runs)
    if options.eight is not None:
        people = eight_people.eight_of(open_path(options.eight, open_once, is_aligned=options.aligned).source)
        planes = {
            name: eight_people.arranged(people, spec, epochs=options.epochs)
            for name, spec in eight_people.LOSSES.items()
        }
        figures["eight_people"] = drawing.planes(planes, people.people)
    return figures


def by_title(runs: Sequence[Path]) -> dict[str, Path]:
    """Return the folders of runs by their names; by their paths if two have the same name."""
    names = [run.absolute().name for run in runs]
    return dict(zip(names if len(set(names)) == len(names) else map(str, runs), runs, strict=True))


def _curve(text: str) -> Curve:
    try:
        return parse_curve(text)
    except TrainingInvalid as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: list[str] | None = None) -> None:
    """Draw the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        "--losses", nargs="+", type=_curve, metavar="LOSS[:KEY=NUMBER,...]", help="keys: s, m, m1, m2, m3, lambda"
    )
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        help="folder of a run whose angles are drawn, from start to end; repeatable",
    )
    parser.add_argument("--snapshots", type=Path, help="folder of checkpoints from the middle of the run")
    parser.add_argument("--eight", type=Path, help="data set whose eight people with the most photos are drawn")
    parser.add_argument("--aligned", action="store_true", help="the photos of --eight are 112x112 crops")
    parser.add_argument("--epochs", type=int, default=60, help="of each network that lays out eight people")
    parser.add_argument("--format", choices=("svg", "png", "pdf"), default="svg")
    parser.add_argument("--dpi", type=int, help="pixels per inch of a .png; 300 for print")
    options = parser.parse_args(arguments)
    for name, figure in draw(options).items():
        drawing.write(figure, options.out / f"{name}.{options.format}", dpi=options.dpi)
        print(options.out / f"{name}.{options.format}")


if __name__ == "__main__":
    main()
