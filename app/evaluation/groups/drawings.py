"""Pictures of group rates: rates with intervals, and the matrix of all pairs of groups."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from app.evaluation.plots import draw_svg
from app.evaluation.report import Report

_RATE, _FEW = "#b2182b", "#888888"
_ROW = 0.32  # inches


def rates_by_group(rates: Mapping[str, Report], asked: float) -> bytes:
    """Draw rates by name on a logarithmic axis, with intervals; a name without a rate has its counts instead."""

    def draw(axes: Axes) -> None:
        axes.axvline(asked, color=_FEW, linestyle="--", label=f"asked: {asked:g}")
        for row, rate in enumerate(rates.values()):
            if rate["rate"]:
                axes.plot(rate["rate"], row, "o", color=_RATE)
                low, high = rate["interval"] or (rate["rate"],) * 2
                axes.plot([max(low, asked / 100), high], [row, row], color=_RATE)
            else:
                axes.text(asked / 80, row, _counts(rate), color=_FEW, va="center", fontsize=8)
        axes.set(xscale="log", xlabel="FMR", yticks=range(len(rates)), ylim=(len(rates) - 0.5, -0.5))
        axes.set_xlim(asked / 100, max(1.0, asked))
        axes.set_yticklabels(list(rates))
        axes.legend(loc="lower right")

    return draw_svg(draw, (7.2, 1.4 + _ROW * len(rates)))


def matrix(names: Sequence[str], cells: Sequence[Report], asked: float) -> bytes:
    """Draw the FMR of each two groups as a heat map; a cell without a rate has its counts and no colour.

    The colours start at a tenth of the rate `asked`, and end at a hundred times it.
    """
    values = np.full((len(names), len(names)), np.nan)
    places = {name: place for place, name in enumerate(names)}
    labels = {}
    for cell in cells:
        first, second = sorted((places[cell["first"]], places[cell["second"]]), reverse=True)
        values[first, second] = cell["rate"] or np.nan
        labels[first, second] = f"{cell['rate']:.1e}" if cell["rate"] else _counts(cell)

    def draw(axes: Axes) -> None:
        norm = LogNorm(asked / 10, asked * 100)
        axes.imshow(np.ma.masked_invalid(values), cmap="YlOrRd", norm=norm, aspect="auto", alpha=0.6)
        for (row, column), label in labels.items():
            axes.text(column, row, label, ha="center", va="center", fontsize=7)
        axes.set(xticks=range(len(names)), yticks=range(len(names)))
        axes.set_xticklabels(list(names), rotation=30, ha="right")
        axes.set_yticklabels(list(names))

    side = 2.2 + 0.75 * len(names)
    return draw_svg(draw, (side + 1, 1.6 + 2 * _ROW * len(names)), has_grid=False)


def _counts(rate: Report) -> str:
    return f"{rate['errors']} of {rate['pairs']:,}"
