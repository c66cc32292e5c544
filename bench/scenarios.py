"""What is measured: the yardsticks (reading and hashing, lxml), and each tier of the hot path (design section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import xxhash
from lxml import etree

from syncengine.domain.frame import FrameIndex, KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.onix.framing import FramedBatch, Framer
from syncengine.onix.parsing import parse

NAMESPACE = "{http://ns.editeur.org/onix/3.0/reference}"
PRODUCT = f"{NAMESPACE}Product"
RECORD_REFERENCE = f"{NAMESPACE}RecordReference"
SEED = 20_261_121
_CHUNK = 256 * 1024

READ_AND_HASH = "read-and-hash"
ITERPARSE = "iterparse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Editions:
    """Two editions of one feed: the first is known, the second comes a day later."""

    first: Path
    second: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a run saw: bytes, records (none where it cannot tell them apart), and how many of them it left alone or parsed."""

    bytes: int
    records: int | None = None
    unchanged: int = 0
    parsed: int = 0


Run = Callable[[], Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table; `prepare` does what is not to be timed and gives what is."""

    says: str
    prepare: Callable[[Editions], Run]


def read_and_hash(editions: Editions) -> Run:
    """The least that any change detection must do: every byte once."""

    def run() -> Account:
        digest = xxhash.xxh3_128(seed=SEED)
        window = memoryview(bytearray(_CHUNK))
        size = 0
        with editions.first.open("rb", buffering=0) as file:
            while length := file.readinto(window):
                digest.update(window[:length])
                size += length
        return Account(bytes=size)

    return run


def iterparse(editions: Editions) -> Run:
    """The usual way of reading ONIX in Python: a tree for each record, thrown away at its end."""

    def run() -> Account:
        records = sum(1 for _ in _products(editions.first))
        return Account(bytes=editions.first.stat().st_size, records=records, parsed=records)

    return run


def iterparse_with_reference(editions: Editions) -> Run:
    """The same, reading from each record no more than its reference."""

    def run() -> Account:
        references = [product.findtext(RECORD_REFERENCE) for product in _products(editions.first)]
        return Account(bytes=editions.first.stat().st_size, records=len(references), parsed=len(references))

    return run


def _products(path: Path) -> Iterator[etree._Element]:
    for _, product in etree.iterparse(str(path), events=("end",), tag=PRODUCT):
        yield product
        product.clear()
        while product.getprevious() is not None:
            del product.getparent()[0]


def scanned(editions: Editions) -> Run:
    """Tier 2: nothing is known, every frame's end is searched for."""
    return lambda: _frame(editions.first, FrameIndex())


def predicted(editions: Editions) -> Run:
    """Tier 1: everything is known and nothing has changed."""
    index = index_of(editions.first)
    return lambda: _frame(editions.first, index)


def predicted_then_parsed(editions: Editions) -> Run:
    """Tier 1 over the second edition, tier 3 for what changed: an ordinary day."""
    index = index_of(editions.first)
    return lambda: _frame(editions.second, index, parses=True)


def index_of(path: Path) -> FrameIndex:
    """The index as it is after a pass over the feed."""
    frames: dict[RecordReference, KnownFrame] = {}
    for batch in _batches(path, Framer(seed=SEED, index=FrameIndex())):
        for frame in batch.frames:
            lines = frame.body.count(b"\n")
            known = KnownFrame(len(frame.body), frame.fingerprint, lines)
            frames[RecordReference(frame.reference or "")] = known
    return FrameIndex.of(frames)


def _frame(path: Path, index: FrameIndex, *, parses: bool = False) -> Account:
    framer = Framer(seed=SEED, index=index)
    unchanged = parsed = 0
    for batch in _batches(path, framer):
        unchanged += batch.unchanged_count
        if parses and framer.context is not None:
            for frame in batch.frames:
                parse(frame.body, framer.context)
            parsed += len(batch.frames)
    return Account(bytes=path.stat().st_size, records=framer.records, unchanged=unchanged, parsed=parsed)


def _batches(path: Path, framer: Framer) -> Iterator[FramedBatch]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield framer.feed(chunk)
    yield framer.close()


SCENARIOS: Mapping[str, Scenario] = {
    READ_AND_HASH: Scenario(says="read and hash", prepare=read_and_hash),
    ITERPARSE: Scenario(says="lxml iterparse", prepare=iterparse),
    "iterparse-reference": Scenario(says="lxml, references", prepare=iterparse_with_reference),
    "scanned": Scenario(says="tier 2: nothing known", prepare=scanned),
    "predicted": Scenario(says="tier 1: unchanged", prepare=predicted),
    "predicted-parsed": Scenario(says="tiers 1, 3: changed", prepare=predicted_then_parsed),
}
