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

from app.training.losses.spec import LossSpec
from app.types import Floats
from figures.angles import BINS, Thetas, boundary, edge
from figures.curves import target_logit

LOSSES = (
    LossSpec("softmax"),
    LossSpec("normface", scale=64),
    LossSpec("sphereface", is_feature_normalised=True),
    LossSpec("cosface"),
    LossSpec("arcface"),
    LossSpec("combined"),
)
"""All losses with classes, at one scale."""

_SIZE = (6.4, 4.2)  # inches
_GENUINE, _IMPOSTOR = "#1b7837", "#b2182b"
_BETWEEN = math.pi / 2  # two classes, at the usual angle of many classes in a high dimension
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Plane:
    """Features (n, 2) of `labels` (n,) and the class centres (classes, 2); None for a loss without centres."""

    features: Floats
    labels: NDArray[np.int64]
    centres: Floats | None


def target_logits(losses: Sequence[LossSpec] = LOSSES) -> Figure:
    """Draw the target logit over the angle (ArcFace, figure 4a)."""
    figure = _figure()
    axes = figure.subplots()
    degrees = np.linspace(0, 180, 721)
    for spec in losses:
        axes.plot(degrees, target_logit(spec, np.radians(degrees)), label=_label(spec))
    axes.set(xlabel="angle between feature and own class (degrees)", ylabel="target logit", xlim=(0, 180))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper right")
    return figure


def boundaries(losses: Sequence[LossSpec] = LOSSES) -> Figure:
    """Draw the decision boundary of two classes for each loss: by both angles (ArcFace, figure 5), in the plane."""
    figure = _figure(rows=2, columns=len(losses))
    grid = figure.subplots(2, len(losses), squeeze=False)
    for spec, above, below in zip(losses, *grid, strict=True):
        _by_angles(above, spec)
        _in_the_plane(below, spec)
    return figure


def distributions(stages: Mapping[str, Thetas]) -> Figure:
    """Draw the angles of faces to their own class and to others, one plot for each stage of a run."""
    figure = _figure(columns=len(stages))
    middles = (np.arange(BINS) + 0.5) * 180 / BINS
    for axes, (name, angles) in zip(figure.subplots(1, len(stages), squeeze=False)[0], stages.items(), strict=True):
        for shares, color, label in (
            (angles.genuine, _GENUINE, "own class"),
            (angles.impostor, _IMPOSTOR, "others"),
        ):
            axes.fill_between(middles, shares, step="mid", alpha=0.5, color=color, label=label)
        axes.set(title=name, xlabel="angle (degrees)", ylabel="share", xlim=(0, 180), ylim=(0, None))
        axes.legend(loc="upper right")
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


def write(figure: Figure, file: Path) -> None:
    """Write a figure as .svg or .png, by its suffix; equal figures give equal SVG files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if file.suffix == ".svg" else {}
    with mpl.rc_context({"svg.hashsalt": "arcid"}):
        figure.savefig(file, format=file.suffix[1:], metadata=metadata)


def _by_angles(axes: Axes, spec: LossSpec) -> None:
    theta = np.linspace(0, math.pi / 2, 361)
    least = boundary(spec, theta)
    side = np.degrees(theta), np.degrees(np.where(np.isnan(least), math.pi, least))
    axes.plot(*side, color=_GENUINE)
    axes.plot(*side[::-1], color=_IMPOSTOR)
    axes.fill_between(*side, 90, color=_GENUINE, alpha=0.3)
    axes.fill_betweenx(*side, 90, color=_IMPOSTOR, alpha=0.3)
    axes.set(title=_label(spec), xlabel="angle to class 1", ylabel="angle to class 2", xlim=(0, 90), ylim=(0, 90))
    axes.set_aspect("equal")


def _in_the_plane(axes: Axes, spec: LossSpec) -> None:
    reach, whole = math.degrees(edge(spec, _BETWEEN)), math.degrees(_BETWEEN)
    for start, stop, color in ((0.0, reach, _GENUINE), (whole - reach, whole, _IMPOSTOR)):
        axes.add_patch(Wedge((0, 0), 1, start, stop, color=color, alpha=0.3))
    for angle, color in ((0.0, _GENUINE), (_BETWEEN, _IMPOSTOR)):
        axes.plot([0, math.cos(angle)], [0, math.sin(angle)], color=color, linewidth=2)
    axes.set(title=f"gap {whole - 2 * reach:.0f} degrees", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), aspect="equal")
    axes.set_axis_off()


def _points(axes: Axes, plane: Plane) -> None:
    colors = mpl.colormaps["tab10"]
    for number in range(int(plane.labels.max(initial=0)) + 1):
        own = plane.features[plane.labels == number]
        axes.plot(*own.T, ".", markersize=2, color=colors(number), label=str(number))
        if plane.centres is not None:
            centre = plane.centres[number] / np.linalg.norm(plane.centres[number])
            reach = np.linalg.norm(plane.features, axis=1).max(initial=1)
            axes.plot(*zip((0, 0), centre * reach, strict=True), color=colors(number), linewidth=1)


def _figure(*, rows: int = 1, columns: int = 1) -> Figure:
    width, height = (_SIZE[0], _SIZE[1]) if rows * columns == 1 else (3.4 * columns, 3.4 * rows)
    return Figure(figsize=(width, height), layout="constrained")


def _label(spec: LossSpec) -> str:
    numbers = spec.combined_or_default() if spec.name == "combined" else (spec.margin_or_default(),)
    parameters = ", ".join(f"{number:g}" for number in numbers)
    return spec.name if spec.name in {"softmax", "normface"} else f"{spec.name} ({parameters})"
