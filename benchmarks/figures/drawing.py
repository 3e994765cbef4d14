"""Drawing of figures with Matplotlib, without a display."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from numpy.typing import NDArray

from app.types import Floats
from figures.angles import BINS, Thetas, boundary, edge
from figures.convergence import Convergence
from figures.curves import Curve

LOSSES = (
    Curve("softmax", 64),
    Curve("normface", 64),
    Curve("sphereface", 64, (4,), 5),
    Curve("cosface", 64, (0.35,)),
    Curve("arcface", 64, (0.5,)),
    Curve("combined", 64, (1, 0.3, 0.2)),
)
"""All losses with a target logit, at one scale."""
FIGURE_4A = (
    Curve("softmax", 64),
    Curve("sphereface", 64, (4,), 5),
    Curve("sphereface", 64, (1.5,), 0),
    Curve("sphereface", 64, (2,), 0),
    Curve("cosface", 64, (0.35,)),
    Curve("arcface", 64, (0.5,)),
)
"""The curves of the paper's figure 4a."""

_SIZE = (6.4, 4.2)  # inches
# Okabe and Ito, "Color Universal Design": distinct also for people who see no red or no green.
_COLORS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#0072b2", "#f0e442")
_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_GENUINE, _IMPOSTOR = "#0072b2", "#d55e00"
_MARKS = (30.0, 60.0, 90.0)  # degrees
_BETWEEN = math.pi / 2  # two classes, at the usual angle of many classes in a high dimension
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Plane:
    """Features (n, 2) of `labels` (n,) and the class centres (classes, 2); None for a loss without centres."""

    features: Floats
    labels: NDArray[np.int64]
    centres: Floats | None


def target_logits(curves: Sequence[Curve] = FIGURE_4A) -> Figure:
    """Draw the target logit over the angle (ArcFace, figure 4a), with marks at 30, 60, 90 and pi - m degrees."""
    figure = _figure()
    axes = figure.subplots()
    degrees = np.linspace(0, 180, 721)
    for number, curve in enumerate(curves):
        axes.plot(
            degrees,
            curve.target_logit(np.radians(degrees)),
            label=curve.label,
            color=_COLORS[number % len(_COLORS)],
            linestyle=_STYLES[number % len(_STYLES)],
        )
    marks = sorted({*_MARKS, *(math.degrees(curve.last) for curve in curves if curve.last is not None)})
    for mark in marks:
        axes.axvline(mark, color="grey", linewidth=0.6, linestyle=":")
    axes.set_xticks([0, *marks, 180], [f"{round(mark, 2):g}" for mark in (0, *marks, 180)])
    axes.set(xlabel="angle between feature and own class (degrees)", ylabel="target logit", xlim=(0, 180))
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")
    return figure


def boundaries(curves: Sequence[Curve] = LOSSES) -> Figure:
    """Draw the decision boundary of two classes for each loss: by both angles (ArcFace, figure 5), in the plane."""
    figure = _figure(rows=2, columns=len(curves))
    grid = figure.subplots(2, len(curves), squeeze=False)
    for curve, above, below in zip(curves, *grid, strict=True):
        _by_angles(above, curve)
        _in_the_plane(below, curve)
    return figure


def distributions(runs: Mapping[str, Mapping[str, Thetas]]) -> Figure:
    """Draw the angles of faces to their own class and to others (figure 4c): a row for each run, a plot for a stage."""
    columns = max(len(stages) for stages in runs.values())
    figure = _figure(rows=len(runs), columns=columns)
    grid = figure.subplots(len(runs), columns, squeeze=False, sharey=True)
    for row, (run, stages) in zip(grid, runs.items(), strict=True):
        for axes, (name, angles) in zip(row, stages.items(), strict=False):
            _histogram(axes, angles, name if len(runs) == 1 else f"{run}: {name}")
        for axes in row[len(stages) :]:
            axes.set_axis_off()
    return figure


def convergences(runs: Mapping[str, Convergence]) -> Figure:
    """Draw the mean angle to the own class and the mean target logit over the epochs (figure 4b), a line for a run."""
    figure = _figure(columns=2)
    left, right = figure.subplots(1, 2)
    for number, (run, each) in enumerate(runs.items()):
        for axes, values in ((left, each.theta), (right, each.target_logit)):
            color, style = _COLORS[number % len(_COLORS)], _STYLES[number % len(_STYLES)]
            axes.plot(each.epochs, values, label=run, color=color, linestyle=style)
    left.set(xlabel="epoch", ylabel="mean angle to the own class (degrees)")
    right.set(xlabel="epoch", ylabel="mean target logit")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
    left.legend(loc="best", fontsize="small")
    return figure


def planes(by_loss: Mapping[str, Plane], people: Sequence[str]) -> Figure:
    """Draw two-dimensional features: one plot for each loss, one colour for each person."""
    columns = min(_COLUMNS, len(by_loss))
    rows = -(-len(by_loss) // columns)
    figure = _figure(rows=rows, columns=columns)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, plane) in zip(grid, by_loss.items(), strict=False):
        _points(axes, plane)
        axes.set(title=name, aspect="equal")
    for axes in grid[len(by_loss) :]:
        axes.set_axis_off()
    handles, _ = grid[0].get_legend_handles_labels()
    figure.legend(handles, people, loc="outside lower center", ncols=4, markerscale=3)
    return figure


def write(figure: Figure, file: Path, *, dpi: int | None = None) -> None:
    """Write a figure as .svg, .pdf or .png, by its suffix; equal figures give equal SVG files.

    `dpi` is the number of pixels per inch of a .png; by default Matplotlib's.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix, {})
    with mpl.rc_context({"svg.hashsalt": "arcid"}):
        figure.savefig(file, format=file.suffix[1:], metadata=metadata, dpi=dpi or "figure")


def _histogram(axes: Axes, angles: Thetas, title: str) -> None:
    middles = (np.arange(BINS) + 0.5) * 180 / BINS
    sides = ((angles.genuine, _GENUINE, "own class"), (angles.impostor, _IMPOSTOR, "others"))
    for shares, color, label in sides:
        axes.fill_between(middles, shares, step="mid", alpha=0.5, color=color, label=label)
    axes.set(title=title, xlabel="angle (degrees)", ylabel="share", xlim=(0, 180), ylim=(0, None))
    axes.legend(loc="upper right")


def _by_angles(axes: Axes, curve: Curve) -> None:
    theta = np.linspace(0, math.pi / 2, 361)
    least = boundary(curve, theta)
    side = np.degrees(theta), np.degrees(np.where(np.isnan(least), math.pi, least))
    axes.plot(*side, color=_GENUINE)
    axes.plot(*side[::-1], color=_IMPOSTOR)
    axes.fill_between(*side, 90, color=_GENUINE, alpha=0.3)
    axes.fill_betweenx(*side, 90, color=_IMPOSTOR, alpha=0.3)
    axes.set(xlabel="angle to class 1", ylabel="angle to class 2", xlim=(0, 90), ylim=(0, 90))
    axes.set_title(curve.label, fontsize="small")
    axes.set_aspect("equal")


def _in_the_plane(axes: Axes, curve: Curve) -> None:
    reach, whole = math.degrees(edge(curve, _BETWEEN)), math.degrees(_BETWEEN)
    for start, stop, color in ((0.0, reach, _GENUINE), (whole - reach, whole, _IMPOSTOR)):
        axes.add_patch(Wedge((0, 0), 1, start, stop, color=color, alpha=0.3))
    for angle, color in ((0.0, _GENUINE), (_BETWEEN, _IMPOSTOR)):
        axes.plot([0, math.cos(angle)], [0, math.sin(angle)], color=color, linewidth=2)
    axes.set(title=f"gap {whole - 2 * reach:.0f} degrees", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), aspect="equal")
    axes.set_axis_off()


def _points(axes: Axes, plane: Plane) -> None:
    for number in range(int(plane.labels.max(initial=0)) + 1):
        own = plane.features[plane.labels == number]
        axes.plot(*own.T, ".", markersize=2, color=_COLORS[number % len(_COLORS)], label=str(number))
        if plane.centres is not None:
            centre = plane.centres[number] / np.linalg.norm(plane.centres[number])
            reach = np.linalg.norm(plane.features, axis=1).max(initial=1)
            axes.plot(*zip((0, 0), centre * reach, strict=True), color=_COLORS[number % len(_COLORS)], linewidth=1)


def _figure(*, rows: int = 1, columns: int = 1) -> Figure:
    width, height = (_SIZE[0], _SIZE[1]) if rows * columns == 1 else (3.4 * columns, 3.4 * rows)
    return Figure(figsize=(width, height), layout="constrained")
