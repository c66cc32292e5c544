"""The peers by name: what each is, and why it cannot run here where it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec


def _always() -> str | None:
    return None


def _with_package(name: str) -> Callable[[], str | None]:
    return lambda: None if find_spec(name) else f"the package {name} is not installed"


def _with_java() -> str | None:
    missing = [name for name in ("java", "javac") if shutil.which(name) is None]
    return f"no JDK on the path: {' and '.join(missing)} missing" if missing else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program to compare with; its module's `run(feed)` gives a Tally, `why_not` what it lacks here or none."""

    says: str
    module: str
    why_not: Callable[[], str | None] = _always
    keeps_database: bool = False


PEERS: Mapping[str, Peer] = {
    "read-hash": Peer(says="read and hash the bytes", module="read_hash", why_not=_with_package("xxhash")),
    "decompress-gz": Peer(says="gunzip alone (ISA-L)", module="decompress_gz", why_not=_with_package("isal")),
    "decompress-zst": Peer(says="unzstd alone", module="decompress_zst", why_not=_with_package("zstandard")),
    "expat": Peer(says="expat, ends of elements", module="expat"),
    "elementtree": Peer(says="ElementTree iterparse", module="elementtree"),
    "lxml-iterparse": Peer(says="lxml iterparse", module="lxml_iterparse", why_not=_with_package("lxml")),
    "lxml-extract": Peer(says="lxml iterparse + facts", module="lxml_extract", why_not=_with_package("lxml")),
    "java-stax": Peer(says="Java StAX + facts", module="java_stax", why_not=_with_java),
    "plain-upsert": Peer(
        says="parse, hash, upsert", module="plain_upsert", why_not=_with_package("lxml"), keeps_database=True
    ),
}
