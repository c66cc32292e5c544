"""The SQLite store: the contract of every store, and what a file on a disk adds to it."""
# ruff: noqa: ASYNC220, ASYNC240 - a test may wait for a file or a child of its own

import asyncio
import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from state.sqlite import SqliteStore, aside, contexts, open_store, orders, outbox, records, staging, titles
from state.sqlite.section import Section
from syncengine.domain.ids import RecordId
from syncengine.errors import StoreFailed, StoreLocked
from syncengine.ports import Store, Transaction, Urgency
from tests.clock import START as NOW
from tests.clock import JumpClock
from tests.contract.store_suite import ENQ, Opener, StoreSuite, apply, new_entry, put, record_write

ROOT = Path(__file__).parents[2]


class TestSqliteStore(StoreSuite):
    """The whole contract."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        async def again() -> Store:
            return await open_store(f"sqlite:{tmp_path / 'var' / 'store.db'}", clock=JumpClock())

        return again


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(path, clock=JumpClock())
    yield store
    await store.aclose()


@pytest.fixture
async def statements(store: SqliteStore) -> list[str]:
    """The statements that end or begin physical transactions, as SQLite runs them."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if statement.split(maxsplit=1)[0] in {"BEGIN", "COMMIT", "ROLLBACK"} and "TO" not in statement.split():
            seen.append(statement)

    await store._connection.set_trace_callback(note)
    return seen


async def keep(store: Store, name: str, value: str = "x", urgency: Urgency = Urgency.TRADE) -> None:
    async with store.transaction(urgency) as tx:
        await tx.controls.set_setting(name, value)


async def kept(store: Store, name: str) -> str | None:
    async with store.transaction(Urgency.COMMAND) as tx:
        return await tx.controls.setting(name)


def raw(tx: Transaction) -> Section:
    """The section itself, for statements that no port has."""
    assert isinstance(tx, Section)
    return tx


def rows_of(db: sqlite3.Connection, statement: str, values: tuple[int, ...] | dict[str, int] = ()) -> list[sqlite3.Row]:
    return db.execute(statement, values).fetchall()


def run_child(code: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


# --- group commit -------------------------------------------------------------------------------------------------------------


async def test_sections_that_wait_share_a_commit(store: SqliteStore, statements: list[str], path: Path):
    await asyncio.gather(*(keep(store, f"name {number}") for number in range(200)))

    assert 4 == statements.count("COMMIT"), "64 sections to a commit"
    shutil.copy(path, path.with_name("copy.db"))
    shutil.copy(path.with_name("store.db-wal"), path.with_name("copy.db-wal"))
    with closing(sqlite3.connect(path.with_name("copy.db"))) as copy:
        assert 200 == copy.execute("SELECT count(*) FROM settings").fetchone()[0]


async def test_a_lone_section_is_committed_at_once(store: SqliteStore, statements: list[str]):
    await keep(store, "a")
    await keep(store, "b")

    assert ["BEGIN IMMEDIATE", "COMMIT"] * 2 == statements


async def test_a_section_that_only_reads_opens_no_transaction(store: SqliteStore, statements: list[str]):
    await asyncio.gather(*(kept(store, "a") for _ in range(20)))

    assert [] == statements


async def test_a_reader_that_saw_open_writes_returns_after_their_commit(store: SqliteStore, statements: list[str]):
    """What it read must not turn out never to have been."""
    seen: list[tuple[str | None, int]] = []

    async def read() -> None:
        value = await kept(store, "a")
        seen.append((value, statements.count("COMMIT")))

    await asyncio.gather(keep(store, "a", urgency=Urgency.COMMAND), read(), read())

    assert [("x", 1), ("x", 1)] == seen


@pytest.mark.parametrize("deliveries", [1, 3])
async def test_the_urgent_do_not_wait_for_the_less_urgent(store: SqliteStore, statements: list[str], deliveries: int):
    """Deliveries are durable before the intake that waits behind them begins."""
    begun_after: list[int] = []

    async def intake() -> None:
        async with store.transaction(Urgency.INTAKE) as tx:
            begun_after.append(statements.count("COMMIT"))
            await tx.controls.set_setting("intake", "x")

    await asyncio.gather(*(keep(store, f"{n}", urgency=Urgency.DELIVERY) for n in range(deliveries)), intake())

    assert [1] == begun_after
    assert 2 == statements.count("COMMIT")


async def test_the_less_urgent_wait_for_the_urgent_that_join_them(store: SqliteStore, statements: list[str]):
    await asyncio.gather(keep(store, "a", urgency=Urgency.INTAKE), keep(store, "b", urgency=Urgency.DELIVERY))

    assert 1 == statements.count("COMMIT")


@pytest.mark.parametrize("through", ["asyncio", "anyio"])
async def test_a_cancelled_section_ends_before_the_cancellation_is_felt(store: SqliteStore, through: str):
    """Who hears of the cancellation can rely on what the store then says."""
    committing, go_on = asyncio.Event(), threading.Event()
    genuine, loop = store._commit, asyncio.get_running_loop()

    def slow(db: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(committing.set)
        go_on.wait(30)
        genuine(db)

    store._commit = slow  # type: ignore[method-assign]
    scope = anyio.CancelScope()

    async def section() -> None:
        with scope:
            await keep(store, "a")
            await anyio.lowlevel.checkpoint()

    task = asyncio.create_task(section())
    await committing.wait()
    for _ in range(3):
        if through == "asyncio":
            task.cancel()
        else:
            scope.cancel()
        await asyncio.sleep(0.01)
    assert not task.done()
    go_on.set()
    await asyncio.wait([task])

    assert (through == "asyncio", through == "anyio") == (task.cancelled(), scope.cancelled_caught)
    assert "x" == await kept(store, "a")


async def test_who_is_cancelled_as_the_turn_comes_leaves_nobody_behind(store: SqliteStore):
    """The writes of those before wait for it to commit, and those after it for the turn."""
    genuine = store._pass_on

    def pass_on() -> None:
        genuine()
        second.cancel()

    store._pass_on = pass_on  # type: ignore[method-assign]
    first = asyncio.create_task(keep(store, "first"))
    await asyncio.sleep(0)
    second = asyncio.create_task(keep(store, "second"))

    async with asyncio.timeout(10):
        await first
        await asyncio.wait([second])
        assert second.cancelled()
        assert ["x", None] == [await kept(store, name) for name in ("first", "second")]


async def test_groups_are_bounded_in_time(path: Path):
    """However many sections keep coming, the first of them is not held up for long."""
    clock = JumpClock()
    store = await open_store(path, clock=clock)
    commits = 0

    def note(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    await store._connection.set_trace_callback(note)

    async def section(number: int) -> None:
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.controls.set_setting(f"{number}", "x")
            clock.advance(0.011)

    await asyncio.gather(*(section(number) for number in range(30)))
    await store.aclose()

    assert 8 <= commits <= 15


async def test_when_a_commit_fails_every_section_of_it_says_so_and_the_store_goes_on(store: SqliteStore):
    fail = True
    genuine = store._commit

    def refuse(db: sqlite3.Connection) -> None:
        if fail:
            raise sqlite3.OperationalError("disk I/O error")
        genuine(db)

    store._commit = refuse  # type: ignore[method-assign]

    outcomes = await asyncio.gather(*(keep(store, f"{number}") for number in range(10)), return_exceptions=True)

    assert [StoreFailed] * 10 == [type(outcome) for outcome in outcomes]
    assert 10 == len({id(outcome) for outcome in outcomes})
    fail = False
    await keep(store, "after")
    assert [None, "x"] == [await kept(store, "0"), await kept(store, "after")]


async def test_a_transaction_that_sqlite_gave_up_takes_nobody_halfway(store: SqliteStore):
    """A full disk rolls everything back behind our back: the section that saw it fails, and so do those before it."""

    async def lose() -> None:
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.controls.set_setting("lost", "x")
            await raw(tx).read(rows_of, "ROLLBACK")
            with pytest.raises(StoreFailed, match="lost"):
                await tx.controls.set_setting("would be half", "x")

    outcomes = await asyncio.gather(keep(store, "before"), lose(), keep(store, "after"), return_exceptions=True)

    assert [StoreFailed, StoreFailed, type(None)] == [type(outcome) for outcome in outcomes]
    assert [None, None, None, "x"] == [await kept(store, name) for name in ("before", "lost", "would be half", "after")]


async def test_a_write_that_failed_after_its_caller_was_cancelled_is_not_kept(store: SqliteStore):
    """Who is cancelled never hears of the failure; the section must remember it."""

    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO settings VALUES ('half', 'x')")
        raise sqlite3.OperationalError("too bad")

    async def go_on() -> None:
        async with store.transaction(Urgency.TRADE) as tx:
            write = asyncio.create_task(raw(tx).write(half))
            await asyncio.sleep(0)
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)

    with pytest.raises(StoreFailed, match="nothing of this section was kept: too bad"):
        await go_on()

    assert await kept(store, "half") is None


async def test_a_section_cannot_be_used_after_its_end(store: SqliteStore):
    async with store.transaction(Urgency.TRADE) as tx:
        leaked: Transaction = tx

    with pytest.raises(RuntimeError, match="has ended"):
        await leaked.controls.set_setting("a", "1")
    with pytest.raises(RuntimeError, match="has ended"):
        await leaked.controls.setting("a")


async def test_sections_do_not_nest(store: SqliteStore):
    """It would wait for itself for ever."""
    async with store.transaction(Urgency.TRADE) as tx:
        await tx.controls.set_setting("a", "1")
        with pytest.raises(RuntimeError, match="inside another"):
            await keep(store, "b")
        with pytest.raises(RuntimeError, match="inside another"):
            await store.backup("somewhere")

    assert "1" == await kept(store, "a")


async def test_closing_lets_those_who_wait_finish(path: Path):
    store = await open_store(path, clock=JumpClock())
    sections = [asyncio.create_task(keep(store, f"{number}")) for number in range(20)]
    await asyncio.sleep(0)

    await store.aclose()
    await asyncio.gather(*sections)

    again = await open_store(path, clock=JumpClock())
    assert ["x"] * 20 == [await kept(again, f"{number}") for number in range(20)]
    await again.aclose()


async def test_whatever_becomes_of_sections_the_turn_is_always_passed_on(path: Path, rng: random.Random):
    """Sections that read, write, fail, are cancelled, lose their transaction or meet a failing commit, in any mixture: each is
    whole or absent, what was said to be kept is kept, and nobody waits for ever.
    """
    store = await open_store(path, clock=JumpClock())
    genuine = store._commit
    promised: set[int] = set()

    def commit(db: sqlite3.Connection) -> None:
        if rng.random() < 0.1:
            raise sqlite3.OperationalError("disk I/O error")
        genuine(db)

    store._commit = commit  # type: ignore[method-assign]

    async def section(number: int) -> None:
        async with store.transaction(rng.choice(list(Urgency))) as tx:
            await tx.controls.setting("first")
            if rng.random() < 0.2:
                return
            await tx.controls.set_setting(f"first {number}", "x")
            if rng.random() < 0.1:
                await asyncio.sleep(0)
            if rng.random() < 0.05:
                await raw(tx).read(rows_of, "ROLLBACK")
            if rng.random() < 0.1:
                raise ValueError(number)
            await tx.controls.set_setting(f"second {number}", "x")
        promised.add(number)

    async def cancelled_some_time(number: int) -> None:
        task = asyncio.create_task(section(number))
        if rng.random() < 0.3:
            for _ in range(rng.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for start in range(0, 1000, 50):
        async with asyncio.timeout(30):
            await asyncio.gather(*(cancelled_some_time(number) for number in range(start, start + 50)))
    store._commit = genuine  # type: ignore[method-assign]
    await store.aclose()

    with closing(sqlite3.connect(path)) as db:
        found = {name for (name,) in db.execute("SELECT name FROM settings")}
    halves = [{int(name.split()[1]) for name in found if name.startswith(half)} for half in ("first", "second")]
    assert halves[0] == halves[1]
    assert promised <= halves[0]
    assert len(promised) > 100


# --- the file -----------------------------------------------------------------------------------------------------------------


async def test_folders_and_files_are_for_this_user_alone(tmp_path: Path):
    path = tmp_path / "a" / "b" / "store.db"
    before = os.umask(0)
    try:
        store = await open_store(f"sqlite:{path}", clock=JumpClock())
        await keep(store, "a")
    finally:
        os.umask(before)

    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    await store.aclose()
    assert {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600, "store.db.lock": 0o600} == modes
    assert [0o700, 0o700] == [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)]


@pytest.mark.parametrize("spell", ["sqlite:store.db", "sqlite:./store.db", "store.db", Path("store.db")])
async def test_relative_paths_start_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spell):
    monkeypatch.chdir(tmp_path)

    await (await open_store(spell, clock=JumpClock())).aclose()

    assert (tmp_path / "store.db").exists()


async def test_absolute_addresses_with_slashes_are_understood(tmp_path: Path):
    await (await open_store(f"sqlite://{tmp_path / 'store.db'}", clock=JumpClock())).aclose()

    assert (tmp_path / "store.db").exists()


@pytest.mark.parametrize("url", ["postgresql://host/name", "sqlite:", "sqlite::memory:", ""])
async def test_addresses_that_name_no_file_are_refused(url: str):
    with pytest.raises(StoreFailed) as failure:
        await open_store(url, clock=JumpClock())
    assert "sqlite:var/" in failure.value.hint


async def test_settings_of_the_connection(store: SqliteStore):
    async with store.transaction(Urgency.COMMAND) as tx:
        found = {
            name: (await raw(tx).read(rows_of, f"PRAGMA {name}"))[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000} == found


async def test_migrations_are_recorded(store: SqliteStore, path: Path):
    await store.aclose()

    with closing(sqlite3.connect(path)) as db:
        recorded = db.execute("SELECT * FROM migrations ORDER BY version").fetchall()
    applied_at = int(NOW.timestamp() * 1_000_000)
    files = sorted(file.name for file in (ROOT / "state" / "schema").glob("*.sql"))
    assert [(number, name, applied_at) for number, name in enumerate(files, start=1)] == recorded
    assert "0001_begin.sql" == files[0]


async def test_a_second_process_is_told_who_owns_the_store(store: SqliteStore, path: Path):
    child = run_child(OPEN_AND_TELL, str(path))

    assert "StoreLocked" == child.stdout.splitlines()[0], child.stderr
    assert f"pid {os.getpid()}" in child.stdout
    assert "running daemon" in child.stdout
    await keep(store, "a")


async def test_a_second_opening_in_one_process_is_refused_too(store: SqliteStore, path: Path):
    with pytest.raises(StoreLocked, match=f"pid {os.getpid()}"):
        await open_store(path, clock=JumpClock())


async def test_the_lock_is_not_inherited(store: SqliteStore, path: Path):
    """A program that is started may outlive the engine; it must not keep the store."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as heir:
        try:
            await store.aclose()
            await (await open_store(path, clock=JumpClock())).aclose()
        finally:
            heir.communicate(b"\n")


async def test_a_failed_opening_gives_the_lock_back(path: Path):
    path.write_text("no database at all, but a page of prose\n" * 30)
    for _ in range(2):
        with pytest.raises(StoreFailed, match="no SQLite database") as failure:
            await open_store(path, clock=JumpClock())
        assert not isinstance(failure.value, StoreLocked)


async def test_a_database_of_another_program_is_left_alone(path: Path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()

    with pytest.raises(StoreFailed, match="another program") as failure:
        await open_store(path, clock=JumpClock())

    assert "url" in failure.value.hint
    assert before == path.read_bytes()


async def test_a_store_of_a_newer_build_is_refused_untouched(path: Path):
    await (await open_store(path, clock=JumpClock())).aclose()
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO migrations VALUES (99, '0099_future.sql', 0)")
        db.commit()
    before = path.read_bytes()

    with pytest.raises(StoreFailed, match="has schema 99, this build knows 5") as failure:
        await open_store(path, clock=JumpClock())

    assert "newer build" in failure.value.hint
    assert before == path.read_bytes()


@pytest.mark.parametrize("damage", ["truncated", "schema", "middle"])
async def test_a_damaged_file_is_called_damaged(path: Path, damage: str):
    store = await open_store(path, clock=JumpClock())
    await apply(store, *(record_write(f"r{number}", number=number) for number in range(300)))
    await store.aclose()
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "schema":
        content[100:4096] = b"\xff" * 3996
    else:
        content[4096 * 3 :] = b"\xaa" * (len(content) - 4096 * 3)
    path.write_bytes(content)

    async def read_all() -> None:
        store = await open_store(path, clock=JumpClock())
        try:
            async with store.transaction(Urgency.INTAKE) as tx:
                await tx.records.index(ENQ)
                await tx.records.by_id([RecordId(number) for number in range(1, 301)])
        finally:
            await store.aclose()

    with pytest.raises(StoreFailed, match="damaged") as failure:
        await read_all()
    assert "backup" in failure.value.hint


async def test_a_damaged_value_is_called_damaged(store: SqliteStore):
    await apply(store, record_write())

    async def damage_and_read(table: str, column: str) -> None:
        async with store.transaction(Urgency.INTAKE) as tx:
            await raw(tx).write(rows_of, f"UPDATE {table} SET {column} = x'00112233'")
            await tx.records.by_id([RecordId(1)])

    for table, column in (("record_facts", "body"), ("record_facts", "product"), ("contexts", "essence")):
        with pytest.raises(StoreFailed, match="cannot be read") as failure:
            await damage_and_read(table, column)
        assert "backup" in failure.value.hint


async def test_a_store_that_was_deleted_after_a_crash_is_not_begun_anew(path: Path):
    path.with_name("store.db-wal").write_bytes(b"x" * 100)

    with pytest.raises(StoreFailed, match="missing, while its journal"):
        await open_store(path, clock=JumpClock())

    assert not path.exists()


async def test_a_file_that_is_removed_in_use_takes_no_more_writes(store: SqliteStore, path: Path):
    await keep(store, "a")
    path.rename(path.with_name("moved.db"))

    with pytest.raises(StoreFailed, match="removed or replaced"):
        await keep(store, "b")

    path.with_name("moved.db").rename(path)
    await keep(store, "c")
    assert ["x", None, "x"] == [await kept(store, name) for name in ("a", "b", "c")]


@pytest.mark.parametrize("place", ["/proc/nowhere/store.db", "/dev/null/store.db", "{tmp}"])
async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str):
    place = place.format(tmp=tmp_path)

    with pytest.raises(StoreFailed, match="cannot be") as failure:
        await open_store(place, clock=JumpClock())
    assert "user the engine runs as" in failure.value.hint


async def test_a_read_only_folder_is_named():
    """As another user where the tests run as root, whom no folder stops."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        child = run_child(OPEN_AND_TELL, str(folder / "store.db"), "65534" if os.geteuid() == 0 else "")
    finally:
        folder.rmdir()

    assert "StoreFailed" == child.stdout.splitlines()[0], child.stderr
    assert "cannot be written: Permission denied" in child.stdout


async def test_a_process_that_forgets_to_close_its_store_ends_all_the_same(path: Path):
    child = run_child(OPEN_AND_TELL.replace("await store.aclose()", "store.kept = sys.kept = store"), str(path))

    assert ("opened", 0) == (child.stdout.strip(), child.returncode), child.stderr
    await (await open_store(path, clock=JumpClock())).aclose()


# --- backups ------------------------------------------------------------------------------------------------------------------


async def test_a_backup_opens_as_the_same_store(store: SqliteStore, tmp_path: Path):
    await apply(store, record_write())
    await put(store, new_entry())
    target = tmp_path / "copy.db"

    await asyncio.gather(*(keep(store, f"{number}") for number in range(10)), store.backup(str(target)))

    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    with closing(sqlite3.connect(target)) as db:
        assert "delete" == db.execute("PRAGMA journal_mode").fetchone()[0]
    assert ["copy.db"] == [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("copy.db")]
    copy = await open_store(target, clock=JumpClock())
    assert store.identity == copy.identity
    async with copy.transaction(Urgency.COMMAND) as tx:
        assert 1 == await tx.records.live_count(ENQ)
        assert 1 == (await tx.outbox.counts())["pending"]
    await copy.aclose()


async def test_a_backup_holds_nothing_that_is_not_committed(store: SqliteStore, tmp_path: Path):
    """It comes between sections that wait to be committed together."""
    target = tmp_path / "copy.db"
    genuine, failures = store._commit, [True]

    def refuse_once(db: sqlite3.Connection) -> None:
        if failures:
            failures.pop()
            raise sqlite3.OperationalError("disk I/O error")
        genuine(db)

    store._commit = refuse_once  # type: ignore[method-assign]
    lost, copied = await asyncio.gather(
        keep(store, "a", urgency=Urgency.COMMAND), store.backup(str(target)), return_exceptions=True
    )

    assert (StoreFailed, None) == (type(lost), copied)
    with closing(sqlite3.connect(target)) as copy:
        assert 0 == copy.execute("SELECT count(*) FROM settings").fetchone()[0]
        assert "ok" == copy.execute("PRAGMA integrity_check").fetchone()[0]


# --- crashes and full disks ---------------------------------------------------------------------------------------------------

OPEN_AND_TELL = """
import asyncio, os, sys
from state.sqlite import open_store
from syncengine.errors import StoreFailed
from tests.clock import JumpClock

if sys.argv[2:] > [""]:
    os.seteuid(int(sys.argv[2]))

async def main():
    try:
        store = await open_store(sys.argv[1], clock=JumpClock())
    except StoreFailed as error:
        print(type(error).__name__, error, error.hint, sep="\\n")
    else:
        await store.aclose()
        print("opened")

asyncio.run(main())
"""

WRITE_FOR_EVER = """
import asyncio, sys
from itertools import count
from state.sqlite import open_store
from syncengine.ports import Urgency
from tests.clock import JumpClock

async def main():
    store = await open_store(sys.argv[1], clock=JumpClock())
    numbers = count(int(sys.argv[2]))

    async def worker(urgency):
        for number in numbers:
            async with store.transaction(urgency) as tx:
                await tx.controls.set_setting(f"first {number}", "x")
                await asyncio.sleep(0)
                await tx.controls.set_setting(f"second {number}", "x")
            print(number, flush=True)

    await asyncio.gather(*(worker(urgency) for urgency in Urgency for _ in range(8)))

asyncio.run(main())
"""


async def test_a_killed_process_leaves_whole_sections_and_every_one_it_told_of(path: Path, rng):
    told: set[int] = set()
    for _ in range(10):
        start = max(told, default=-1) + 1000
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(path), str(start)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(rng.randrange(1, 300))]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        assert -signal.SIGKILL == child.returncode
        told |= {int(line) for line in lines if line.endswith("\n")}

        await (await open_store(path, clock=JumpClock())).aclose()
        with closing(sqlite3.connect(path)) as db:
            assert "ok" == db.execute("PRAGMA integrity_check").fetchone()[0]
            halves: dict[str, set[int]] = {"first": set(), "second": set()}
            for (name,) in db.execute("SELECT name FROM settings"):
                half, number = name.split()
                halves[half].add(int(number))
        assert halves["first"] == halves["second"]
        assert told <= halves["first"]


FILL_THE_DISK = """
import asyncio, os, resource, signal, sys
from state.sqlite import open_store
from syncengine.errors import StoreFailed
from syncengine.ports import Urgency
from tests.clock import JumpClock
from tests.contract.store_suite import apply, record_write

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

async def main():
    store = await open_store(sys.argv[1], clock=JumpClock())
    async with store.transaction(Urgency.COMMAND) as tx:
        await tx.controls.set_setting("before", "x")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))

    async def small(number):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.set_setting(f"small {number}", "x")

    big = [record_write(f"r{n}", number=n, body=os.urandom(3000)) for n in range(1000)]
    outcomes = await asyncio.gather(
        apply(store, *big), *(small(n) for n in range(3)), return_exceptions=True
    )
    print([type(outcome).__name__ for outcome in outcomes])
    print(outcomes[0], getattr(outcomes[0], "hint", ""))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await apply(store, *big)
    async with store.transaction(Urgency.COMMAND) as tx:
        print(await tx.records.live_count("enq"), await tx.controls.setting("before"), len(await tx.passes.recent(10)))
    await store.aclose()

asyncio.run(main())
"""


async def test_a_full_disk_keeps_nothing_of_a_section_and_the_store_goes_on_when_there_is_room(path: Path):
    child = run_child(FILL_THE_DISK, str(path))

    assert 0 == child.returncode, child.stderr
    outcomes, message, after = child.stdout.splitlines()
    assert outcomes.startswith("['StoreFailed'"), outcomes
    assert "disk" in message
    assert "1000 x 1" == after


# --- queries ------------------------------------------------------------------------------------------------------------------

HOT_QUERIES = {
    "ready entries": outbox._READY,
    "next entry": outbox._NEXT_AT,
    "orders of a title": orders._OF_TITLE,
    "orders in a state": orders._LIST.format(conditions="position > :after AND state = :state"),
    "passed instants": titles._PASSED,
    "records of a title": titles._PRODUCTS,
    "titles of marks": titles._TITLES_OF_MARKS,
    "records of marks": titles._PRODUCTS_OF_MARKS,
    "offers of marks": titles._OFFERS_OF_MARKS,
    "records by reference": records._KNOWN,
    "records that are gone": records._GONE,
    "live records": records._LIVE_COUNT,
    "records of titles": records._REFERENCES,
    "context": contexts._NUMBER,
    "staged writes": staging._STAGED,
    "staged writes by reference": staging._STAGED_OF,
    "staged records": staging._STAGED_IDS,
    **{
        f"staged writes applied, {number}": statement
        for number, statement in enumerate(staging._APPLY)
        if "UNION" not in statement
    },
    "memories of titles": titles._REMEMBERED,
    "what live records say": records._PRODUCTS,
    "what is set aside already": aside._ALREADY_KEPT,
    "held updates": aside._HELD,
    "quarantined references": aside._QUARANTINED_REFERENCES,
    "held updates that go": aside._RELEASE_HELD,
    "tests that go": aside._FORGET_TESTS,
}


@pytest.mark.parametrize("name", HOT_QUERIES)
async def test_what_runs_for_every_title_and_entry_walks_an_index_and_sorts_nothing(store: SqliteStore, name: str):
    """With a million orders of one title, a scan or a sort would hold everybody up for seconds."""
    statement = HOT_QUERIES[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    positional = (1,) * statement.count("?")

    async with store.transaction(Urgency.TRADE) as tx:
        plan = await raw(tx).read(rows_of, f"EXPLAIN QUERY PLAN {statement}", positional or values)

    details = [row["detail"] for row in plan]
    assert details
    assert [] == [line for line in details if "TEMP B-TREE" in line or ("SCAN" in line and "json_each" not in line)]
