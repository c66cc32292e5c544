"""Pieces made ahead: unpacking runs in a thread of its own beside whoever reads what it gives."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

_DEPTH: Final = 2
"""How many pieces wait to be taken, at most. With more of them each is longer out of the processor's caches before it is read."""

_ENOUGH: Final = 1 << 18
"""The fewest bytes that change hands, but for the last: copying the larger pieces once more costs more than their handing over."""


@dataclass(frozen=True, slots=True)
class _End:
    """What comes behind the last piece: how the pieces ended."""

    error: BaseException | None = None


class _HandOver:
    """Where pieces change hands.

    Room and pieces go through queues that need no lock of Python's: each time the two threads wait for one another costs both.
    """

    def __init__(self) -> None:
        self.unwanted = Event()
        """Nobody takes pieces any more."""
        self._pieces: SimpleQueue[bytes | _End] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(_DEPTH):
            self._room.put(None)

    def give(self, piece: bytes) -> None:
        """Hand over a piece, as soon as there is room."""
        self._room.get()
        self._pieces.put(piece)

    def end(self, end: _End) -> None:
        """Nothing more comes."""
        self._pieces.put(end)

    def take(self) -> bytes | _End:
        """The next piece, as soon as there is one; then how they ended, once."""
        taken = self._pieces.get()
        self._room.put(None)
        return taken


def ahead(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The same bytes, then the same error where they break off. The next pieces are made while the last is worked on.

    Small pieces are put together: each that changes hands costs the same.
    """
    between = _HandOver()
    maker = Thread(target=_make, args=(pieces, between), name="unpacking", daemon=True)
    maker.start()
    end: _End | None = None
    try:
        while not isinstance(piece := between.take(), _End):
            yield piece
        end = piece
        if end.error is not None:
            raise end.error
    finally:
        between.unwanted.set()
        while end is None:
            end = piece if isinstance(piece := between.take(), _End) else None
        maker.join()


def _make(pieces: Generator[bytes, None, None], between: _HandOver) -> None:
    end = _End()
    try:
        for piece in filter(None, _gathered(pieces)):
            between.give(piece)
            if between.unwanted.is_set():
                break
        pieces.close()
    except BaseException as error:  # noqa: BLE001 - raised by who reads, and would else wait for ever
        end = _End(error)
    between.end(end)


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth handing over, then the same error where they break off."""
    gathered, size = list[bytes](), 0
    try:
        for piece in pieces:
            gathered.append(piece)
            size += len(piece)
            if size >= _ENOUGH:
                yield b"".join(gathered)
                gathered, size = [], 0
    except Exception:
        yield b"".join(gathered)
        raise
    yield b"".join(gathered)
