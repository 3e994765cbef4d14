"""Results of the rows of `benchmarks/paper_tables.py`: intervals over seeds and people, and the table in Markdown."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from paper_rows import SOURCES, PaperTable

from app.evaluation.bootstrap import Estimate
from app.training.backbones.spec import BackboneSpec

# 97.5 % points of Student's t by degrees of freedom.
_T = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 8: 2.306, 10: 2.228, 15: 2.131, 30: 2.042}
_NORMAL = 1.960


@dataclass(frozen=True, slots=True)
class SeedRate:
    """A rate of the network of one seed, and the same with the test people drawn again (replicates,)."""

    value: float
    replicates: tuple[float, ...]

    def minus(self, other: "SeedRate") -> "SeedRate":
        """Return the difference of two rates of the same people."""
        pairs = zip(self.replicates, other.replicates, strict=True)
        return SeedRate(self.value - other.value, tuple(one - another for one, another in pairs))


@dataclass(frozen=True, slots=True)
class RowResult:
    """Result of a row with one seed; `loss` is that at the end of its training, or None if it was not logged."""

    accuracy: SeedRate
    tmr: SeedRate
    loss: float | None

    def write(self, file: Path) -> None:
        """Write the result as JSON, whole or not at all."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)), "utf-8")
        part.replace(file)


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """Cost of a network: number of parameters, bytes of its ONNX file, CPU time of a crop relative to another one."""

    parameters: int
    size: int
    ratio: float


@dataclass(frozen=True, slots=True)
class RowResults:
    """The results of a row by seed, its network, and the cost of the network if it was measured."""

    seeds: dict[int, RowResult]
    spec: BackboneSpec
    cost: NetworkCost | None = None
    failure: str | None = None


def read_result(file: Path) -> RowResult | None:
    """Read a result, or return None if the file is missing."""
    if not file.exists():
        return None
    values = json.loads(file.read_text("utf-8"))
    accuracy, tmr = (SeedRate(each["value"], tuple(each["replicates"])) for each in (values["accuracy"], values["tmr"]))
    return RowResult(accuracy, tmr, values["loss"])


def over_seeds(rates: Sequence[SeedRate]) -> Estimate:
    """Return the mean of the seeds with a 95 % interval for other seeds and other people; one seed covers people only.

    The variance is that of the mean when people are drawn again, plus that of the seeds over their number. The factor
    is Student's t; its degrees of freedom are by Welch and Satterthwaite: "An approximate distribution of estimates of
    variance components", 1946.
    """
    values = np.array([rate.value for rate in rates])
    of_people = float(np.var(np.mean([rate.replicates for rate in rates], axis=0), ddof=1))
    of_seeds = float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
    freedom = math.inf if of_seeds == 0 else (of_people + of_seeds) ** 2 / (of_seeds**2 / (len(values) - 1))
    half = _student(freedom) * math.sqrt(of_people + of_seeds)
    mean = float(values.mean())
    return Estimate(mean, (mean - half, mean + half))


def _student(freedom: float) -> float:
    """Return the 97.5 % point of Student's t, between the tabulated ones in proportion to 1 / freedom."""
    inverse = [0.0, *(1 / each for each in reversed(_T))]
    return float(np.interp(1 / freedom, inverse, [_NORMAL, *reversed(_T.values())]))


def draw(table: PaperTable, results: dict[str, RowResults]) -> str:
    """Return the table in Markdown; a row without a result has dashes. The first row is the reference of the others."""
    first = results[table.rows[0].name]
    has_costs = any(each.spec != first.spec for each in results.values())
    head = ["row", "published", "seeds", "accuracy", "TMR at FMR 1e-3", "difference of TMR", "loss at the end"]
    head += ["parameters", "MiB", "time for a crop"] if has_costs else []
    lines = [f"**Table {table.number}. {table.title}**", "", _line(head), _line(["---"] * len(head))]
    for row in table.rows:
        result = results[row.name]
        published = f"{row.published.lfw:.2f} ({row.published.source})" if row.published else ""
        cells = [row.name, published, *_rate_cells(result, first)]
        lines.append(_line([*cells, *(_cost_cells(result.cost) if has_costs else [])]))
    used = sorted({row.published.source for row in table.rows if row.published})
    failures = [f"{name}: {each.failure}" for name, each in results.items() if each.failure]
    notes = [*(f"({key}) {SOURCES[key]}" for key in used), *failures]
    return "\n".join([*lines, *([""] if notes else []), *(f"- {note}" for note in notes)]) + "\n"


def _rate_cells(result: RowResults, first: RowResults) -> list[str]:
    if not result.seeds:
        return ["0", "-", "-", "-", "-"]
    shared = sorted(result.seeds.keys() & first.seeds.keys())
    differences = [result.seeds[seed].tmr.minus(first.seeds[seed].tmr) for seed in shared]
    losses = [each.loss for each in result.seeds.values() if each.loss is not None]
    return [
        str(len(result.seeds)),
        _percent(over_seeds([each.accuracy for each in result.seeds.values()])),
        _percent(over_seeds([each.tmr for each in result.seeds.values()])),
        _percent(over_seeds(differences), sign="+") if differences and result is not first else "",
        f"{np.mean(losses):.2f}" if losses else "-",
    ]


def _cost_cells(cost: NetworkCost | None) -> list[str]:
    if cost is None:
        return ["-", "-", "-"]
    return [f"{cost.parameters:,}", f"{cost.size / 2**20:.1f}", f"{cost.ratio:.2f}"]


def _percent(estimate: Estimate, sign: str = "") -> str:
    low, high = estimate.interval or (math.nan, math.nan)
    if not sign:
        low, high = max(low, 0.0), min(high, 1.0)
    return f"{estimate.value * 100:{sign}z.1f} ({low * 100:{sign}z.1f} to {high * 100:{sign}z.1f})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
