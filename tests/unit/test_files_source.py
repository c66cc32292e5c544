"""ONIX files as a source: what is read, in which order, and how a file that is not whole is told."""

import asyncio
import gzip
import io
import os
import struct
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import zstandard

from adapters.files import FileSource, Pick
from adapters.files.archive import unreadable
from adapters.files.source import STREAM
from adapters.http import unpack
from syncengine.domain.ids import Isbn, SourceName
from syncengine.domain.passes import PassMode
from syncengine.errors import FeedTorn, InputUnreadable, NotOnix, UsageInvalid
from syncengine.ports import Part, PartialUpdates, PassEnd
from tests.clock import START
from tests.parts import content_of, pieces_of

BODY = b'<ONIXMessage release="3.0">' + b"<Product>" + os.urandom(3 << 20).hex().encode() + b"</Product></ONIXMessage>"
SMALL = b'<ONIXMessage release="3.0"/>'


def source(*paths: str | Path, mode: PassMode = PassMode.FULL, pick: Pick = Pick.ALL) -> FileSource:
    return FileSource(SourceName("backlist"), paths, mode=mode, pick=pick)


async def read(files: FileSource) -> list[tuple[str, bytes]]:
    """Every part with its whole content, and whether the pass came to its end."""
    parts: list[tuple[str, bytes]] = []
    ended = False
    async for step in files.read(STREAM, files.plan(STREAM, None, None, START), None):
        assert not ended
        if isinstance(step, PassEnd):
            assert step.cursor is None
            ended = True
        else:
            parts.append((step.name, await content_of(step)))
    assert ended
    return parts


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


PACKED = {
    "plain": BODY,
    "gzip": gzip.compress(BODY, 1),
    "gzip in two members": gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:]),
    "gzip padded with zeros": gzip.compress(BODY, 1) + b"\0" * 600,
    "gzip with junk behind it": gzip.compress(BODY, 1) + b"junk",
    "zstd": zstandard.compress(BODY, 1),
    "zstd in two frames": zstandard.compress(BODY[:1000]) + zstandard.compress(BODY[1000:]),
    "zip": zipped([("feed.xml", BODY)]),
}


@pytest.mark.parametrize("packing", PACKED)
async def test_reads_every_packing_by_content_under_any_name(tmp_path, packing):
    """The name says nothing; the bytes do."""
    file = tmp_path / "feed.bin"
    file.write_bytes(PACKED[packing])
    assert [content for _, content in await read(source(file))] == [BODY]


async def test_gives_pieces_of_at_most_a_mebibyte(tmp_path):
    file = tmp_path / "feed.xml.gz"
    file.write_bytes(gzip.compress(BODY, 1))
    files = source(file)
    async for step in files.read(STREAM, files.plan(STREAM, None, None, START), None):
        if not isinstance(step, PassEnd):
            sizes = [len(piece) for piece in await pieces_of(step)]
    assert len(BODY) == sum(sizes)
    assert max(sizes) == unpack.PIECE


CUT = {
    "gzip": gzip.compress(BODY, 1)[:-1],
    "gzip without its trailer": gzip.compress(BODY, 1)[:-8],
    "gzip, half": gzip.compress(BODY, 1)[: len(BODY) // 3],
    "gzip, second member": gzip.compress(BODY, 1) + gzip.compress(BODY, 1)[:50],
    "gzip, its magic alone": b"\x1f\x8b",
    "zstd": zstandard.compress(BODY, 1)[:-1],
    "zip": zipped([("feed.xml", BODY)])[:-30],
}


@pytest.mark.parametrize("packing", CUT)
async def test_a_cut_file_is_torn(tmp_path, packing):
    file = tmp_path / "feed.xml"
    file.write_bytes(CUT[packing])
    with pytest.raises(FeedTorn, match=r"feed\.xml .*(cut off|no whole zip)") as caught:
        await read(source(file))
    assert caught.value.hint


def flipped(packed: bytes, at: int) -> bytes:
    damaged = bytearray(packed)
    damaged[at] ^= 0xFF
    return bytes(damaged)


DAMAGED = {
    "gzip checksum": flipped(gzip.compress(BODY, 1), -6),
    "gzip length": flipped(gzip.compress(BODY, 1), -1),
    "zip checksum": flipped(zipped([("feed.xml", BODY)]), 2000),
    "zstd": flipped(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(BODY), -2),
}


@pytest.mark.parametrize("packing", DAMAGED)
async def test_a_damaged_file_is_torn(tmp_path, packing):
    file = tmp_path / "feed.xml"
    file.write_bytes(DAMAGED[packing])
    with pytest.raises(FeedTorn, match="damaged"):
        await read(source(file))


async def test_all_matches_are_one_pass_in_name_order(tmp_path):
    for name in ("b.xml", "a.xml", "c.txt"):
        (tmp_path / name).write_bytes(SMALL)
    names = [name for name, _ in await read(source(tmp_path / "*.xml"))]
    assert [str(tmp_path / "a.xml"), str(tmp_path / "b.xml")] == names


async def test_named_files_keep_their_order_and_come_once(tmp_path):
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_bytes(SMALL)
    names = [Path(name).name for name, _ in await read(source(tmp_path / "b.xml", tmp_path / "*.xml"))]
    assert names == ["b.xml", "a.xml"]


async def test_newest_is_the_last_name(tmp_path):
    for name in ("full-20260301.xml", "full-20260302.xml", "full-20260228.xml"):
        (tmp_path / name).write_bytes(SMALL)
    os.utime(tmp_path / "full-20260302.xml", (0, 0))
    parts = await read(source(tmp_path / "full-*.xml", pick=Pick.NEWEST))
    assert [str(tmp_path / "full-20260302.xml")] == [name for name, _ in parts]


async def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    file = tmp_path / "feed[1].xml"
    file.write_bytes(SMALL)
    assert [(str(file), SMALL)] == await read(source(file))


async def test_members_of_a_zip_are_messages_by_name(tmp_path):
    file = tmp_path / "feeds.zip"
    file.write_bytes(
        zipped(
            [
                ("z.onix", SMALL),
                ("../../evil.xml", BODY),
                ("readme.txt", b"no"),
                ("__MACOSX/._z.onix", b"no"),
                ("sub/", b""),
                ("sub/.hidden.xml", b"no"),
            ]
        )
    )
    parts = await read(source(file))
    assert [content for _, content in parts] == [BODY, SMALL]
    assert [f"{file}:'../../evil.xml'", f"{file}:'z.onix'"] == [name for name, _ in parts]
    assert [file] == list(tmp_path.iterdir()), "nothing may be written under a member's name"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped([]), "without any"),
        (zipped([("readme.txt", b"no")]), "without any"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00...", "xz"),
    ],
)
async def test_what_holds_no_message_is_not_onix(tmp_path, content, says):
    file = tmp_path / "feed.xml"
    file.write_bytes(content)
    with pytest.raises(NotOnix, match=says) as caught:
        await read(source(file))
    assert caught.value.hint


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(bytes(80 << 20)),
        zstandard.compress(bytes(80 << 20)),
        zipped([("feed.xml", bytes(80 << 20))]),
    ],
    ids=["gzip", "zstd", "zip"],
)
async def test_a_bomb_is_not_unpacked_to_its_end(tmp_path, packed):
    file = tmp_path / "feed.xml"
    file.write_bytes(packed)
    with pytest.raises(NotOnix, match="times its size"):
        await read(source(file))


async def test_a_zip_that_lists_a_million_entries_is_refused_unread(tmp_path):
    file = tmp_path / "feed.zip"
    honest = zipped([("feed.xml", SMALL)])
    end = honest.rfind(b"PK\x05\x06")
    file.write_bytes(honest[: end + 12] + struct.pack("<L", 50 << 20) + honest[end + 16 :])
    with pytest.raises(NotOnix, match="entries"):
        await read(source(file))


async def test_an_encrypted_member_is_named(tmp_path):
    file = tmp_path / "feed.zip"
    packed = bytearray(zipped([("feed.xml", SMALL)]))
    packed[6] |= 1
    packed[packed.rfind(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(packed)
    with pytest.raises(NotOnix, match=r"feed\.xml.* encrypted"):
        await read(source(file))


async def test_a_missing_file_stops_the_pass_before_its_first_message(tmp_path):
    (tmp_path / "a.xml").write_bytes(SMALL)
    files = source(tmp_path / "a.xml", tmp_path / "missing.xml")
    steps = files.read(STREAM, files.plan(STREAM, None, None, START), None)
    with pytest.raises(InputUnreadable, match=r"missing\.xml does not exist") as caught:
        await anext(steps)
    assert caught.value.hint


async def test_a_directory_and_an_empty_pattern_are_named(tmp_path):
    with pytest.raises(InputUnreadable, match="is a directory"):
        await read(source(tmp_path))
    with pytest.raises(InputUnreadable, match=r"no file matches .*\*\.xml"):
        await read(source(tmp_path / "*.xml"))


async def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputUnreadable, match="no regular file"):
        await read(source(tmp_path / "pipe"))


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    error = unreadable(tmp_path / "secret.xml", PermissionError())
    assert str(error) == f"{tmp_path / 'secret.xml'} may not be read"
    assert error.hint


async def test_the_files_can_be_checked_before_a_pass(tmp_path):
    with pytest.raises(InputUnreadable, match="does not exist"):
        await source(tmp_path / "feed.xml").check_account()
    (tmp_path / "feed.xml").write_bytes(SMALL)
    await source(tmp_path / "feed.xml").check_account()


async def test_addresses_are_refused():
    with pytest.raises(UsageInvalid, match="is an address"):
        source("https://example.org/feed.xml")


def is_open(file: Path) -> bool:
    """Whether this process holds it open."""
    return any(
        handle.is_symlink() and str(handle.readlink()) == str(file) for handle in Path("/proc/self/fd").iterdir()
    )


async def test_a_reader_that_stops_early_leaves_no_file_open(tmp_path):
    file = tmp_path / "feed.xml"
    file.write_bytes(BODY)
    files = source(file)
    steps = files.read(STREAM, files.plan(STREAM, None, None, START), None)
    part = await anext(steps)
    assert isinstance(part, Part)
    assert not isinstance(part.chunks, AsyncIterator)
    next(part.chunks)
    assert is_open(file)
    await steps.aclose()
    assert not is_open(file)


async def test_cancelling_a_reader_closes_its_file(tmp_path):
    file = tmp_path / "feed.xml"
    file.write_bytes(BODY)
    reading = asyncio.Event()

    async def stall() -> None:
        files = source(file)
        async with aclosing(files.read(STREAM, files.plan(STREAM, None, None, START), None)) as steps:
            part = await anext(steps)
            assert isinstance(part, Part)
            assert not isinstance(part.chunks, AsyncIterator)
            next(part.chunks)
            reading.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stall())
    await reading.wait()
    assert is_open(file)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_open(file)


async def test_what_a_file_source_promises():
    snapshots, deltas = source(mode=PassMode.FULL), source(mode=PassMode.DELTA)
    assert snapshots.is_snapshot(STREAM)
    assert not deltas.is_snapshot(STREAM)
    assert PassMode.DELTA is deltas.plan(STREAM, None, None, START).mode
    assert PassMode.FULL is deltas.plan(STREAM, None, PassMode.FULL, START).mode
    assert PartialUpdates.MERGE is snapshots.conventions.partial_updates
    assert {} == await snapshots.read_one(Isbn("9780000000002"))


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_gzip_may_arrive_in_any_pieces(step):
    """Every member boundary falls on every kind of chunk boundary."""
    text = SMALL * 20
    packed = gzip.compress(text[:100]) + b"\0" + gzip.compress(text[100:])
    unpacker = unpack.GzipUnpacker("x")
    plain = b"".join(
        piece for start in range(0, len(packed), step) for piece in unpacker.feed(packed[start : start + step])
    )
    unpacker.finish()
    assert text == plain
