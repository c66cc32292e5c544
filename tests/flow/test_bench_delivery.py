"""The measurements of delivery run, and count what was really sold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.delivering import ROOT, evenness, largest_window, mean_rate, release, throughput
from syncengine.domain.delivery import Limit


async def test_throughput_sells_every_order_both_ways():
    figures = await throughput(100)

    assert 100 == figures.calls
    assert 0 < figures.commits_per_second < figures.engine_per_second, "deliveries share commits"
    assert min(figures.bare_per_second, figures.fresh_per_second, figures.share, figures.share_of_fresh) > 0


async def test_no_second_of_a_rate_holds_more_calls_than_its_limit():
    limit = Limit.parse("60/s burst 5")

    figures = await evenness(90, limit)

    assert (90, "60/1s burst 5") == (figures.calls, figures.limit)
    assert 5 <= figures.largest_window_sent <= limit.calls
    assert 5 <= figures.largest_window_arrived <= 90


async def test_a_release_is_sold_out_after_its_instant():
    figures = await release(300, limit=Limit.parse("1000/s burst 100"), seconds=60.0, ahead=2.0)

    assert (300, 300) == (figures.orders, figures.calls)
    assert 0 <= figures.seconds_to_first_call <= figures.seconds_to_first_sale
    assert 0 < figures.grown_bytes + 1 <= figures.peak_bytes
    assert figures.most_unsent <= 300


@pytest.mark.parametrize(
    ("instants", "expected"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([0.0, 0.5, 1.0], 2, id="half-open"),
        pytest.param([0.0, 0.9, 1.0, 1.1, 1.8], 4, id="in the middle"),
    ],
)
def test_the_fullest_window(instants, expected):
    assert expected == largest_window(instants, 1.0)


def test_the_mean_is_of_the_gaps():
    assert 2.0 == mean_rate([0.0, 0.5, 1.0])
    assert 0.0 == mean_rate([1.0])


def test_the_command_prints_one_line_of_figures():
    command = [sys.executable, "-m", "bench.delivering", "throughput", "--orders", "20", "--json"]

    done = subprocess.run(command, cwd=Path(ROOT), capture_output=True, check=True)

    [line] = done.stdout.splitlines()
    assert 20 == json.loads(line)["calls"]
