"""A store of schema 1 is brought up to this build with all that it holds, or left as it was."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from state.sqlite import SqliteStore, open_store
from state.sqlite.codec import compress, to_micros
from state.sqlite.contexts import context_of, essence_of
from state.sqlite.migrate import Migration, migrate, shipped
from syncengine.domain.frame import Context, MessageHeader, TagStyle
from syncengine.domain.ids import PassId, RecordId, RecordReference, StreamName
from syncengine.domain.message import MessageMark
from syncengine.domain.passes import PassMode, RecordOutcome
from syncengine.errors import StoreFailed
from syncengine.ports import AsideKind, SetAside, StreamState, Urgency
from tests.clock import START as NOW
from tests.clock import JumpClock
from tests.contract.store_suite import ENQ, ONIX, OTHER, STOCK, apply, aside, key, open_pass, record_write

BEFORE = NOW - timedelta(days=1)
FILES = StreamName("files")
LONG = (
    b'<?xml version="1.0" encoding="ISO-8859-1"?>'
    b'<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">'
)
SHORT = b'<?xml version="1.0" encoding="UTF-8"?><o:ONIXmessage release=\'3.1\' xmlns:o="http://ns.editeur.org/onix/3.1/short">'
LONG_CONTEXT = Context(
    encoding="ISO-8859-1",
    release="3.0",
    style=TagStyle.REFERENCE,
    opening=LONG,
    closing=b"</ONIXMessage>",
    header=MessageHeader(),
)
SHORT_CONTEXT = Context(
    encoding="UTF-8",
    release="3.1",
    style=TagStyle.SHORT,
    opening=SHORT,
    closing=b"</o:ONIXmessage>",
    header=MessageHeader(),
)


def packed(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def product(reference: str) -> dict[str, Any]:
    """As the first build wrote one."""
    territory = {"countries_included": ["CA"], "regions_included": [], "countries_excluded": [], "regions_excluded": []}
    price = {
        "type": "04",
        "amount": "12.90",
        "currency": "CAD",
        "territory": territory,
        "taxes": [],
        "conditions": False,
    }
    return {
        "reference": reference,
        "notification_type": "03",
        "title": "L'été",
        "publishing_dates": [{"role": "01", "date": {"text": "20260901", "format": "00"}}],
        "supplies": [{"markets": [], "details": [{"availability": "20", "prices": [price]}]}],
    }


def report(stream: StreamName, started_at: datetime = BEFORE) -> bytes:
    return packed(
        {
            "source": ENQ,
            "stream": stream,
            "mode": "full",
            "started_at": started_at,
            "complete": False,
            "bytes": 9,
            "outcomes": dict.fromkeys(RecordOutcome, 0) | {"added": 3},
            "vanished": 0,
            "seconds": 1.5,
            "changes": {"price": 2},
            "warnings": ["odd"],
        }
    )


def staged_write(reference: str) -> bytes:
    return compress(
        packed(
            {
                "record_id": None,
                "reference": reference,
                "status": "live",
                "fingerprint": b"f" * 16,
                "frame_length": 9,
                "opening": LONG,
                "closing": b"</ONIXMessage>",
                "body": b"<Product/>",
                "product": product(reference),
                "key": None,
                "previous_key": None,
                "change": None,
                "repeated": False,
            }
        )
    )


def add(db: sqlite3.Connection, table: str, **columns: Any) -> None:
    places = ", ".join(f":{name}" for name in columns)
    db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", columns)


def add_aside(db: sqlite3.Connection, table: str, reference: str | None, body: bytes, **columns: Any) -> None:
    given = {
        "source": ENQ,
        "same_as": f"reference {reference}" if table == "quarantine" and reference else f"bytes {body.hex()}",
        "stream": ONIX,
        "part": "page 1",
        "reference": reference,
        "offset": 10,
        "line": 2,
        "reason": "no title",
        "body": compress(body),
        "at": to_micros(BEFORE),
    }
    add(db, table, **{**given, **columns})


def add_pass(
    db: sqlite3.Connection, number: int, stream: StreamName, *, ended: bool = False, applying: bool = False
) -> None:
    add(
        db,
        "passes",
        id=number,
        source=ENQ,
        stream=stream,
        mode="full",
        staged=1,
        applying=applying,
        high_water=2,
        started_at=to_micros(BEFORE),
        ended_at=to_micros(BEFORE) if ended else None,
        complete=ended,
        report=report(stream),
        tallies=packed({"known": 2}),
    )


def fill(db: sqlite3.Connection) -> None:
    """What a first build may have left behind: records, frames set aside, passes under way."""
    add(db, "identity", only_row=1, id="0" * 32, seed=str(2**64 - 1), prefix="ab12", created_at=0)
    add(db, "contexts", id=4, opening=LONG, closing=b"</ONIXMessage>")
    add(db, "contexts", id=7, opening=SHORT, closing=b"</o:ONIXmessage>")
    for number, reference, context_id in ((1, "ré1", 4), (2, "r2", 7)):
        columns = {
            "status": "live",
            "fingerprint": b"f" * 16,
            "frame_length": 9,
            "context_id": context_id,
            "repeated": 0,
        }
        title = {"isbn": key(number).isbn, "format": "epub", "applied_pass": 1, "applied_at": to_micros(BEFORE)}
        add(db, "records", id=number, source=ENQ, reference=reference, stream=ONIX, **columns, **title)
        add(
            db,
            "record_facts",
            record_id=number,
            product=compress(packed(product(reference))),
            body=compress(b"<body/>"),
        )
    quarantined: tuple[tuple[str | None, bytes, str], ...] = (
        ("r1", b"<a>", ENQ),
        (None, b"<b>", ENQ),
        ("dropped", b"<c>", ENQ),
        ("r1", b"<d>", OTHER),
        ("dropped", b"<e>", OTHER),
    )
    for bad, body, source in quarantined:
        add_aside(db, "quarantine", bad, body, source=source)
    db.execute("DELETE FROM quarantine WHERE reference = 'dropped'")
    for waits_for, body in (("r9", b"<second>"), ("r9", b"<first>"), ("r1", b"<a>")):
        add_aside(db, "held_updates", waits_for, body)
    add_pass(db, 1, ONIX, ended=True)
    for number, stream, applying in ((2, ONIX, True), (3, STOCK, False), (4, FILES, False)):
        add_pass(db, number, stream, applying=applying)
        add(db, "seen_records", pass_id=number, record_ids=(1).to_bytes(8, "little"))
        add(
            db,
            "streams",
            source=ENQ,
            stream=stream,
            cursor=b"page 2",
            last_complete_at=to_micros(BEFORE),
            last_full_at=to_micros(BEFORE),
            last_full_records=2,
            last_message=packed({"Éditions": "20260302T1200", "b": "20260301"}),
        )
    for number, reference in ((2, "r2"), (2, "r3"), (3, "r3")):
        add(db, "staged_writes", pass_id=number, reference=reference, body=staged_write(reference))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of schema 1 with data."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, shipped()[:1], to_micros(BEFORE))
        db.execute("BEGIN")
        fill(db)
        db.execute("COMMIT")
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(path, clock=JumpClock())
    yield store
    await store.aclose()


async def test_records_keep_their_ids_and_are_read_in_the_contexts_that_their_ends_tell(store: SqliteStore):
    async with store.transaction(Urgency.INTAKE) as tx:
        known = await tx.records.known(ENQ, [RecordReference("ré1"), RecordReference("r2")])
        assert [1, 2] == [record.id for record in await tx.records.by_id([RecordId(1), RecordId(2)])]
        index = await tx.records.index(ENQ)
        assert ([0, 1], [1, 2]) == ([index.find("ré1".encode()), index.find(b"r2")], list(index.ids))

    first, second = known[RecordReference("ré1")], known[RecordReference("r2")]
    assert not first.is_plain, "nobody knows how an older build read it"
    assert (LONG_CONTEXT, SHORT_CONTEXT) == (first.context, second.context)
    assert ("L'été", "12.90", b"<body/>", key(1)) == (
        first.product.title,
        str(first.product.supplies[0].details[0].prices[0].amount),
        first.body,
        first.key,
    )


async def test_identity_and_what_a_schema_leaves_alone_stay(store: SqliteStore):
    assert ("0" * 32, 2**64 - 1, "ab12") == (store.identity.id, store.identity.seed, store.identity.prefix)
    async with store.transaction(Urgency.COMMAND) as tx:
        reports = await tx.passes.recent(10)
    assert [3] * 4 == [found.outcomes[RecordOutcome.ADDED] for found, _ in reports]
    assert BEFORE == reports[-1][1]


def kept(reference: str | None, body: bytes, kind: AsideKind, number: int, **changed: Any) -> SetAside:
    """What an older build set aside: without its context and its message's mark."""
    old = aside(reference, body, kind=kind, context=None, mark=MessageMark(), at=BEFORE, id=number)
    return replace(old, **changed)


async def test_what_was_quarantined_keeps_its_number_and_what_was_held_its_order(store: SqliteStore):
    quarantined, held = AsideKind.QUARANTINED, AsideKind.HELD
    expected = [
        kept("r1", b"<a>", quarantined, 1),
        kept(None, b"<b>", quarantined, 2),
        kept("r1", b"<d>", quarantined, 4, source=OTHER),
        kept("r9", b"<second>", held, 6),
        kept("r9", b"<first>", held, 7),
        kept("r1", b"<a>", held, 8),
    ]
    async with store.transaction(Urgency.COMMAND) as tx:
        assert expected == list(await tx.records.aside())
        assert {"r9": expected[3:5]} == await tx.records.held(ENQ, [RecordReference("r9")])
        assert {"r1": None} == await tx.records.quarantined_references(ENQ)


async def test_what_is_set_aside_again_is_recognised_and_new_numbers_are_new(store: SqliteStore):
    again = [aside("r1", b"<a>", at=NOW), aside(None, b"<new>")]
    async with store.transaction(Urgency.INTAKE) as tx:
        assert again[1:] == list(await tx.records.set_aside(again))
        replaced, new = (row for row in await tx.records.aside(ENQ) if row.at == NOW)
        assert replace(again[0], id=1) == replaced
        assert new.id > 8
        await tx.records.clear_quarantine(ENQ, [RecordReference("r1")])
        assert [] == [row for row in await tx.records.aside(ENQ, [AsideKind.QUARANTINED]) if row.reference]


async def test_a_pass_that_staged_anything_is_given_up_where_its_stream_stands(store: SqliteStore):
    """The marks of its stream may name messages that were never applied; one that was being applied had moved its cursor on."""
    async with store.transaction(Urgency.INTAKE) as tx:
        for stream, cursor in ((ONIX, None), (STOCK, b"page 2")):
            assert await tx.passes.unfinished(ENQ, stream) is None
            assert StreamState(
                cursor=cursor, last_complete_at=BEFORE, last_full_at=BEFORE, last_full_records=2
            ) == await tx.passes.stream(ENQ, stream)
        assert {ONIX: NOW, STOCK: NOW, FILES: None} == {
            found.stream: ended for found, ended in (await tx.passes.recent(10))[:3]
        }
        assert not any(found.complete for found, _ in await tx.passes.recent(3))
        state = await open_pass(tx)
        assert [] == list(await tx.passes.staged(replace(state, id=PassId(2)), 10))
        assert [] == list(await tx.passes.seen(replace(state, id=PassId(2))))


async def test_what_a_second_build_staged_is_read_again(tmp_path: Path):
    """The cursor of a stream that was being applied is given back, and of neither stream a message counts as known."""
    path = tmp_path / "second.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, shipped()[:2], to_micros(BEFORE))
        for number, stream, applying in ((1, ONIX, True), (2, STOCK, False)):
            add_pass(db, number, stream, applying=applying)
            marks = packed({"sender": "20260302T1200"})
            add(db, "streams", source=ENQ, stream=stream, cursor=b"page 2", last_message=marks)
            add(db, "staged_writes", pass_id=number, reference="r1", body=staged_write("r1"))
    store = await open_store(path, clock=JumpClock())
    async with store.transaction(Urgency.INTAKE) as tx:
        for stream, cursor in ((ONIX, None), (STOCK, b"page 2")):
            assert await tx.passes.unfinished(ENQ, stream) is None
            assert StreamState(cursor=cursor) == await tx.passes.stream(ENQ, stream)
        assert [] == list(await tx.passes.staged(await open_pass(tx), 10))
    await store.aclose()


async def test_a_pass_that_staged_nothing_is_gone_on_with(store: SqliteStore):
    async with store.transaction(Urgency.INTAKE) as tx:
        found = await tx.passes.unfinished(ENQ, FILES)
        assert found is not None
        assert (4, PassMode.FULL, {"known": 2}, ["odd"]) == (found.id, found.mode, found.tallies, found.report.warnings)
        assert [1] == list(await tx.passes.seen(found))


async def test_the_newest_messages_of_senders_are_kept_by_their_instants(store: SqliteStore):
    async with store.transaction(Urgency.INTAKE) as tx:
        state = await tx.passes.begin(ENQ, FILES, PassMode.DELTA, staged=False, at=NOW)
        old = {"Éditions": MessageMark(sent_at="20260302T1200"), "b": MessageMark(sent_at="20260301")}
        assert old == (await tx.passes.stream(ENQ, FILES)).last_message
        newer = MessageMark(sent_at="20260303", number="1")
        await tx.passes.progress(state, state.report, {}, message={"b": newer})
        assert {**old, "b": newer} == (await tx.passes.stream(ENQ, FILES)).last_message


async def test_new_records_share_the_old_contexts_and_references_hold(store: SqliteStore, path: Path):
    defaults = replace(LONG_CONTEXT, header=MessageHeader(default_currency="EUR"))
    await apply(store, record_write("r3", context=LONG_CONTEXT), record_write("r4", context=defaults))
    await store.aclose()

    with closing(sqlite3.connect(path)) as db:
        contexts = [number for (number,) in db.execute("SELECT context_id FROM records ORDER BY id")]
        assert [4, 7, 4, 8] == contexts
        assert [] == db.execute("PRAGMA foreign_key_check").fetchall()
        assert "ok" == db.execute("PRAGMA integrity_check").fetchone()[0]
        db.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            db.execute("DELETE FROM contexts WHERE id = 7")


async def test_a_store_is_migrated_once(store: SqliteStore, path: Path):
    await store.aclose()
    with closing(sqlite3.connect(path)) as db:
        before = list(db.iterdump())

    await (await open_store(path, clock=JumpClock())).aclose()

    with closing(sqlite3.connect(path)) as db:
        assert before == list(db.iterdump())


async def test_a_backup_of_a_migrated_store_is_whole(store: SqliteStore, tmp_path: Path):
    await store.backup(str(tmp_path / "copy.db"))

    copy = await open_store(tmp_path / "copy.db", clock=JumpClock())
    async with copy.transaction(Urgency.COMMAND) as tx:
        assert 2 == await tx.records.live_count(ENQ)
        assert {
            **dict.fromkeys(AsideKind, 0),
            AsideKind.QUARANTINED: 3,
            AsideKind.HELD: 3,
        } == await tx.records.count_aside()
    await copy.aclose()


BREAKS = {
    "a statement": ("SELECT nonsense FROM nowhere;", sqlite3.OperationalError),
    "an unfinished statement": ("DROP TABLE", sqlite3.OperationalError),
    "a function": ("SELECT essence_of(1, 2);", sqlite3.OperationalError),
    "a reference": ("DELETE FROM contexts WHERE id = 7;", StoreFailed),
    "a record of itself": ("INSERT INTO migrations VALUES (2, '', 0);", sqlite3.IntegrityError),
}


@pytest.mark.parametrize("where", BREAKS)
async def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path, where: str):
    statement, error = BREAKS[where]
    first, second = shipped()[:2]
    broken = replace(second, script=f"{second.script}\n{statement}")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = list(db.iterdump())

        with pytest.raises(error):
            migrate(db, [first, broken], to_micros(NOW))

        assert not db.in_transaction
        assert before == list(db.iterdump())
        assert 1 == db.execute("PRAGMA foreign_keys").fetchone()[0]
    store = await open_store(path, clock=JumpClock())
    async with store.transaction(Urgency.COMMAND) as tx:
        assert 2 == await tx.records.live_count(ENQ)
    await store.aclose()


def test_a_migration_that_would_lose_what_rows_refer_to_says_so(path: Path):
    script = Migration(version=2, name="0002_broken.sql", script="DELETE FROM contexts;")
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as db,
        pytest.raises(
            StoreFailed, match=r"0002_broken\.sql cannot be applied: a row of records .* contexts"
        ) as failure,
    ):
        migrate(db, [*shipped()[:1], script], to_micros(NOW))
    assert "as it was" in failure.value.hint


@pytest.mark.parametrize(
    ("opening", "encoding", "release", "style"),
    [
        pytest.param(LONG, "ISO-8859-1", "3.0", TagStyle.REFERENCE, id="reference names"),
        pytest.param(SHORT, "UTF-8", "3.1", TagStyle.SHORT, id="short tags with a prefix"),
        pytest.param(
            b'<?xml version="1.0" encoding="windows-1252"?><ONIXMessage xmlns="http://www.editeur.org/onix/3.1/reference">',
            "windows-1252",
            "3.1",
            TagStyle.REFERENCE,
            id="release by the namespace alone",
        ),
        pytest.param(
            b'<?xml version="1.0" encoding="UTF-8"?><ONIXMessage release="" xmlns="http://ns.editeur.org/onix/3.1/reference">',
            "UTF-8",
            "3.1",
            TagStyle.REFERENCE,
            id="a release that says nothing",
        ),
        pytest.param(
            b'<?xml version="1.0" encoding="UTF-8"?><ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release=" 3.1">',
            "UTF-8",
            "3.1",
            TagStyle.REFERENCE,
            id="release against the namespace",
        ),
        pytest.param(
            b'<?xml version="1.0" encoding="UTF-8"?><ONIXmessage>',
            "UTF-8",
            "3.0",
            TagStyle.SHORT,
            id="release by content",
        ),
        pytest.param(
            b'<?xml version="1.0" encoding="UTF-8"?><ONIXMessages release="3.0">',
            "UTF-8",
            "3.0",
            TagStyle.REFERENCE,
            id="a misspelled root",
        ),
        pytest.param(
            b'<?xml version="1.0" encoding="UTF-8"?><o:ONIXMessage xmlns:o="urn:x" xmlns:release="9.9" release="3.1">',
            "UTF-8",
            "3.1",
            TagStyle.REFERENCE,
            id="a prefix named release",
        ),
        pytest.param(b"\xff", "UTF-8", "3.0", TagStyle.REFERENCE, id="nothing to go by"),
    ],
)
def test_what_a_context_of_schema_1_lacks_is_read_off_its_opening(
    opening: bytes, encoding: str, release: str, style: TagStyle
):
    expected = Context(
        encoding=encoding, release=release, style=style, opening=opening, closing=b"</>", header=MessageHeader()
    )
    assert expected == context_of(essence_of(opening, b"</>"))
