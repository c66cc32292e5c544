"""Pieces made ahead: unpacking runs in a thread of its own beside whoever reads what it gives."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import Final

_DEPTH: Final = 4
"""How many pieces wait to be taken, at most."""

_ENOUGH: Final = 1 << 19
"""The fewest bytes that change hands, but for the last."""


@dataclass(frozen=True, slots=True)
class _End:
    """What comes behind the last piece: how the pieces ended."""

    error: BaseException | None = None


def ahead(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The same bytes, then the same error where they break off. The next pieces are made while the last is worked on.

    Small pieces are put together: each that changes hands costs the same.
    """
    waiting: Queue[bytes | _End] = Queue(_DEPTH)
    unwanted = Event()
    maker = Thread(target=_make, args=(pieces, waiting, unwanted), name="unpacking", daemon=True)
    maker.start()
    end: _End | None = None
    try:
        while not isinstance(piece := waiting.get(), _End):
            yield piece
        end = piece
        if end.error is not None:
            raise end.error
    finally:
        unwanted.set()
        while end is None:
            end = piece if isinstance(piece := waiting.get(), _End) else None
        maker.join()


def _make(pieces: Generator[bytes, None, None], waiting: Queue[bytes | _End], unwanted: Event) -> None:
    end, gathered, size = _End(), list[bytes](), 0
    try:
        for piece in pieces:
            gathered.append(piece)
            size += len(piece)
            if size >= _ENOUGH:
                waiting.put(b"".join(gathered) if len(gathered) > 1 else piece)
                gathered, size = [], 0
            if unwanted.is_set():
                pieces.close()
    except BaseException as error:  # noqa: BLE001 - raised by who reads, and would else wait for ever
        end = _End(error)
    if gathered:
        waiting.put(b"".join(gathered))
    waiting.put(end)
