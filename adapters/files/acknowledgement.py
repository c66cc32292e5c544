"""Acknowledgements of passes as files: each is put into its place whole, when its pass has ended."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO

from adapters.files.acknowledgement_xml import (
    CLOSING,
    HEADER_END,
    NO_PRODUCT,
    OPENING,
    RecordStatus,
    header_rest,
    header_start,
    message_detail,
    product,
    record_status,
)
from syncengine.domain.frame import MessageHeader
from syncengine.domain.ids import RecordReference, SourceName, StreamName
from syncengine.domain.passes import Noted, PassReport, RecordOutcome, WarningKind
from syncengine.domain.product import ProductIdentifier
from syncengine.errors import InputUnreadable
from syncengine.ports import Acknowledging, Clock

_ROOT_WITHIN_BYTES = 1024
_WAITING_IN_MEMORY_BYTES = 1 << 20


def acknowledgements(
    path: Path, passes: Collection[tuple[SourceName, StreamName]], *, dry_run: bool, clock: Clock
) -> Callable[[SourceName, StreamName], Acknowledging]:
    """What opens the acknowledgement of each of these passes.

    `path` is the file of a single pass; of several each has its source and stream in the name, before the suffix. Raises
    InputUnreadable, before any pass, for a name that cannot be written to or stands for something else.
    """

    def named(source: SourceName, stream: StreamName) -> Path:
        return path if len(passes) == 1 else path.parent / f"{path.stem}-{source}-{stream}{path.suffix}"

    for source, stream in passes:
        _check(named(source, stream))
    note = "dry run: nothing of this was applied" if dry_run else ""
    return lambda source, stream: Acknowledgement(named(source, stream), clock, note=note)


class Acknowledgement:
    """Implements `Acknowledging` by one file.

    The header counts what follows it, so messages and records wait: a few in memory, more in temporary files beside the path
    that have no name, and are gone with the process however it ends. That they cannot be written is told at the end; the pass
    goes on.
    """

    def __init__(self, path: Path, clock: Clock, *, note: str = "") -> None:
        self._path = path
        self._clock = clock
        self._note = note
        self._senders: dict[str, None] = {}
        self._statuses: Counter[RecordStatus] = Counter()
        self._told: Counter[WarningKind] = Counter()
        self._failure: OSError | None = None
        self._messages, self._products = _spool(path), _spool(path)

    def message(self, part: str, header: MessageHeader) -> None:
        if header.sender:
            self._senders[header.sender] = None
        self._keep(self._messages, message_detail(part, header))

    def record(
        self,
        reference: RecordReference | None,
        identifiers: Sequence[ProductIdentifier],
        outcome: RecordOutcome,
        noted: Sequence[Noted],
    ) -> None:
        status = record_status(outcome, noted)
        self._statuses[status] += 1
        self._told.update(one.kind for one in noted)
        self._keep(self._products, product(reference, identifiers, status, noted))

    def conclude(self, report: PassReport) -> None:
        unfinished = self._path.with_name(f"{self._path.name}.part")
        try:
            if self._failure is not None:
                raise self._failure
            with unfinished.open("wb") as file:
                self._write(file, report)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
        except OSError as error:
            raise unwritable(self._path, error) from error
        finally:
            self._clear_away(unfinished)

    def _clear_away(self, unfinished: Path) -> None:
        for waiting in (self._messages, self._products):
            with suppress(OSError):
                waiting.close()
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)

    def _keep(self, waiting: IO[bytes], line: str) -> None:
        if self._failure is not None:
            return
        try:
            waiting.write(line.encode())
        except OSError as error:
            self._failure = error

    def _write(self, file: IO[bytes], report: PassReport) -> None:
        start = header_start(report, self._senders, self._clock.now(), note=self._note)
        file.write(f"{OPENING}{start}".encode())
        _copy(self._messages, file)
        file.write(f"{header_rest(report, self._told, self._statuses)}{HEADER_END}".encode())
        if self._statuses:
            _copy(self._products, file)
        else:
            file.write(NO_PRODUCT.encode())
        file.write(CLOSING.encode())


def unwritable(path: Path, error: OSError) -> InputUnreadable:
    """The error for an acknowledgement that cannot be written."""
    return InputUnreadable(
        f"the acknowledgement {path} cannot be written: {error.strerror or error}",
        hint="name a file in a folder that is there, has room, and that this user may write to",
    )


def _check(path: Path) -> None:
    """An acknowledgement replaces an earlier one, or nothing; never the file that is to be read."""
    try:
        if path.exists() and not _is_replaceable(path):
            raise InputUnreadable(
                f"{path} is there and is no acknowledgement",
                hint="name another file for the acknowledgement, or take this one away",
            )
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def _is_replaceable(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        opening = file.read(_ROOT_WITHIN_BYTES)
    return not opening or b"<ONIXMessageAcknowledgement" in opening


def _spool(path: Path) -> IO[bytes]:
    return SpooledTemporaryFile(max_size=_WAITING_IN_MEMORY_BYTES, dir=str(path.parent))


def _copy(waiting: IO[bytes], file: IO[bytes]) -> None:
    waiting.seek(0)
    shutil.copyfileobj(waiting, file)
