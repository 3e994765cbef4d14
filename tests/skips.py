"""Report of skipped tests: one line per requirement, or failures where all tests can run."""

import os
from collections import Counter

import pytest

IS_FAILURE = bool(os.environ.get("SKIPPED_IS_FAILED"))
"""Set by .ci/run, on a machine with everything except a GPU."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if "gpu" not in item.keywords:
        fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Do the same for whole files."""
    report = yield
    fail_if_skipped(report)
    return report


def fail_if_skipped(report):
    if report.skipped and IS_FAILURE:
        report.outcome = "failed"
        report.longrepr = f"skipped where every test can run: {report.longrepr}"


def pytest_terminal_summary(terminalreporter):
    skipped = {each.nodeid: each for each in terminalreporter.stats.get("skipped", [])}.values()
    needs = Counter((reason_of(each), isinstance(each, pytest.CollectReport)) for each in skipped)
    if needs:
        terminalreporter.section("skipped, and what it would need")
    for (reason, is_file), count in needs.most_common():
        terminalreporter.line(f"{'files' if is_file else f'{count:5}'} {reason}")


def reason_of(report) -> str:
    """Return the reason in one line; a report holds (path, line, reason)."""
    return " ".join(str(report.longrepr[2]).removeprefix("Skipped: ").split())
