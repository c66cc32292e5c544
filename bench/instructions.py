"""How many instructions the framing loop takes for a record: a guard against regress that a busy machine cannot fool.

    python -m bench.instructions            the counts, and how they stand to a loop that only hashes
    python -m bench.instructions --json     the same as one line of JSON
    python -m bench.instructions --check    exit code 1 where a ratio is above its ceiling in bench/ceilings.toml

Counted by valgrind's callgrind; exit code 2 where there is none, and for wrong arguments. Counts belong to one build of Python
and of xxhash, ratios much less so: the bare loop runs in the same interpreter over the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.generate import write_feed
from bench.marked import FEED, SOURCE, STORE

RECORDS = 400
_ROOT = Path(__file__).parents[1]
_CEILINGS = Path(__file__).with_name("ceilings.toml")
_SEED = 1
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)
_LOOPS = 3
_SETTINGS = f"""
[store]
url = "sqlite:{STORE}"

[sources.{SOURCE}]
kind = "onix"
path = "{FEED}"
mode = "full"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Instructions a record: of hashing its bytes and nothing else, of passing over it unchanged, of searching for its end."""

    record_bytes: float
    bare: float
    unchanged: float
    scanned: float

    @property
    def ratios(self) -> Mapping[str, float]:
        """How many times the bare loop's."""
        return {"unchanged": self.unchanged / self.bare, "scanned": self.scanned / self.bare}

    @property
    def loops(self) -> Mapping[str, float]:
        """Instructions a record by the loop's name."""
        return {"bare": self.bare, "unchanged": self.unchanged, "scanned": self.scanned}

    @property
    def document(self) -> Mapping[str, float]:
        """All of it, flat and with stable keys."""
        return {
            "record_bytes": round(self.record_bytes, 1),
            **{f"{name}_per_record": round(count) for name, count in self.loops.items()},
            **{f"{name}_per_byte": round(count / self.record_bytes, 3) for name, count in self.loops.items()},
            **{f"{name}_times_bare": round(ratio, 3) for name, ratio in self.ratios.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The ratios that the loop had when they were written down, and the share by which they may be exceeded."""

    times_bare: Mapping[str, float]
    tolerance: float

    def exceeded(self, counts: Counts) -> list[str]:
        """What is above its ceiling, said for people."""
        return [
            f"{name}: {ratio:.3f} times the bare loop's instructions, over {self.times_bare[name]:.3f} + {self.tolerance:.0%}"
            for name, ratio in counts.ratios.items()
            if ratio > self.times_bare[name] * (1 + self.tolerance)
        ]


def read_ceilings(path: Path = _CEILINGS) -> Ceilings:
    """The ceilings as they are kept beside this module."""
    kept = tomllib.loads(path.read_text(encoding="utf-8"))
    return Ceilings(times_bare=kept["times_bare"], tolerance=kept["tolerance"])


def why_not() -> str | None:
    """What is missing for counting here; none where nothing is."""
    return None if shutil.which("valgrind") else "no valgrind on the path"


def count(records: int = RECORDS) -> Counts:
    """Load a feed of so many records with the engine and count the loops over it."""
    with TemporaryDirectory(prefix="syncengine-instructions-") as name:
        folder = Path(name)
        feed = write_feed(folder / FEED, records=records, seed=_SEED)
        _load(folder)
        bare, unchanged, scanned = (total / records for total in _totals(folder, records))
        return Counts(record_bytes=feed.bytes / records, bare=bare, unchanged=unchanged, scanned=scanned)


def _load(folder: Path) -> None:
    settings = folder / "syncengine.toml"
    settings.write_text(_SETTINGS, encoding="utf-8")
    engine = [sys.executable, "run.py", "--config", str(settings)]
    _run([*engine, "resync", SOURCE, "--full", "--no-deliver", "--workers", "0", "--json"])


def _totals(folder: Path, records: int) -> list[int]:
    """The instructions of each loop: callgrind writes a file at every mark, and every second one holds a loop."""
    out = folder / "callgrind"
    counter = ["valgrind", "--tool=callgrind", "--dump-before=getsid", f"--callgrind-out-file={out}"]
    _run([*counter, sys.executable, "-m", "bench.marked", str(folder), str(records)])
    dumps = [folder / f"callgrind.{number}" for number in range(2, 2 * _LOOPS + 1, 2)]
    return [int(_TOTALS.findall(dump.read_text(encoding="utf-8"))[0]) for dump in dumps]


def _run(command: list[str]) -> None:
    """Run it with a fixed order of sets and dicts, and show what it said only where it failed."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, check=False)  # noqa: S603 - our own commands
    if run.returncode:
        sys.stderr.buffer.write(run.stdout + run.stderr)
        run.check_returncode()


def main(arguments: list[str]) -> int:
    """Do what the arguments say; gives the exit code."""
    if not {"--json", "--check"}.issuperset(arguments):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    if reason := why_not():
        sys.stderr.write(f"instructions cannot be counted here: {reason}\n")
        return 2
    counts = count()
    above = read_ceilings().exceeded(counts) if "--check" in arguments else []
    sys.stdout.write(json.dumps(counts.document) + "\n" if "--json" in arguments else _table(counts))
    sys.stderr.writelines(f"{line}\n" for line in above)
    return 1 if above else 0


def _table(counts: Counts) -> str:
    rows = [f"{'':10} {'a record':>10} {'a byte':>8} {'x bare':>8}"]
    for name, instructions in counts.loops.items():
        a_byte, times = instructions / counts.record_bytes, instructions / counts.bare
        rows.append(f"{name:10} {instructions:10,.0f} {a_byte:8.3f} {times:8.3f}")
    return "\n".join([*rows, f"instructions, records of {counts.record_bytes:,.0f} bytes", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
