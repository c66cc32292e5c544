"""Parsing in batches: the same results in the same order, inline or by worker processes that never outlive this one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from syncengine.catalogue.compare import Comparison
from syncengine.domain.change import FieldChange
from syncengine.domain.passes import RecordOutcome
from syncengine.errors import RecordInvalid
from syncengine.onix.codelists import CodeList, CodeLists, standard
from syncengine.onix.parsing import parse
from syncengine.service.parsers import Base, Compared, Parsers
from tests.records import context, record
from tests.rows import STOCK_ROWS, entry, stock


def bodies(count):
    return [
        b"<Product><broken></Product>" if number % 50 == 7 else record("", reference=f"r{number}")
        for number in range(count)
    ]


def read(results):
    return [str(result) if isinstance(result, RecordInvalid) else result.product.reference for result in results]


async def test_bad_records_stand_in_their_place():
    results = await Parsers().parse(bodies(9), context())
    assert [f"r{number}" for number in range(9) if number != 7] == [
        result for result in read(results) if result.startswith("r")
    ]
    assert isinstance(results[7], RecordInvalid)


async def test_worker_processes_give_what_is_given_inline():
    parsers = await ready(Parsers(workers=2))
    try:
        given = bodies(300)
        assert read(await Parsers().parse(given, context())) == read(await parsers.parse(given, context()))
    finally:
        parsers.close()


PRICED = "<ProductSupply><SupplyDetail><Price><PriceType>02</PriceType><PriceAmount>{}</PriceAmount></Price></SupplyDetail></ProductSupply>"


def known(body: bytes, *, is_plain: bool = True) -> Base:
    return Base(product=parse(body, context()).product, body=body, context=context(), is_plain=is_plain)


async def ready(parsers: Parsers) -> Parsers:
    """As soon as its worker processes answer."""
    parsers.warm_up()
    assert parsers._greeting is not None
    await asyncio.wrap_future(parsers._greeting)
    return parsers


@pytest.mark.parametrize("workers", [0, 1])
async def test_records_are_compared_with_what_is_known_of_them(workers):
    old, same, new = record(PRICED.format("1.00")), record(PRICED.format(" 1.00 ")), record(PRICED.format("2.00"))
    given = [new, same, new, b"<Product>"] * 10
    bases = [known(old), known(old), None, known(old)] * 10
    parsers = Parsers(workers)
    try:
        if workers:
            await ready(parsers)
        results = await parsers.parse(given, context(), bases=bases)
    finally:
        parsers.close()
    changed = Comparison(
        outcome=RecordOutcome.CHANGED, fields=(FieldChange(field="price", old="02 1.00", new="02 2.00"),)
    )
    touched = Comparison(outcome=RecordOutcome.TOUCHED)
    assert [changed, touched, None, "not well-formed"] * 10 == [
        str(result)[:15] if isinstance(result, RecordInvalid) else result.comparison for result in results
    ]


@pytest.mark.parametrize("workers", [0, 1])
async def test_rows_are_read_and_compared_like_records(workers):
    head, tail = stock().split(b"</feed>")[0], b"</feed>"
    within = replace(context(), opening=head, closing=tail, release="", rows=STOCK_ROWS)
    old, new = entry("978").strip().encode(), entry("978", published="false").strip().encode()
    base = Base(product=parse(old, within).product, body=old, context=within)
    parsers = Parsers(workers)
    try:
        if workers:
            await ready(parsers)
        results = await parsers.parse([new, old, new, b"<entry>"] * 10, within, bases=[base, base, None, base] * 10)
    finally:
        parsers.close()
    told = FieldChange(field="row/published", old="true", new="false")
    changed = Comparison(outcome=RecordOutcome.CHANGED, fields=(told,))
    assert [changed, Comparison(outcome=RecordOutcome.TOUCHED), None, "not well-formed"] * 10 == [
        str(result)[:15] if isinstance(result, RecordInvalid) else result.comparison for result in results
    ]
    assert isinstance(results[0], Compared)
    assert parse(new, within).product == results[0].product


async def test_nobody_waits_for_worker_processes_to_start():
    """Before they answer a batch is parsed here; then they get all but the smallest."""
    parsers = Parsers(workers=1)
    try:
        results = await parsers.parse(bodies(130), context())
        assert parsers._greeting is not None
        assert read(await Parsers().parse(bodies(130), context())) == read(results)
    finally:
        parsers.close()


async def test_a_small_batch_starts_no_worker_processes():
    parsers = Parsers(workers=1)
    await parsers.parse(bodies(20), context())
    assert parsers._pool is None


async def test_without_workers_there_is_nothing_to_warm_up():
    parsers = Parsers()
    parsers.warm_up()
    assert parsers._pool is None


LEAN = """
import sys
import syncengine.service.parsing
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"aiohttp", "aiosqlite", "asyncio", "anyio", "click", "rich", "structlog"}))
"""


def test_a_worker_process_imports_no_more_than_parsing_takes(root):
    told = subprocess.run([sys.executable, "-c", LEAN], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    assert "" == told.stdout.strip()


NEWER = CodeLists(
    issue=76, released="2027-01-18", lists={64: CodeList(name="Publishing status", codes={"04": "Active"})}
)
ODD = record("<PublishingDetail><PublishingStatus>ZZ</PublishingStatus></PublishingDetail>").replace(
    b"<RecordReference>r1</RecordReference>",
    b"<ProductIdentifier><ProductIDType>01</ProductIDType><IDValue>7</IDValue></ProductIdentifier>",
)
"""A record with an unknown code and without a reference."""


def test_without_other_code_lists_the_shipped_ones_are_read_by():
    assert Parsers().codes is standard()
    assert Parsers(codes=NEWER).codes is NEWER


@pytest.mark.parametrize(("codes", "issue"), [(None, 75), (NEWER, 76)])
@pytest.mark.parametrize("workers", [0, 1])
async def test_records_are_read_by_the_code_lists_and_the_policy_that_are_given(codes, issue, workers):
    parsers = Parsers(workers, codes)
    try:
        if workers:
            await ready(parsers)
        parsed = await parsers.parse([ODD] * 65, context(), derives_reference=True)
        refused = await parsers.parse([ODD] * 65, context())
    finally:
        parsers.close()
    says = f"code 'ZZ' is not in list 64 (PublishingStatus), Issue {issue}"
    assert {("01:7", says, "no RecordReference; 01:7 stands in for it")} == {
        (each.product.reference, *(noted.says for noted in each.warnings))
        for each in parsed
        if not isinstance(each, RecordInvalid)
    }
    assert {"no RecordReference"} == set(read(refused))


async def test_a_worker_process_that_is_killed_costs_no_record():
    """By the kernel, for want of memory; the next batch is parsed by new ones."""
    parsers = await ready(Parsers(workers=2))
    given = bodies(300)
    expected = read(await Parsers().parse(given, context()))
    try:
        await parsers.parse(given, context())
        assert parsers._pool is not None
        first, *_ = killed = list(parsers._pool._processes)
        os.kill(first, signal.SIGKILL)
        both = await asyncio.gather(parsers.parse(given, context()), parsers.parse(given, context()))
        assert [expected, expected] == [read(results) for results in both]
        assert expected == read(await parsers.parse(given, context()))
        assert parsers._pool is not None
        assert not set(killed) & set(parsers._pool._processes)
    finally:
        parsers.close()


CHILD = """
import anyio, sys
from syncengine.onix.parsing import parse
from syncengine.ports import KnownRecord, RecordStatus
from syncengine.service.parsers import Base, Parsers
from tests.records import context, record

async def main():
    parsers = Parsers(workers=2)
    await parsers.parse([record("", reference=f"r{n}") for n in range(300)], context())
    print(*parsers._pool._processes, flush=True)
    await anyio.sleep_forever()

if __name__ == "__main__":
    anyio.run(main)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_worker_processes_die_with_a_process_that_is_killed(root, tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    child = subprocess.Popen(
        [sys.executable, str(tmp_path / "child.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert child.stdout is not None
    workers = [int(pid) for pid in child.stdout.readline().split()]
    assert len(workers) == 2
    assert all(is_running(pid) for pid in workers)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    until = time.monotonic() + 20
    while any(is_running(pid) for pid in workers) and time.monotonic() < until:
        os.sched_yield()
    assert not [pid for pid in workers if is_running(pid)]
