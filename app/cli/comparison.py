"""The table that compares a network with the one that it replaces."""

from pathlib import Path

from rich.table import Table

from app.cli.counting import counting
from app.cli.output import Console, show
from app.config import Settings
from app.evaluation.bootstrap import Estimate
from app.observability.counted import counted
from app.training.export.comparing import NetworkComparison


def show_comparison(comparison: NetworkComparison) -> None:
    """Print both networks: file size, CPU time relative to the first, and TMR at FMR 1e-3 by person."""
    table = Table("network", "file", "CPU time", "TMR at FMR 1e-3 (95 % interval)", box=None)
    rates = comparison.rates
    rows = (
        (comparison.old, 1.0, rates.first if rates else None),
        (comparison.new, comparison.time_ratio, rates.second if rates else None),
    )
    for network, ratio, estimate in rows:
        table.add_row(network.name, f"{network.size / 1e6:.1f} MB", f"{ratio:.2f}", _rate(estimate))
    show(table)
    if rates is not None:
        numbers = f"{counted(comparison.people, 'person', 'people')}, {counted(comparison.photos, 'photo')}"
        Console().print(f"difference {_rate(rates.difference, '+')}; {numbers}", highlight=False, soft_wrap=True)


def show_run_comparison(
    run: Path, people: Path, settings: Settings, *, is_aligned: bool, is_best: bool = False
) -> None:
    """Compare a run's network with its teacher, or with the network that it started from; raises TrainingInvalid."""
    from app.training.checkpoint import BEST, LAST  # noqa: PLC0415 - PyTorch takes seconds
    from app.wiring.run_comparison import compare_run  # noqa: PLC0415 - PyTorch takes seconds

    file = BEST if is_best else LAST
    with counting("photos") as advance:
        comparison = compare_run(settings, run, people, is_aligned=is_aligned, file=file, advance=advance)
    show_comparison(comparison)


def _rate(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None:
        return "-"
    low, high = estimate.interval or (float("nan"), float("nan"))
    return f"{100 * estimate.value:{sign}.2f} % ({100 * low:{sign}.2f} to {100 * high:{sign}.2f})"
