"""One scenario, once, in the process this is: `python -m bench.once NAME FIRST SECOND` prints one JSON line."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import msgspec

from bench.measure import Sample
from bench.scenarios import SCENARIOS, Editions


def peak_memory() -> int:
    """The most bytes of memory this process ever held.

    Linux counts the parent's memory into `ru_maxrss` of a process that was started from a large one, so its own mark is read
    where there is one.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run_once(name: str, editions: Editions) -> Sample:
    """Run a scenario; only the run is timed, not what it needs beforehand."""
    run = SCENARIOS[name].prepare(editions)
    started, started_cpu = time.perf_counter(), time.process_time()
    account = run()
    cpu_seconds = time.process_time() - started_cpu
    wall_seconds = time.perf_counter() - started
    return Sample(wall_seconds=wall_seconds, cpu_seconds=cpu_seconds, peak_bytes=peak_memory(), account=account)


if __name__ == "__main__":
    _name, _first, _second = sys.argv[1:]
    sys.stdout.buffer.write(msgspec.json.encode(run_once(_name, Editions(first=Path(_first), second=Path(_second)))))
