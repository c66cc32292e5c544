"""What the bench makes of its rounds: ratios, verdicts, growth, comparisons, tables, charts and the page."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from PIL import Image
from rich.console import Console

from bench.apart import RunFailed
from bench.charts import THEMES, write_charts
from bench.compare import compare, differences
from bench.growth import exponent
from bench.lag import lag_of
from bench.markdown import as_markdown
from bench.page import write_page
from bench.plan import FeedPlan
from bench.report import as_document, draw, is_crowded
from bench.rounds import Result, check_digests
from bench.scenarios import Sample, Setting
from bench.targets import Target, judge
from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.passes import PassMode, PassReport
from tests.clock import START

SETTING = Setting(plan=FeedPlan(records=1_000), folder=Path("nowhere"))
SIZE = 10_000_000


def sample(seconds: float, **fields: Any) -> Sample:
    usual = {"process_seconds": seconds + 0.5, "cpu_seconds": seconds, "peak_bytes": 50_000_000, "bytes": SIZE}
    return Sample(**{"seconds": seconds, "records": 1_000, **usual, **fields})


def result(name: str, *seconds: float, **fields: Any) -> Result:
    return Result(name=name, says=f"the {name}", samples=tuple(sample(one, **fields) for one in seconds))


def document(*results: Result, **fields: Any) -> dict[str, Any]:
    return as_document(results, SETTING, **{"rounds": 3, "skipped": {}, "load": 0.0, **fields})


def by_name(*results: Result) -> Mapping[str, Result]:
    return {result.name: result for result in results}


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    """A document with something for every part of the report."""
    late = {"ticks": 9.0, "median_ms": 0.2, "p99_ms": 30.0, "most_ms": 40.0}
    return document(
        result("lxml-iterparse", 2.0, 2.2, 2.1),
        result("warm", 0.1, 0.12, 0.11),
        result("lag-warm", 0.1, 0.1, 0.1, figures=late),
        result("growth-warm-1000", 0.1, records=1_000),
        result("growth-warm-10000", 1.0, records=10_000),
        skipped={"java-stax": "no <JDK>"},
    )


# --- ratios and targets


def test_a_ratio_is_taken_within_each_round_before_the_median() -> None:
    slow_minute = by_name(
        result("lxml-iterparse", 10, 40, 10, process_seconds=0.0), result("warm", 1, 4, 1, process_seconds=0.0)
    )
    target = Target(name="t", says="t", over=(("lxml-iterparse", "seconds"),), under=("warm", "seconds"), at_least=9)
    [verdict] = judge(slow_minute, [target])
    assert (10.0, 10.0, 10.0) == verdict.rounds
    assert verdict.is_met


@pytest.mark.parametrize(
    ("bounds", "is_met"),
    [
        pytest.param({"at_least": 2.0}, True, id="just reached"),
        pytest.param({"at_least": 2.1}, False, id="missed"),
        pytest.param({"at_most": 2.0}, True, id="just kept"),
        pytest.param({"at_most": 1.9}, False, id="exceeded"),
        pytest.param({"at_least": 1.0, "at_most": 3.0}, True, id="between"),
        pytest.param({"at_least": 1.0, "at_most": 1.5}, False, id="above both"),
    ],
)
def test_a_target_is_met_where_the_median_lies_within_its_bounds(bounds: dict[str, Any], is_met: bool) -> None:
    target = Target(name="t", says="t", over=(("warm", "seconds"),), **bounds)
    [verdict] = judge(by_name(result("warm", 1, 2, 9)), [target])
    assert 2.0 == verdict.measured
    assert is_met == verdict.is_met


def test_of_several_terms_the_largest_counts() -> None:
    target = Target(
        name="t", says="t", over=(("slow", "seconds"), ("slower", "seconds")), under=("both", "seconds"), at_least=0.8
    )
    [verdict] = judge(by_name(result("slow", 3), result("slower", 4), result("both", 5)), [target])
    assert 0.8 == verdict.measured


def test_a_target_of_which_something_was_not_measured_is_not_judged() -> None:
    target = Target(name="t", says="t", over=(("warm", "seconds"),), under=("cold", "seconds"), at_least=1)
    assert [] == list(judge(by_name(result("warm", 1)), [target]))


def test_a_figure_that_only_one_scenario_has_can_be_a_target() -> None:
    target = Target(name="t", says="t", over=(("delivery", "share"),), at_least=0.5)
    [verdict] = judge(by_name(result("delivery", 1, figures={"share": 0.6})), [target])
    assert 0.6 == verdict.measured


def test_memory_is_allowed_by_the_known_records() -> None:
    assert 120_000_000 + 250 * 100_000 == sample(1, records=100_000).allowed_bytes


# --- wrong runs


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(
            [Result(name="warm", says="", samples=(sample(1, digest="a"), sample(1, digest="b")))], id="rounds"
        ),
        pytest.param([result("lxml-extract", 1, digest="a"), result("java-stax", 1, digest="b")], id="programs"),
    ],
)
def test_results_that_differ_fail_the_run(results: list[Result]) -> None:
    with pytest.raises(RunFailed, match="different results"):
        check_digests(results)


def test_results_that_agree_or_were_not_looked_at_pass() -> None:
    check_digests([result("lxml-extract", 1, 2, digest="a"), result("java-stax", 1, digest="a"), result("warm", 1)])


# --- growth


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_is_that_of_the_power_law(power: float) -> None:
    sizes = [1_000, 10_000, 100_000]
    assert pytest.approx(power) == exponent(sizes, [3e-6 * size**power for size in sizes])


def test_growth_is_told_of_every_kind_with_two_points_or_more(full: dict[str, Any]) -> None:
    [curve] = full["growth"]
    assert ("warm", (1_000, 10_000)) == (curve["name"], curve["records"])
    assert pytest.approx(1.0) == curve["exponent"]


# --- loop lag


def test_lag_is_told_in_percentiles_of_the_ticks() -> None:
    report = PassReport(
        source=SourceName("s"), stream=StreamName("t"), mode=PassMode.FULL, started_at=START, seconds=2.5
    )
    lag = lag_of([number / 1000 for number in range(101)], report)
    assert (101, 50.0, 99.0, 100.0) == (lag.ticks, lag.median_ms, lag.p99_ms, lag.most_ms)
    assert 2.5 == lag.seconds


def test_a_pass_shorter_than_two_ticks_has_the_lag_of_its_only_one() -> None:
    report = PassReport(source=SourceName("s"), stream=StreamName("t"), mode=PassMode.FULL, started_at=START)
    assert 7.0 == lag_of([0.007], report).p99_ms


# --- comparing


def compared(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    return {one.name: round(one.worse_by, 3) for one in compare(before, after)}


def test_a_machine_that_is_slower_in_everything_is_no_difference() -> None:
    fast = document(result("lxml-iterparse", 2.0, process_seconds=2.0), result("warm", 0.1, process_seconds=0.2))
    slow = document(result("lxml-iterparse", 6.0, process_seconds=6.0), result("warm", 0.3, process_seconds=0.6))
    assert {0.0} == set(compared(fast, slow).values())


def test_a_ratio_that_fell_is_worse_and_one_that_rose_is_better() -> None:
    yardstick = result("lxml-iterparse", 2.0, process_seconds=2.0)
    quick, slow = document(yardstick, result("warm", 0.1)), document(yardstick, result("warm", 0.125))
    assert 0.25 == compared(quick, slow)["the warm: x lxml"]
    assert -0.2 == compared(slow, quick)["the warm: x lxml"]


def test_memory_that_rose_is_worse() -> None:
    lean, fat = document(result("warm", 0.1, peak_bytes=100)), document(result("warm", 0.1, peak_bytes=150))
    assert 0.5 == compared(lean, fat)["the warm: memory"]


def test_what_only_one_document_has_is_not_compared() -> None:
    assert {"the warm: memory"} == set(
        compared(document(result("warm", 1), result("cold", 1)), document(result("warm", 1)))
    )


def test_other_feeds_and_machines_are_told() -> None:
    here = document(result("warm", 1))
    there = json.loads(json.dumps(here))
    assert [] == differences(here, there)
    there["setting"]["records"] = 2_000
    there["machine"]["processors"] = 64
    assert ["records: 1000 and 2000", f"processors: {here['machine']['processors']} and 64"] == differences(here, there)


# --- showing


def shown(document: dict[str, Any]) -> str:
    text = StringIO()
    draw(document, Console(file=text, width=80))
    return text.getvalue()


def test_the_tables_fit_a_terminal_of_eighty_columns(full: dict[str, Any]) -> None:
    text = shown(full)
    assert "…" not in text
    assert all(row["says"] in text for row in full["scenarios"])


def test_the_tables_tell_what_was_missed_and_what_was_not_run(full: dict[str, Any]) -> None:
    text = shown(full)
    assert "java-stax (no <JDK>)" in text
    assert any("no" == line.split()[-1] for line in text.splitlines() if "loop lag, unchanged: 99th percentile" in line)


def test_every_chart_is_there_in_both_themes_and_kinds(full: dict[str, Any], tmp_path: Path) -> None:
    charts = write_charts(full, tmp_path)

    assert ["throughput", "growth", "lag", "memory"] == [chart.name for chart in charts]
    for chart in charts:
        for theme in THEMES:
            assert etree.parse(str(chart.path(tmp_path, theme, "svg"))).getroot().tag.endswith("}svg")
            with Image.open(chart.path(tmp_path, theme, "png")) as picture:
                assert picture.width > 1_000
                assert len(picture.convert("RGB").resize((200, 100)).getcolors(20_000) or []) > 20


def test_the_same_document_gives_the_same_drawing(full: dict[str, Any], tmp_path: Path) -> None:
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        write_charts(full, tmp_path / name)
    for path in (tmp_path / "once").glob("*.svg"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_nothing_is_drawn_of_what_was_not_measured(tmp_path: Path) -> None:
    assert [] == write_charts(document(result("start-help", 0.2, bytes=0, records=None)), tmp_path)


def test_the_page_needs_nothing_beside_it_and_escapes_what_it_tells(full: dict[str, Any], tmp_path: Path) -> None:
    text = write_page(full, tmp_path).read_text()

    assert 'src="data:image/svg+xml' in text
    assert "http://" not in text
    assert "https://" not in text
    assert "no &lt;JDK&gt;" in text
    assert all(f"<td>{row['says']}</td>" in text for row in full["scenarios"])


def test_the_figures_for_the_readme_are_the_documents(full: dict[str, Any]) -> None:
    lines = as_markdown(full).splitlines()
    assert "| the warm | 23.6 | 4.3 | 91 | 9,091 |" in lines
    assert "| loop lag, unchanged: 99th percentile | ≤ 20 ms | 30 | 30 to 30 | no |" in lines


@pytest.mark.parametrize(("load", "is_busy"), [(0.1, False), (64_000.0, True)])
def test_a_busy_machine_is_known_by_its_load(load: float, is_busy: bool) -> None:
    assert is_busy == is_crowded(load)
