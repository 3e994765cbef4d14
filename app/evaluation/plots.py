"""Plots of curves and histograms as SVG, drawn with Matplotlib."""

import io
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.evaluation.curves import RocCurve
from app.evaluation.discard import ideal_fnmr
from app.evaluation.values import Doubles

_SIZE = (6.4, 4.2)  # inches
_MAX_POINTS = 2000
_GENUINE, _IMPOSTOR = "#1b7837", "#b2182b"

Names = tuple[str, str]
"""Axis labels of false and true acceptance: FAR and TAR, or FPIR and 1 - FNIR."""


def roc(curve: RocCurve, names: Names = ("FAR", "TAR")) -> bytes:
    """Draw the ROC curve, with a logarithmic axis for false acceptance."""

    def draw(axes: Axes) -> None:
        is_shown = curve.far > 0
        if is_shown.any():
            axes.plot(*_thin_out(curve.far[is_shown], curve.tar[is_shown]), color=_GENUINE)
            axes.set(xscale="log")
        axes.set(xlabel=names[0], ylabel=names[1])

    return draw_svg(draw)


def det(curve: RocCurve, names: Names = ("FMR", "FNMR")) -> bytes:
    """Draw the DET curve with logarithmic axes, which cannot show zero."""

    def draw(axes: Axes) -> None:
        is_shown = (curve.far > 0) & (curve.tar < 1)
        if is_shown.any():
            axes.plot(*_thin_out(curve.far[is_shown], 1 - curve.tar[is_shown]), color=_IMPOSTOR)
            axes.set(xscale="log", yscale="log")
        else:
            axes.text(0.5, 0.5, "no threshold has both errors", ha="center", transform=axes.transAxes)
        axes.set(xlabel=names[0], ylabel=names[1])

    return draw_svg(draw)


def histogram(genuine: tuple[Doubles, Doubles], impostor: tuple[Doubles, Doubles], names: Names) -> bytes:
    """Draw histograms of similarities, each given as (values, weights)."""
    bins = np.linspace(-0.5, 1, 76).tolist()

    def draw(axes: Axes) -> None:
        for (values, weights), name, color in ((genuine, names[0], _GENUINE), (impostor, names[1], _IMPOSTOR)):
            is_finite = np.isfinite(values)
            if weights[is_finite].sum() > 0:
                share = weights[is_finite] / weights[is_finite].sum()
                axes.hist(values[is_finite], bins, weights=share, alpha=0.6, color=color, label=name)
        axes.set(xlabel="similarity", ylabel="share")
        axes.legend(loc="upper right")  # Matplotlib warns if its search for the best place takes long

    return draw_svg(draw)


def over_distractors(sizes: list[int], rates: list[float]) -> bytes:
    """Draw the rank-1 rate over the number of distractors."""

    def draw(axes: Axes) -> None:
        axes.plot(sizes, rates, marker="o", color=_GENUINE)
        axes.set(xlabel="distractors", ylabel="rank-1", xscale="log")

    return draw_svg(draw)


def over_discarded(shares: Doubles, fnmr: Doubles) -> bytes:
    """Draw the FNMR over the share of rejected pairs, with the ideal curve that rejects errors first."""

    def draw(axes: Axes) -> None:
        axes.plot(shares, fnmr, marker="o", color=_IMPOSTOR, label="by quality")
        dense = np.linspace(0, shares[-1], 201)
        axes.plot(dense, ideal_fnmr(fnmr[0], dense), linestyle="--", color="#888888", label="ideal")
        axes.set(xlabel="share of pairs rejected, worst first", ylabel="FNMR", ylim=(0, None))
        axes.legend(loc="upper right")

    return draw_svg(draw)


def draw_svg(draw: Callable[[Axes], None], size: tuple[float, float] = _SIZE, *, has_grid: bool = True) -> bytes:
    """Return a picture; `size` is its width and height in inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    if has_grid:
        axes.grid(visible=True, which="major", alpha=0.3)
    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "arcid"}):  # makes the file reproducible
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _thin_out(x: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    """Reduce the points of a curve to a drawable number, keeping its ends and its shape."""
    is_corner = np.append(True, (np.diff(x) != 0) | (np.diff(y) != 0))
    x, y = x[is_corner], y[is_corner]
    if len(x) <= _MAX_POINTS:
        return x, y
    rank = np.unique(np.geomspace(1, len(x), _MAX_POINTS).astype(np.intp))
    keep = len(x) - rank[::-1]  # densest at low false acceptance
    return x[keep], y[keep]
