"""The barest events that Python offers: expat, which calls back at the end of every element."""

from __future__ import annotations

from pathlib import Path
from pyexpat import ParserCreate

from bench.peers.tally import Tally, counted


def run(feed: Path) -> Tally:
    """Count the records."""
    records = 0

    def end(name: str) -> None:
        nonlocal records
        if name in {"Product", "product"}:
            records += 1

    parser = ParserCreate()
    parser.EndElementHandler = end
    with feed.open("rb") as file:
        parser.ParseFile(file)
    return counted(records, feed)
