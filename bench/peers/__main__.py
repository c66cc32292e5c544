"""One peer over one ONIX 3 feed in the process this is, or the list of them.

    python -m bench.peers NAME FEED [--db PATH]    one JSON line: what it read and what that cost
    python -m bench.peers --list                   a JSON list: name, says, available, why_not

Nothing is imported that the peer itself does not need, for whoever runs this also times the whole process. A peer that read
no record at all has failed: it cannot read this feed (exit code 1). 2 is for wrong arguments.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench.peers.registry import PEERS
from bench.peers.tally import measured


def main(arguments: list[str]) -> int:
    """Do what the arguments say; gives the exit code."""
    match arguments:
        case ["--list"]:
            _say(listed())
        case [name, feed] if name in PEERS:
            return _run(name, Path(feed))
        case [name, feed, "--db", database] if name in PEERS and PEERS[name].keeps_database:
            return _run(name, Path(feed), Path(database))
        case _:
            sys.stderr.write(f"{__doc__}\npeers: {', '.join(PEERS)}\n")
            return 2
    return 0


def listed() -> list[dict[str, str | bool | None]]:
    """Every peer, whether it can run here, and else why not."""
    reasons = {name: peer.why_not() for name, peer in PEERS.items()}
    return [
        {"name": name, "says": PEERS[name].says, "available": reason is None, "why_not": reason}
        for name, reason in reasons.items()
    ]


def _run(name: str, *paths: Path) -> int:
    run = import_module(f"bench.peers.{PEERS[name].module}").run
    tally, cost = measured(lambda: run(*paths))
    account = {"name": name, "records": tally.records, "bytes": tally.bytes, **asdict(cost), "digest": tally.digest}
    _say({**account, **tally.figures})
    return 1 if tally.records == 0 else 0


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
