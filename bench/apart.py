"""Runs a command in a process of its own and tells what it took: time by the wall and of the processor, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from syncengine.errors import SyncEngineError

ROOT = Path(__file__).resolve().parents[1]
_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A process that has ended.

    `cpu_seconds` counts the processes that it waited for, too; `peak_bytes` is the most memory that it held itself.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    exit_code: int
    stdout: bytes
    stderr: bytes


class RunFailed(SyncEngineError):
    """A measured program did not do what it was to do; its figures would mean nothing. Exit code 70."""


def run_python(arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Ran:
    """Run this Python with arguments, from the root of the project; what it leaves is never raised.

    It starts as every command does but the first after an upgrade: with the bytecode that the one before has left.
    """
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        watch = _MemoryWatch(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # Who is interrupted leaves nobody behind at work in a folder that is about to go.
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        return Ran(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=watch.peak() or usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            exit_code=process.returncode,
            stdout=stdout.read(),
            stderr=stderr.read(),
        )


def run_module(arguments: Sequence[str]) -> bytes:
    """Run a module of the bench and give what it printed; raises RunFailed where it fails."""
    return succeeded(run_python(["-m", *arguments]), " ".join(arguments)).stdout


def succeeded(ran: Ran, what: str, exit_codes: Sequence[int] = (0,)) -> Ran:
    """The same; raises RunFailed with the end of its complaints where it left with another exit code."""
    if ran.exit_code not in exit_codes:
        complaint = ran.stderr.decode(errors="replace").strip()[-2_000:]
        raise RunFailed(f"{what} ended with exit code {ran.exit_code}\n{complaint}")
    return ran


class _MemoryWatch:
    """Reads a process's own high-water mark until it has ended.

    What the kernel tells of an ended child may be the mark of this process, which it was forked from.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak(self) -> int:
        """Bytes; 0 where the system does not tell."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while self._read() and not self._ended.wait(_POLL_SECONDS):
            pass

    def _read(self) -> bool:
        """Take down the mark; false once there is none."""
        try:
            lines = self._status.read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        marks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        self._peak = max([self._peak, *marks])
        return bool(marks)
