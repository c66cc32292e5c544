"""Writes ONIX feeds of any size: the same plan gives the same bytes; 500 MB take seconds, in constant memory."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from itertools import islice
from pathlib import Path
from random import Random
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import xxhash
import zstandard

from bench.plan import Change, Compression, Edit, Encoding, FeedPlan, Order
from bench.records import Maker, Record, written
from bench.shapes import opening, parts_of

RECORDS_A_WRITE = 200
_DAY_ONE = (2026, 11, 21, 3, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed on disk, and what it does to a store that holds the first edition of its catalogue.

    `records` are those in the file, notices of removal among them; `bytes` what it says unpacked; `edits` how many records have
    each edit. Afterwards `live` records are known, and `digest` (see `LiveDigest`) is over them.
    """

    path: Path
    records: int
    bytes: int
    file_bytes: int
    edits: Mapping[Edit, int]
    live: int
    digest: str

    @property
    def changed(self) -> int:
        """How many records differ from the first edition."""
        return sum(self.edits.values())


class LiveDigest:
    """A digest over live records in any order: the sum of theirs, each over its facts (`told`) and its bytes, 128 bits wide."""

    def __init__(self) -> None:
        self.records = 0
        self._sum = 0

    def add(self, facts: str, body: bytes) -> None:
        """Take in one record; it must come once."""
        self.records += 1
        self._sum += xxhash.xxh3_128_intdigest(facts.encode() + b"\0" + body)

    def hexdigest(self) -> str:
        """The digest so far."""
        return f"{self._sum % (1 << 128):032x}"


def write_feed(path: Path, *, records: int, seed: int, changed_share: float = 0.0) -> Feed:
    """Write a usual feed: of a hub, 10 kB a record; of a later edition where a share of the records is to differ."""
    change = Change.EDITED if changed_share else Change.NONE
    return write(path, FeedPlan(records=records, seed=seed, change=change, share=changed_share))


def write(path: Path, plan: FeedPlan) -> Feed:
    """Write the feed of a plan to a path."""
    digest = LiveDigest()
    size = 0
    with _packed(path, plan.compression) as file:
        for block in _blocks(plan, digest):
            file.write(block)
            size += len(block)
    edits = Counter(edits_of(plan).values())
    return Feed(
        path=path,
        records=plan.records + edits[Edit.ADDED] - edits[Edit.VANISHED],
        bytes=size,
        file_bytes=path.stat().st_size,
        edits=dict(edits),
        live=digest.records,
        digest=digest.hexdigest(),
    )


def edits_of(plan: FeedPlan) -> dict[int, Edit]:
    """The edit of each changed record, by its number; exactly the plan's share of them."""
    random = Random(f"{plan.seed} changed")  # noqa: S311 - the same feed again matters here, not secrecy
    kinds = plan.change.edits
    numbers = random.sample(range(plan.records), plan.changed)
    return {number: kinds[place % len(kinds)] for place, number in enumerate(numbers)}


def sequence(plan: FeedPlan) -> Iterator[tuple[int, Edit | None]]:
    """The records of the file in order: their numbers, new ones from `records` on, and their edits."""
    edits = edits_of(plan)
    new = iter(range(plan.records, 2 * plan.records))
    for number in _numbers(plan):
        match edits.get(number):
            case Edit.VANISHED:
                continue
            case Edit.ADDED:
                yield number, None
                yield next(new), None
            case edit:
                yield number, edit


def _numbers(plan: FeedPlan) -> Iterable[int]:
    if plan.order is not Order.SHUFFLED:
        return range(plan.records) if plan.order is Order.SAME else reversed(range(plan.records))
    numbers = array("l", range(plan.records))
    Random(f"{plan.seed} order").shuffle(numbers)  # noqa: S311 - as above
    return numbers


def _blocks(plan: FeedPlan, digest: LiveDigest) -> Iterator[bytes]:
    """The bytes of the feed; its live records are put into the digest on the way."""
    maker = Maker(plan)
    lines = sequence(plan)
    yield _encoded(_opening(plan), plan, mark="\ufeff")
    while batch := [maker.make(number, edit) for number, edit in islice(lines, RECORDS_A_WRITE)]:
        for record in batch:
            if record.facts:
                digest.add(record.facts, record.body)
        yield _encoded(_block(batch), plan)
    yield _encoded(b"\n" + written("</ONIXMessage>", plan) + b"\n", plan)


def _opening(plan: FeedPlan) -> bytes:
    edition = 1 if plan.change is Change.NONE else 2
    head = opening(plan, parts_of(plan).header)
    return written(head.replace("@edition@", str(edition)).replace("@day@", str(20 + edition)), plan)


def _block(records: Iterable[Record]) -> bytes:
    return b"".join(part for record in records for part in (b"\n  ", record.body))


def _encoded(block: bytes, plan: FeedPlan, mark: str = "") -> bytes:
    return (mark + block.decode()).encode("utf-16-le") if plan.encoding is Encoding.UTF_16 else block


@contextmanager
def _packed(path: Path, compression: Compression) -> Iterator[IO[bytes]]:
    """The file to write into; nothing of the moment of writing goes into what is packed."""
    with path.open("wb") as file:
        match compression:
            case Compression.PLAIN:
                yield file
            case Compression.GZIP:
                with GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                    yield packed  # type: ignore[misc] # GzipFile is a file, but not typed as one
            case Compression.ZSTD:
                with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as packed:
                    yield packed
            case Compression.ZIP:
                with ZipFile(file, "w") as archive, archive.open(_member(), "w", force_zip64=True) as packed:
                    yield packed


def _member() -> ZipInfo:
    member = ZipInfo("feed.xml", _DAY_ONE)
    member.compress_type = ZIP_DEFLATED
    return member
