"""Frames to parsed and compared records, in feed order: inline, or by worker processes that die with this one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType

import msgspec
from anyio.lowlevel import checkpoint

from syncengine.domain.frame import Context
from syncengine.logs import Logger
from syncengine.onix.codelists import CodeLists, standard
from syncengine.onix.parsing import Reading
from syncengine.service import parsing
from syncengine.service.parsing import Answer, Base, Compared, Parsed, Task, read

__all__ = ["Base", "Compared", "Parsed", "Parsers"]

_BREATH = 4
"""Records parsed or compared between two chances for other work: a few milliseconds."""

_PORTION = 64
"""Records a worker process takes at a time; its answer is decoded in a few milliseconds."""

log = Logger(__name__)

_encode = msgspec.msgpack.Encoder().encode
_answers = msgspec.msgpack.Decoder(list[Answer])


class Parsers:
    """Parses batches by one issue of the code lists; give back its processes with `close`.

    Worker processes take some tenths of a second to start. They are started by the first batch that is worth it, or before by
    `warm_up`, and nobody waits for them: until they answer, batches are parsed here.
    """

    def __init__(self, workers: int = 0, codes: CodeLists | None = None) -> None:
        self._workers = workers
        self.codes = codes or standard()
        """What was fingerprinted under others must be read anew."""
        self._pool: ProcessPoolExecutor | None = None
        self._greeting: Future[None] | None = None

    def warm_up(self) -> None:
        """Have worker processes started, if there are to be any; returns at once."""
        if self._workers and self._pool is None:
            self._pool = _start(self._workers, self.codes)
            with _without_main():
                self._greeting, *_ = [self._pool.submit(parsing.greet) for _ in range(self._workers)]

    async def parse(
        self,
        bodies: Sequence[bytes],
        context: Context,
        *,
        bases: Sequence[Base | None] = (),
        derives_reference: bool = False,
    ) -> list[Parsed]:
        """One result for each body, in their order: the record, or why it cannot be read.

        `bases` are the live records that they are compared with, one for each body, where they are compared at all.
        `derives_reference`: a record without RecordReference gets one of its best identifier.
        """
        pairs = zip(bodies, bases or [None] * len(bodies), strict=True)
        tasks = [Task(body=body, base=base) for body, base in pairs]
        reading = Reading(codes=self.codes, derives_reference=derives_reference)
        if len(tasks) > _PORTION:
            self.warm_up()
        results: list[Parsed] = []
        while left := tasks[len(results) :]:
            if self._greeting is not None and self._greeting.done() and len(left) > _BREATH:
                async for portion in self._by_workers(left, context, reading):
                    results += portion
            else:
                await checkpoint()
                results += [read(task, context, reading) for task in left[:_BREATH]]
        return results

    async def _by_workers(
        self, tasks: Sequence[Task], context: Context, reading: Reading
    ) -> AsyncIterator[Sequence[Parsed]]:
        """Portion by portion in their order; no more where a worker process dies."""
        pool, within, sent = self._pool, _encode(context), deque[Future[bytes]]()
        try:
            for start in range(0, len(tasks), _PORTION):
                portion = _encode(tasks[start : start + _PORTION])
                if pool is not None:
                    sent.append(pool.submit(parsing.read_portion, portion, within, reading.derives_reference))
                await checkpoint()
                if len(sent) > 2 * self._workers:
                    yield await _received(sent.popleft())
            while sent:
                yield await _received(sent.popleft())
        except BrokenProcessPool:
            log.warning("a worker process was killed; this batch is parsed here, the next by new ones")
            if self._pool is pool:
                self.close()

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._greeting = None


async def _received(answer: Future[bytes]) -> list[Parsed]:
    encoded: bytes = await asyncio.wrap_future(answer)
    return [each.result for each in _answers.decode(encoded)]


def _start(workers: int, codes: CodeLists) -> ProcessPoolExecutor:
    """Worker processes; each is told its code lists once, and loads those that are shipped by itself."""
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=parsing.begin_worker,
        initargs=(os.getpid(), None if codes is standard() else codes),
    )


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are spawned meanwhile do not import the program that they serve, which takes longer than all they need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
