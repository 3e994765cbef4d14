"""Steps of a script for a GPU: commands with a limit each, run within a budget, and a table of their results."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NO_GPU = 2
BUDGET = 570.0  # seconds, of ten minutes


@dataclass(frozen=True, slots=True)
class Step:
    """A command with its limit in seconds. `obstacle` returns why it cannot run, or None."""

    title: str
    command: tuple[str, ...]
    limit: float
    obstacle: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a step: `passed`, `FAILED` or `skipped`, with the reason."""

    title: str
    word: str
    reason: str = ""


def run_all(planned: Sequence[Step], budget: float) -> list[Outcome]:
    """Run steps within a budget of seconds; a step that does not fit is skipped."""
    outcomes, end = [], time.monotonic() + budget
    for step in planned:
        left = end - time.monotonic()
        reason = step.obstacle()
        if reason is None and left < min(step.limit, budget) / 3:
            reason = f"only {left:.0f} of {budget:.0f} seconds are left"
        if reason is not None:
            outcomes.append(Outcome(step.title, "skipped", reason))
            continue
        print(f"\n== {step.title}", flush=True)
        outcomes.append(_run(step, min(step.limit, left)))
    return outcomes


def _run(step: Step, limit: float) -> Outcome:
    try:
        status = subprocess.run(step.command, check=False, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return Outcome(step.title, "FAILED", f"not finished after {limit:.0f} seconds")
    except OSError as error:
        return Outcome(step.title, "FAILED", str(error))
    return Outcome(step.title, "passed") if status == 0 else Outcome(step.title, "FAILED", f"exit status {status}")


def report(outcomes: Sequence[Outcome]) -> int:
    """Print the outcome of each step; return the exit status."""
    print()
    for each in outcomes:
        print(f"{each.word:8} {each.title}{': ' if each.reason else ''}{each.reason}")
    return int(any(each.word == "FAILED" for each in outcomes))


def refuse(obstacle: str) -> int:
    """Print that this machine has no usable GPU, and why; return the exit status."""
    print(f"no usable NVIDIA GPU, so nothing ran: {obstacle}", file=sys.stderr)
    return NO_GPU
