"""What a worker process does: records read and compared. Imports no more than that takes, so that workers start soon."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from dataclasses import dataclass

import msgspec

from syncengine.catalogue.compare import Comparison, compare
from syncengine.domain.frame import Context
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix import parsing
from syncengine.onix.codelists import CodeLists, standard
from syncengine.onix.difference import Difference, Written
from syncengine.onix.parsing import ParsedRecord, Reading
from syncengine.onix.splice import splice

_PR_SET_PDEATHSIG = 1
_NICENESS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a record is compared with: its facts as they are known, and the bytes they were read from."""

    product: Product
    body: bytes
    context: Context
    is_plain: bool = False
    """They were read at a glance, in the context and by the lists and the extraction by which the record is to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One record to be read, and compared where something is known of it."""

    body: bytes
    base: Base | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(ParsedRecord):
    """A record, and how it differs from the one it was compared with."""

    comparison: Comparison | None = None


Parsed = Compared | RecordInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result on its way between processes; without a record, why there is none."""

    record: Compared | None = None
    reason: str = ""
    hint: str = ""

    @property
    def result(self) -> Parsed:
        """As it was before it was sent."""
        return self.record or RecordInvalid(self.reason, hint=self.hint)


def read(task: Task, context: Context, reading: Reading) -> Parsed:
    """The record, compared with its base; or why it cannot be read."""
    written = Written(task.body, context)
    try:
        if task.base and task.base.is_plain and (spliced := _spliced(task.base, written, reading)):
            return spliced
        found = parsing.read(written, reading)
        comparison = _compared(task.base, found.product, written) if task.base else None
        return Compared(product=found.product, warnings=found.warnings, comparison=comparison, is_plain=found.is_plain)
    except RecordInvalid as error:
        # Anew: the one that was raised holds all that it was raised in, the record's bytes among it.
        return RecordInvalid(str(error), hint=error.hint)


def _spliced(base: Base, written: Written, reading: Reading) -> Compared | None:
    """Only what differs from its base is read; none where it must be read whole."""
    found = splice(base.product, base.body, written, reading.codes)
    if found is None:
        return None
    comparison = compare(base.product, found.product, found.differs)
    return Compared(product=found.product, warnings=(), comparison=comparison, is_plain=True)


def _compared(base: Base, product: Product, written: Written) -> Comparison:
    return compare(base.product, product, Difference(Written(base.body, base.context), written))


# --- in a worker process

_encode = msgspec.msgpack.Encoder().encode
_tasks = msgspec.msgpack.Decoder(list[Task])
_contexts = msgspec.msgpack.Decoder(Context)
_worker_codes: CodeLists | None = None


def begin_worker(parent: int, codes: CodeLists | None) -> None:
    """Be told the code lists, none for those that are shipped, and whose end to share."""
    global _worker_codes  # noqa: PLW0603 - set once, before the first batch
    _worker_codes = codes
    _die_with_parent(parent)
    # Where cores are few, who sells goes before who reads.
    os.nice(_NICENESS)
    # What is made here has no cycles and soon goes: looking for them costs more than all they could hold.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def greet() -> None:
    """Have the code lists read before the first portion comes."""
    standard()


def read_portion(tasks: bytes, context: bytes, derives_reference: bool) -> bytes:
    """Encoded tasks to encoded answers, in their order."""
    reading = Reading(codes=_worker_codes or standard(), derives_reference=derives_reference)
    within = _contexts.decode(context)
    return _encode([_answer(read(task, within, reading)) for task in _tasks.decode(tasks)])


def _answer(result: Parsed) -> Answer:
    if isinstance(result, RecordInvalid):
        return Answer(reason=str(result), hint=result.hint)
    return Answer(record=result)


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process with its parent; on other systems the broken pipe does it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "pidfd_open"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
