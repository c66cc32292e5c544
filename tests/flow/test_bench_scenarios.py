"""The bench's scenarios run end to end over a tiny catalogue, and what is fast and wrong is noticed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.apart import RunFailed, run_python, succeeded
from bench.cli import bench
from bench.engine import check_census, first_edition, house, loaded_store
from bench.feeds import feed
from bench.plan import Change, Edit, Encoding, FeedPlan, Shape, Tags
from bench.rounds import run_rounds
from bench.scenarios import Command, EnginePass, Figures, LoopLag, Peer, Sample, Setting, Stages
from bench.table import GROUPS, LARGE, SCENARIOS, chosen
from syncengine.errors import UsageInvalid

RECORDS = 60
PASSES = [*(name for name in GROUPS["passes"] if isinstance(SCENARIOS[name], EnginePass)), "lag-2-percent"]
EVERYTHING = EnginePass(says="every kind of change", change=Change.MIXED, share=0.5, allowed=("removed", "vanished"))


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    plan = FeedPlan(records=RECORDS, seed=3, record_bytes=5_000)
    return Setting(plan=plan, folder=tmp_path_factory.mktemp("bench"))


def verified(scenario: EnginePass | LoopLag | Peer | Command | Stages, setting: Setting) -> Sample:
    scenario.prepare(setting)
    return scenario.run(setting, verifies=True)


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_accounts_for_its_feed_and_leaves_what_the_feed_says(name: str, setting: Setting) -> None:
    scenario = SCENARIOS[name]
    assert isinstance(scenario, EnginePass | LoopLag)

    sample = verified(scenario, setting)

    assert RECORDS == sample.records
    assert sample.digest is not None
    assert 0 < sample.seconds < sample.process_seconds
    assert sample.peak_bytes > 10_000_000


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({"shape": Shape.DEMARQUE}, id="demarque"),
        pytest.param({"shape": Shape.CB}, id="cb"),
        pytest.param({"shape": Shape.BOKBASEN}, id="bokbasen"),
        pytest.param({"encoding": Encoding.LATIN_1}, id="iso-8859-1"),
        pytest.param({"encoding": Encoding.UTF_16}, id="utf-16"),
        pytest.param({"tags": Tags.SHORT}, id="short tags"),
    ],
)
def test_every_kind_of_change_is_accounted_for_in_every_kind_of_feed(choices: dict[str, Any], setting: Setting) -> None:
    here = replace(setting, plan=replace(setting.plan, **choices))
    assert feed(EVERYTHING.plan(here), here.folder).digest == verified(EVERYTHING, here).digest


@pytest.mark.parametrize("name", GROUPS["peers"])
def test_a_program_to_compare_with_reads_the_whole_feed(name: str, setting: Setting) -> None:
    scenario = SCENARIOS[name]
    assert isinstance(scenario, Peer)
    assert scenario.why_not() is None

    sample = verified(scenario, setting)

    assert feed(first_edition(setting.plan), setting.folder).bytes == sample.bytes
    assert sample.records in (None, RECORDS)


def test_loop_lag_is_told_of_every_tick_of_a_pass(setting: Setting) -> None:
    scenario = SCENARIOS["lag-cold"]
    assert isinstance(scenario, LoopLag)
    figures = verified(scenario, setting).figures
    assert figures["ticks"] >= 1
    assert 0 <= figures["median_ms"] <= figures["p99_ms"] <= figures["most_ms"]


def test_the_stages_of_intake_read_every_record(setting: Setting) -> None:
    scenario = SCENARIOS["stages"]
    assert isinstance(scenario, Stages)
    figures = verified(scenario, setting).figures
    assert RECORDS == figures["records"] == figures["parsed"]
    assert all(figures[f"{stage}_seconds"] > 0 for stage in ("index", "read", "frame_known", "frame_unknown", "parse"))


def test_a_command_is_timed_from_its_start_to_its_end(setting: Setting) -> None:
    scenario = SCENARIOS["start-status"]
    assert isinstance(scenario, Command)
    assert verified(scenario, setting).process_seconds > 0


def test_a_module_that_measures_by_itself_is_asked_for_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import json, sys; print(json.dumps({'share': 0.5, 'says': 'x', 'orders': int(sys.argv[-1])}))"
    (tmp_path / "figures.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    scenario = Figures(says="x", command=("figures",), takes_orders=True)

    sample = scenario.run(Setting(plan=FeedPlan(records=1), folder=tmp_path, orders=7), verifies=False)

    assert {"share": 0.5, "orders": 7} == sample.figures


# --- what is wrong is noticed


@pytest.fixture
def told(setting: Setting, tmp_path: Path) -> Callable[..., Setting]:
    """A setting whose mixed feed is said to be other than it is."""

    def tell(**wrong: Any) -> Setting:
        here = replace(setting, folder=tmp_path)
        EVERYTHING.prepare(here)
        made = feed(EVERYTHING.plan(here), here.folder)
        lie = msgspec.json.encode(replace(made, **wrong), enc_hook=str)
        made.path.with_name(f"{made.path.name}.json").write_bytes(lie)
        return here

    return tell


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        pytest.param({"digest": "0" * 32}, "does not hold what the feed says", id="another content"),
        pytest.param({"records": RECORDS + 1}, "does not account for its feed: records", id="another number"),
        pytest.param({"bytes": 1}, "does not account for its feed: bytes", id="another length"),
        pytest.param({"edits": {Edit.PRICE: 1}}, "does not account for its feed", id="another change"),
        pytest.param({"live": 1}, "change log tells of", id="another change log"),
    ],
)
def test_a_pass_that_did_something_else_fails_the_run(
    wrong: dict[str, Any], complaint: str, told: Callable[..., Setting]
) -> None:
    here = told(**wrong)
    with pytest.raises(RunFailed, match=complaint):
        EVERYTHING.run(here, verifies=True)


def test_a_store_in_which_nothing_was_done_is_told_from_one_that_follows_the_feed(setting: Setting) -> None:
    scenario = replace(EVERYTHING, change=Change.PRICE)
    made = feed(scenario.plan(setting), setting.folder)
    with house(made.path, beside=setting.folder, loaded=loaded_store(setting.plan, setting.folder)) as untouched:
        census = untouched.census()
    with pytest.raises(RunFailed, match="does not hold what the feed says"):
        check_census(made, census)


def test_a_peer_that_read_less_fails_the_run(setting: Setting, tmp_path: Path) -> None:
    here = replace(setting, folder=tmp_path)
    peer = SCENARIOS["lxml-iterparse"]
    peer.prepare(here)
    made = feed(first_edition(here.plan), here.folder)
    lie = msgspec.json.encode(replace(made, records=RECORDS + 1), enc_hook=str)
    made.path.with_name(f"{made.path.name}.json").write_bytes(lie)
    with pytest.raises(RunFailed, match=f"read {RECORDS} records"):
        peer.run(here, verifies=False)


def test_a_pass_that_a_guard_stops_fails_the_run(setting: Setting) -> None:
    scenario = EnginePass(says="every price", change=Change.PRICE, share=1.0)
    scenario.prepare(setting)
    with pytest.raises(RunFailed, match="exit code 3"):
        scenario.run(setting, verifies=False)


def test_a_program_that_fails_is_told_with_its_complaint() -> None:
    with pytest.raises(RunFailed, match="ValueError: torn"):
        succeeded(run_python(["-c", "raise ValueError('torn')"]), "reading")


def test_the_memory_of_a_process_is_its_own() -> None:
    lean, fat = (
        run_python(["-c", f"import hashlib; hashlib.sha256(bytearray({size}))"]) for size in (1_000_000, 151_000_000)
    )
    assert 149_000_000 < fat.peak_bytes - lean.peak_bytes < 160_000_000


# --- rounds and the command line


def test_rounds_take_turns_and_the_last_one_is_verified(setting: Setting) -> None:
    heard: list[str] = []
    names = ("warm", "lxml-iterparse")

    results = run_rounds({name: SCENARIOS[name] for name in names}, setting, rounds=2, on_step=heard.append)

    assert [f"preparing {name}" for name in names] == heard[:2]
    assert [f"round {number} of 2: {name}" for number in (1, 2) for name in names] == heard[2:]
    assert [False, True] == [sample.digest is not None for sample in results[0].samples]


def test_names_stand_for_scenarios_and_groups_in_the_order_of_the_table() -> None:
    assert tuple(name for name in SCENARIOS if name in GROUPS["quick"]) == chosen(())
    assert ("cold", "lag-warm") == chosen(("lag-warm", "cold"))
    assert set(SCENARIOS) - LARGE == set(chosen(("all",)))
    assert set(SCENARIOS) == set(chosen(("all",), with_large=True))
    with pytest.raises(UsageInvalid, match="'cod'"):
        chosen(("cod",))


def command(*arguments: str) -> tuple[int, Any]:
    ran = run_python(["run.py", "bench", *arguments])
    return ran.exit_code, json.loads(ran.stdout) if ran.stdout.startswith(b"{") else ran.stderr.decode()


def test_the_command_lists_runs_and_compares(setting: Setting, tmp_path: Path) -> None:
    exit_code, listed = command("list", "--json")
    assert (0, list(SCENARIOS)) == (exit_code, [row["name"] for row in listed["scenarios"]])

    small = ("--records", "30", "--rounds", "1", "--dir", str(setting.folder), "--report", str(tmp_path))
    exit_code, document = command("run", "lxml-iterparse", "warm", *small, "--json")
    assert (0, ["warm", "lxml-iterparse"]) == (exit_code, [row["name"] for row in document["scenarios"]])
    assert document == json.loads((tmp_path / "bench.json").read_bytes())
    assert (tmp_path / "index.html").exists()

    slower = json.loads(json.dumps(document))
    slower["scenarios"][0]["times_lxml"] /= 2
    (tmp_path / "slower.json").write_text(json.dumps(slower))
    assert 0 == command("compare", str(tmp_path / "bench.json"), str(tmp_path / "bench.json"))[0]
    assert 1 == command("compare", str(tmp_path / "bench.json"), str(tmp_path / "slower.json"))[0]


def test_a_threshold_decides_what_is_worse(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("before.json", "after.json")]
    for path, measured in zip(paths, (1.0, 1.08), strict=True):
        target = {"says": "memory", "unit": "x", "measured": measured, "at_least": None}
        alike = {
            "setting": dict.fromkeys(("records", "record_bytes")),
            "machine": dict.fromkeys(("python", "system", "processors")),
        }
        path.write_text(json.dumps({**alike, "scenarios": [], "targets": [target]}))
    asked = ["compare", *map(str, paths)]
    assert 0 == bench.main(asked, standalone_mode=False)
    assert 1 == bench.main([*asked, "--threshold", "5"], standalone_mode=False)


@pytest.mark.parametrize(
    "asked",
    [("run", "cod"), ("run", "--records", "none"), ("prove",), ("compare", "pyproject.toml", "pyproject.toml")],
    ids=" ".join,
)
def test_what_nobody_can_run_is_a_usage_error(asked: tuple[str, ...]) -> None:
    exit_code, complaint = command(*asked)
    assert 2 == exit_code
    assert "rror" in complaint
