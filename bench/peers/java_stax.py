"""Java's StAX with extraction, compiled once and run in a virtual machine of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers.tally import RUSAGE_UNIT, Cost, Tally

_SOURCE = Path(__file__).with_name("StaxExtract.java")
_CLASSES = Path(__file__).parents[2] / "var" / "bench" / "java"
_COMMAND = ("java", "-XX:+UseSerialGC", "-Xshare:auto", "-cp")
"""One thread reads, and what it makes dies young: the collector that costs least."""


def run(feed: Path) -> Tally:
    """Take the facts out of every record; the cost is that of the virtual machine, its start apart."""
    command = [*_COMMAND, str(_compiled()), _SOURCE.stem, str(feed)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as java:  # noqa: S603 - our own program
        said = java.stdout.read() if java.stdout else b""
        _, status, usage = os.wait4(java.pid, 0)
        java.returncode = os.waitstatus_to_exitcode(status)
    process_seconds = time.perf_counter() - started
    if java.returncode:
        raise RuntimeError(f"java ended with {java.returncode}")
    account = json.loads(said)
    cost = Cost(
        seconds=account["seconds"],
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * RUSAGE_UNIT,
        process_seconds=process_seconds,
    )
    return Tally(records=account["records"], bytes=feed.stat().st_size, digest=account["digest"], cost=cost)


def _compiled() -> Path:
    """The folder of classes for this very source, made where it is not there yet; whole even if two make it at once."""
    folder = _CLASSES / sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        _CLASSES.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=_CLASSES) as made:
            classes = Path(made, "classes")
            subprocess.run(["javac", "-d", str(classes), str(_SOURCE)], check=True)  # noqa: S603, S607 - as above
            try:
                classes.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return folder
