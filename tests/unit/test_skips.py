"""The rule about skips on CI, applied to a small suite that skips in every way."""

import pytest

SUITE = """
import pytest

def test_passes(): pass

def test_skips_itself(): pytest.skip("no server")

@pytest.mark.skipif(True, reason="not on this machine")
def test_is_skipped_by_a_mark(): pass

@pytest.fixture
def samples(): pytest.skip("ONIX_SAMPLES: ../shared/onix-samples is absent")

def test_wants_the_samples(samples): pass

@pytest.mark.xfail(strict=True)
def test_is_known_to_fail(): assert False
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(SUITE)
    return pytester


def run(suite: pytest.Pytester) -> pytest.RunResult:
    return suite.runpytest("-p", "tests.skips", "-p", "no:cacheprovider", "-p", "no:asyncio")


def test_on_ci_only_absent_samples_may_be_skipped(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    result = run(suite)

    result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*nothing may be skipped, but this was: *no server*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_elsewhere_a_skip_is_a_skip(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    result = run(suite)

    result.assert_outcomes(passed=1, skipped=3, xfailed=1)
    assert result.ret == pytest.ExitCode.OK


def test_on_ci_a_skipped_module_is_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile("import pytest; pytest.importorskip('a_package_nobody_has')\ndef test_passes(): pass")

    result = run(pytester)

    result.stdout.fnmatch_lines(["*nothing may be skipped, but this was: *a_package_nobody_has*"])
    assert result.ret not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}


def test_on_ci_a_missing_parameter_set_is_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile("import pytest\n@pytest.mark.parametrize('one', [])\ndef test_passes(one): pass")

    result = run(pytester)

    result.assert_outcomes(errors=1)
