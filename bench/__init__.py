"""How fast the hot path is on this machine, told in ratios that mean something on any other."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RECORDS = 20_000
ROUNDS = 3
CHANGED_SHARE = 0.01
_SEED = 1


def run(records: int = RECORDS, rounds: int = ROUNDS, as_json: bool = False) -> dict[str, Any]:
    """Make two editions of a feed in a temporary folder, run every scenario on them, show the results and give them back.

    Shows a table, or the document as one line of JSON, on standard output; what goes on meanwhile on standard error. The
    feeds take about 16 kB of disk a record while it runs.
    """
    # Here, for the peers are in this package, too, and must start as lean as their own communities would have them.
    import orjson  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from bench.generate import write_feed  # noqa: PLC0415
    from bench.measure import run_rounds  # noqa: PLC0415
    from bench.report import as_document, draw  # noqa: PLC0415
    from bench.scenarios import SCENARIOS, Editions  # noqa: PLC0415

    watch = Console(stderr=True)
    with TemporaryDirectory(prefix="syncengine-bench-") as folder, watch.status("writing two feeds …") as status:
        first = write_feed(Path(folder, "first.xml"), records=records, seed=_SEED)
        second = write_feed(Path(folder, "second.xml"), records=records, seed=_SEED, changed_share=CHANGED_SHARE)
        results = run_rounds(
            SCENARIOS,
            Editions(first=first.path, second=second.path),
            rounds=rounds,
            on_run=lambda scenario: status.update(f"measuring: {SCENARIOS[scenario].says} …"),
        )
    document = as_document(results, first, second, rounds)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
    else:
        draw(document, Console())
    return document
