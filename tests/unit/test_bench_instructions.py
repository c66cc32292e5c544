"""The guard against regress: what it counts is the same every time, and what is above its ceiling is told."""

import shutil
from pathlib import Path

import pytest

from bench import instructions
from bench.instructions import Ceilings, Counts, count, main, read_ceilings

COUNTS = Counts(record_bytes=1000, bare=500, unchanged=1500, scanned=5000)

needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind to count instructions with")


@pytest.fixture(scope="module")
def counts() -> Counts:
    return count()


@needs_valgrind
@pytest.mark.timeout(600)  # some twenty seconds of one processor, on a machine that may be busy
def test_the_framing_loop_takes_no_more_instructions_than_it_did(counts: Counts) -> None:
    assert [] == read_ceilings().exceeded(counts)


@needs_valgrind
@pytest.mark.timeout(600)
def test_the_ceilings_are_near_enough_to_notice_a_regress(counts: Counts) -> None:
    """When a loop has become twice as fast, its ceiling must come down, or the next regress would hide below it.

    Where the processor has no wide registers hashing takes twice the instructions, and less than that is told by chance.
    """
    slack = {name: read_ceilings().times_bare[name] / ratio for name, ratio in counts.ratios.items()}
    assert {} == {name: times for name, times in slack.items() if times > 2.2}


@needs_valgrind
@pytest.mark.timeout(600)
def test_a_loop_that_hashes_takes_instructions_in_proportion_to_the_bytes(counts: Counts) -> None:
    assert 0.05 < counts.bare / counts.record_bytes < 5
    assert counts.bare < counts.unchanged < counts.scanned


def test_counts_are_told_a_record_a_byte_and_as_ratios() -> None:
    assert {
        "record_bytes": 1000,
        "bare_per_record": 500,
        "unchanged_per_record": 1500,
        "scanned_per_record": 5000,
        "bare_per_byte": 0.5,
        "unchanged_per_byte": 1.5,
        "scanned_per_byte": 5.0,
        "unchanged_times_bare": 3.0,
        "scanned_times_bare": 10.0,
    } == COUNTS.document


@pytest.mark.parametrize(
    ("unchanged", "scanned", "exceeded"),
    [
        pytest.param(3.0, 10.0, [], id="as they were"),
        pytest.param(2.8, 9.5, [], id="within the tolerance"),
        pytest.param(2.7, 10.0, ["unchanged"], id="one above"),
        pytest.param(2.0, 9.0, ["unchanged", "scanned"], id="both above"),
    ],
)
def test_a_ratio_above_its_ceiling_and_tolerance_is_told(unchanged: float, scanned: float, exceeded: list[str]) -> None:
    ceilings = Ceilings(times_bare={"unchanged": unchanged, "scanned": scanned}, tolerance=0.1)
    assert exceeded == [said.partition(":")[0] for said in ceilings.exceeded(COUNTS)]


@pytest.mark.parametrize(
    ("ceiling", "exit_code"), [pytest.param(3.0, 0, id="kept"), pytest.param(2.0, 1, id="exceeded")]
)
def test_a_check_fails_above_a_ceiling_and_says_the_numbers(
    ceiling: float, exit_code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ceilings = Ceilings(times_bare={"unchanged": ceiling, "scanned": 10.0}, tolerance=0.1)
    monkeypatch.setattr(instructions, "why_not", lambda: None)
    monkeypatch.setattr(instructions, "count", lambda: COUNTS)
    monkeypatch.setattr(instructions, "read_ceilings", lambda: ceilings)
    assert exit_code == main(["--check"])
    out, err = capsys.readouterr()
    assert "1,500" in out
    assert ("unchanged: 3.000 times" in err) == (exit_code == 1)


def test_without_valgrind_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert 2 == main([])
    assert "no valgrind" in capsys.readouterr().err


def test_arguments_that_mean_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["--chekc"])
    assert "--check" in capsys.readouterr().err
