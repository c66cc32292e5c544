"""What a store holds after a pass, told so that it can be compared: `python -m bench.census STORE` prints one JSON line.

It goes through the ports, as every reader of a store does, and knows nothing of how the pass was done.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import anyio
import msgspec

from adapters.clock import SystemClock
from bench.generate import LiveDigest
from bench.records import told
from state.sqlite import open_store
from syncengine.domain.ids import RecordId
from syncengine.domain.product import Product
from syncengine.ports import KnownRecord, RecordStatus, Store, Urgency

_BATCH = 500
_WIDEST_GAP = 20_000
"""So many record ids without a record mean that there are no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The store's records by status, the digest of those that are live (`LiveDigest`), and the lines of the change log by kind."""

    statuses: Mapping[str, int]
    digest: str
    changes: Mapping[str, int]


async def take(path: str) -> Census:
    """Count a store through; about 10,000 records a second."""
    store = await open_store(path, clock=SystemClock())
    try:
        statuses: Counter[str] = Counter()
        digest = LiveDigest()
        async for record in _records(store):
            statuses[record.status] += 1
            if record.status is RecordStatus.LIVE:
                digest.add(facts_of(record.product), bytes(record.body))
        return Census(statuses=statuses, digest=digest.hexdigest(), changes=await _changes(store))
    finally:
        await store.aclose()


def facts_of(product: Product) -> str:
    """What a product says, as the generator tells it of the record that it wrote."""
    details = [detail for supply in product.supplies for detail in supply.details]
    amounts = [
        (price.type or "", str(price.amount), price.currency or "") for detail in details for price in detail.prices
    ]
    availability = next((detail.availability for detail in details), None)
    return told(product.reference, product.isbn, product.title, availability, amounts)


async def _records(store: Store) -> AsyncIterator[KnownRecord]:
    start = gap = 0
    while gap < _WIDEST_GAP:
        start, ids = start + _BATCH, [RecordId(number) for number in range(start, start + _BATCH)]
        async with store.transaction(Urgency.COMMAND) as tx:
            found = await tx.records.by_id(ids)
        gap = 0 if found else gap + _BATCH
        for record in found:
            yield record


async def _changes(store: Store) -> Mapping[str, int]:
    kinds: Counter[str] = Counter()
    last = 0
    while True:
        async with store.transaction(Urgency.COMMAND) as tx:
            lines = await tx.changes.since(last, 10 * _BATCH)
        if not lines:
            return kinds
        kinds.update(change.kind.value for change in lines)
        last = lines[-1].sequence


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(anyio.run(take, sys.argv[1])))
