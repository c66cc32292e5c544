"""Frames to parsed records, in feed order: inline, or by worker processes that die with this one."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import anyio
import structlog
from anyio.lowlevel import checkpoint

from syncengine.domain.frame import Context
from syncengine.errors import RecordInvalid
from syncengine.onix.codelists import CodeLists, standard
from syncengine.onix.parsing import ParsedRecord, Reading, parse

BREATH = 16
"""Records parsed or compared between two chances for other work: some ten milliseconds."""

_PORTION = 64
"""Records a worker process takes at a time."""

_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)

Parsed = ParsedRecord | RecordInvalid


class Parsers:
    """Parses batches by one issue of the code lists; give back its processes with `close`."""

    def __init__(self, workers: int = 0, codes: CodeLists | None = None) -> None:
        self._workers = workers
        self.codes = codes or standard()
        """What was fingerprinted under others must be read anew."""
        self._pool: ProcessPoolExecutor | None = None

    async def parse(
        self, bodies: Sequence[bytes], context: Context, *, derives_reference: bool = False
    ) -> list[Parsed]:
        """One result for each body, in their order: the record, or why it cannot be read.

        `derives_reference`: a record without RecordReference gets one of its best identifier.
        """
        reading = Reading(codes=self.codes, derives_reference=derives_reference)
        if self._workers == 0 or len(bodies) <= _PORTION:
            return await _parse_inline(bodies, context, reading)
        pool = self._pool = self._pool or _start(self._workers, self.codes)
        portions = [bodies[start : start + _PORTION] for start in range(0, len(bodies), _PORTION)]
        results: list[list[Parsed]] = [[] for _ in portions]

        async def one(number: int) -> None:
            future = pool.submit(_parse_portion, portions[number], context, derives_reference=derives_reference)
            results[number] = await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True)

        try:
            async with anyio.create_task_group() as tasks:
                for number in range(len(portions)):
                    tasks.start_soon(one, number)
        except* BrokenProcessPool:
            log.warning("a worker process was killed; this batch is parsed here, the next by new ones")
            if self._pool is pool:
                self.close()
            results = [await _parse_inline(bodies, context, reading)]
        return [result for portion in results for result in portion]

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


async def _parse_inline(bodies: Sequence[bytes], context: Context, reading: Reading) -> list[Parsed]:
    results: list[Parsed] = []
    for number, body in enumerate(bodies):
        if number % BREATH == 0:
            await checkpoint()
        results.append(_parse_one(body, context, reading))
    return results


def _parse_one(body: bytes, context: Context, reading: Reading) -> Parsed:
    try:
        return parse(body, context, reading)
    except RecordInvalid as error:
        # Anew: the one that was raised holds all that it was raised in, the record's bytes among it.
        return RecordInvalid(str(error), hint=error.hint)


def _start(workers: int, codes: CodeLists) -> ProcessPoolExecutor:
    """Worker processes; each is told its code lists once, and loads those that are shipped by itself."""
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(os.getpid(), None if codes is standard() else codes),
    )


# --- in a worker process

_worker_codes: CodeLists | None = None


def _begin_worker(parent: int, codes: CodeLists | None) -> None:
    global _worker_codes  # noqa: PLW0603 - set once, before the first batch
    _worker_codes = codes
    _die_with_parent(parent)


def _parse_portion(bodies: Sequence[bytes], context: Context, *, derives_reference: bool) -> list[Parsed]:
    reading = Reading(codes=_worker_codes or standard(), derives_reference=derives_reference)
    return [_parse_one(body, context, reading) for body in bodies]


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process with its parent; on other systems the broken pipe does it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "pidfd_open"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
