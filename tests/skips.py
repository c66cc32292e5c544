"""On CI a skipped test is a failure: what was not checked must not look as if it had been.

The one exception are tests that want the ONIX sample files, which are not part of the project: their reason names
`ONIX_SAMPLES`.
"""

import os
from collections.abc import Generator

import pytest

PERMITTED = "ONIX_SAMPLES"


def is_on_ci() -> bool:
    """Whether the environment says so (`CI=true`, as `.ci/run` and the usual services set it)."""
    return os.environ.get("CI", "").lower() in {"true", "1"}


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn the report of a skip into one of a failure, unless its reason is the permitted one."""
    if not report.skipped or hasattr(report, "wasxfail") or not is_on_ci():
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if PERMITTED not in reason:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: on CI nothing may be skipped, but this was: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skips of tests and fixtures."""
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skips of whole modules."""
    report = yield
    refuse_skip(report)
    return report
