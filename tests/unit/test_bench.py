"""The benchmark: its feeds are what they claim to be, and every scenario accounts for the same records."""

import json
from pathlib import Path

import pytest
from lxml import etree

import bench
from bench.generate import Feed, changed_records, reference, write_feed
from bench.measure import run_apart, run_rounds
from bench.once import run_once
from bench.scenarios import PRODUCT, READ_AND_HASH, RECORD_REFERENCE, SCENARIOS, Editions

RECORDS = 300
SHARE = 0.1


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    return write_feed(tmp_path_factory.mktemp("feeds") / "first.xml", records=RECORDS, seed=7)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    return write_feed(tmp_path_factory.mktemp("feeds") / "second.xml", records=RECORDS, seed=7, changed_share=SHARE)


@pytest.fixture
def editions(first: Feed, second: Feed) -> Editions:
    return Editions(first=first.path, second=second.path)


def records_of(path: Path) -> dict[str, bytes]:
    """Each record in canonical form, by its reference."""
    return {
        str(product.findtext(RECORD_REFERENCE)): etree.tostring(product, method="c14n")
        for product in etree.parse(str(path)).getroot().iterfind(PRODUCT)
    }


def test_a_feed_is_well_formed_and_holds_the_records_it_claims(first: Feed) -> None:
    assert list(records_of(first.path)) == [reference(number) for number in range(RECORDS)]
    assert first.records == RECORDS
    assert first.bytes == first.path.stat().st_size


def test_its_records_have_a_realistic_size_and_traps_for_careless_readers(first: Feed) -> None:
    text = first.path.read_bytes()
    assert 7_000 < first.bytes / RECORDS < 10_000
    assert text.count(b"<![CDATA[") > RECORDS / 10
    assert text.count(b"</Product>") > RECORDS


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(first: Feed, tmp_path: Path) -> None:
    again = write_feed(tmp_path / "again.xml", records=RECORDS, seed=7)
    other = write_feed(tmp_path / "other.xml", records=RECORDS, seed=8)
    assert again.path.read_bytes() == first.path.read_bytes()
    assert other.path.read_bytes() != first.path.read_bytes()


def test_exactly_the_share_of_records_differs_in_the_second_edition(first: Feed, second: Feed) -> None:
    old, new = records_of(first.path), records_of(second.path)
    differing = {name for name in old if old[name] != new[name]}
    assert differing == {reference(number) for number in changed_records(RECORDS, 7, SHARE)}
    assert len(differing) == RECORDS * SHARE == second.changed


def test_some_changes_keep_the_length_of_the_record(first: Feed, second: Feed) -> None:
    old, new = records_of(first.path), records_of(second.path)
    lengths = [len(new[name]) - len(old[name]) for name in old if old[name] != new[name]]
    assert 0 in lengths
    assert max(lengths) > 0


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != READ_AND_HASH])
def test_every_scenario_accounts_for_every_record(name: str, editions: Editions) -> None:
    assert run_once(name, editions).account.records == RECORDS


def test_the_tiers_leave_alone_what_they_should(editions: Editions, second: Feed) -> None:
    accounts = {name: run_once(name, editions).account for name in SCENARIOS}
    assert accounts["scanned"].unchanged == 0
    assert accounts["predicted"].unchanged == RECORDS
    assert accounts["predicted-parsed"].unchanged == RECORDS - second.changed
    assert accounts["predicted-parsed"].parsed == second.changed


def test_every_scenario_reads_the_whole_feed(editions: Editions, first: Feed, second: Feed) -> None:
    sizes = {name: run_once(name, editions).account.bytes for name in SCENARIOS}
    assert sizes == dict.fromkeys(SCENARIOS, first.bytes) | {"predicted-parsed": second.bytes}


def test_a_run_apart_accounts_for_the_same(editions: Editions) -> None:
    apart = run_apart("predicted", editions)
    assert apart.account == run_once("predicted", editions).account
    assert apart.peak_bytes > 1_000_000


def test_rounds_take_turns(editions: Editions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.run_apart", run_once)
    heard: list[str] = []

    results = run_rounds(["scanned", "predicted"], editions, rounds=2, on_run=heard.append)

    assert heard == ["scanned", "predicted", "scanned", "predicted"]
    assert [len(result.samples) for result in results.values()] == [2, 2]
    assert all(result.spread >= 0 for result in results.values())


def test_the_document_is_printed_as_one_json_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    document = bench.run(records=30, rounds=1, as_json=True)

    printed = json.loads(capfdbinary.readouterr().out)
    assert printed == document
    assert [row["name"] for row in printed["scenarios"]] == list(SCENARIOS)
    assert all(row["times_iterparse"] > 0 for row in printed["scenarios"])


def test_the_table_names_every_scenario(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")

    bench.run(records=30, rounds=1)

    printed = capfd.readouterr().out
    assert all(scenario.says in printed for scenario in SCENARIOS.values())
