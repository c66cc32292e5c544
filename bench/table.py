"""Every scenario by its name, and the groups that a command line may name instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench.plan import Change, Compression, Order
from bench.scenarios import ALL_CORES, Command, EnginePass, Figures, LoopLag, Peer, Scenario, Stages
from syncengine.errors import UsageInvalid

_SMALL_RECORD = 4_000
_COLD = EnginePass(says="first load, in one process", is_first=True)
_WARM = EnginePass(says="unchanged")
_TWO_PERCENT = EnginePass(says="2 % changed", change=Change.EDITED, share=0.02)
_GROWTH = (1_000, 10_000, 100_000, 1_000_000)

YARDSTICK = "lxml-iterparse"
"""What a shop's programmer would begin with; every ratio is to it."""

SCENARIOS: Mapping[str, Scenario] = {
    "cold": _COLD,
    "cold-all-cores": replace(_COLD, says="first load, all cores", workers=ALL_CORES),
    "warm": _WARM,
    "warm-one-in-1000": replace(_TWO_PERCENT, says="1 in 1,000 changed", share=0.001),
    "warm-2-percent": _TWO_PERCENT,
    "price-storm": EnginePass(says="every price changed", change=Change.PRICE, share=1.0, allowed=("prices-moved",)),
    "touched": EnginePass(says="every record touched", change=Change.TOUCHED, share=1.0),
    "mixed": EnginePass(says="5 % of every kind of change", change=Change.MIXED, share=0.05),
    "shuffled": replace(_WARM, says="unchanged, shuffled", order=Order.SHUFFLED),
    "warm-gzip": replace(_WARM, says="unchanged, gzip", compression=Compression.GZIP),
    "warm-zstd": replace(_WARM, says="unchanged, zstd", compression=Compression.ZSTD),
    "read-hash": Peer(says="read and hash the bytes", name="read-hash"),
    "decompress-gzip": Peer(says="gunzip alone", name="decompress-gz", compression=Compression.GZIP),
    "decompress-zstd": Peer(says="unzstd alone", name="decompress-zst", compression=Compression.ZSTD),
    "expat": Peer(says="expat, ends of records", name="expat"),
    "elementtree": Peer(says="ElementTree iterparse", name="elementtree"),
    YARDSTICK: Peer(says="lxml iterparse", name="lxml-iterparse"),
    "lxml-extract": Peer(says="lxml iterparse, facts", name="lxml-extract"),
    "plain-upsert": Peer(says="parse, hash, upsert", name="plain-upsert"),
    "plain-upsert-again": Peer(says="parse, hash, upsert, again", name="plain-upsert", again=True),
    "java-stax": Peer(says="Java StAX, facts", name="java-stax"),
    "memory": replace(_WARM, says="unchanged, 100,000 known", records=100_000, record_bytes=_SMALL_RECORD),
    "memory-short": replace(_WARM, says="unchanged, short records", divided_by=5, record_bytes=_SMALL_RECORD),
    "memory-long": replace(_WARM, says="unchanged, 10 times longer", divided_by=5, record_bytes=10 * _SMALL_RECORD),
    "memory-million": replace(_WARM, says="unchanged, 1,000,000 known", records=1_000_000, record_bytes=_SMALL_RECORD),
    "lag-warm": LoopLag(says="loop lag, unchanged", of=replace(_WARM, workers=ALL_CORES)),
    "lag-2-percent": LoopLag(says="loop lag, 2 % changed", of=replace(_TWO_PERCENT, workers=ALL_CORES)),
    "lag-cold": LoopLag(says="loop lag, first load", of=replace(_COLD, workers=ALL_CORES)),
    "delivery": Figures(says="delivery, no limit", command=("bench.delivering", "throughput"), takes_orders=True),
    "delivery-rate": Figures(says="delivery at 200/s", command=("bench.delivering", "rate"), takes_orders=True),
    "release": Figures(says="release day", command=("bench.delivering", "release"), takes_orders=True),
    "release-million": Figures(
        says="release day, 1,000,000 orders",
        command=("bench.delivering", "release"),
        takes_orders=True,
        orders=1_000_000,
    ),
    "start-help": Command(says="run.py --help", arguments=("--help",)),
    "start-status": Command(says="run.py status", arguments=("status", "--json")),
    "stages": Stages(says="stages of intake"),
    "instructions": Figures(says="instructions a record", command=("bench.instructions",)),
    **{
        f"growth-{kind}-{records}": replace(
            of, says=f"{kind}, {records:,} records", records=records, record_bytes=_SMALL_RECORD
        )
        for records in _GROWTH
        for kind, of in (("warm", _WARM), ("cold", _COLD))
    },
}

LARGE = frozenset({"memory-million", "release-million", *(f"growth-{kind}-{_GROWTH[-1]}" for kind in ("warm", "cold"))})
"""They take long and much disk: run only where they are named, or asked for."""

_QUICK = ("read-hash", YARDSTICK, "lxml-extract", "cold", "warm", "warm-2-percent")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "quick": _QUICK,
    "passes": (
        *_QUICK,
        *("cold-all-cores", "warm-one-in-1000", "price-storm", "touched", "mixed", "shuffled"),
        *("warm-gzip", "warm-zstd", "decompress-gzip", "decompress-zstd"),
    ),
    "peers": tuple(name for name, scenario in SCENARIOS.items() if isinstance(scenario, Peer)),
    "memory": tuple(name for name in SCENARIOS if name.startswith("memory")),
    "lag": tuple(name for name in SCENARIOS if name.startswith("lag")),
    "orders": ("delivery", "delivery-rate", "release", "release-million"),
    "start": ("start-help", "start-status"),
    "growth": tuple(name for name in SCENARIOS if name.startswith("growth")),
}


def chosen(names: Iterable[str], *, with_large: bool = False) -> tuple[str, ...]:
    """The scenarios that names of scenarios and groups, or `all`, stand for, in the order of the table; without names the quick ones.

    Raises UsageInvalid for a name that is neither.
    """
    groups = {**GROUPS, "all": tuple(SCENARIOS)}
    wanted: set[str] = set()
    for name in names or ("quick",):
        if name in groups:
            wanted.update(one for one in groups[name] if with_large or one not in LARGE)
        elif name in SCENARIOS:
            wanted.add(name)
        else:
            raise UsageInvalid(f"no scenario is called {name!r}", hint="`run.py bench list` shows them all")
    return tuple(name for name in SCENARIOS if name in wanted)
