"""Pieces made ahead by a thread: the same bytes, the same end, and no thread left behind."""

import threading
from collections.abc import Generator

import pytest

from adapters.files.ahead import ahead
from syncengine.errors import FeedTorn

MEBIBYTE = 1 << 20


def pieces(*sizes: int, error: Exception | None = None) -> Generator[bytes, None, None]:
    for number, size in enumerate(sizes):
        yield bytes([number % 251]) * size
    if error is not None:
        raise error


def is_unpacking() -> bool:
    return any(thread.name == "unpacking" for thread in threading.enumerate())


@pytest.mark.parametrize("sizes", [(), (1,), (3, 0, 5), (MEBIBYTE,) * 9, (7000,) * 1000])
def test_the_bytes_are_the_same(sizes):
    assert b"".join(pieces(*sizes)) == b"".join(ahead(pieces(*sizes)))
    assert not is_unpacking()


def test_small_pieces_are_put_together():
    sizes = [len(piece) for piece in ahead(pieces(*(1000,) * 2000))]
    assert 2_000_000 == sum(sizes)
    assert 8 == len(sizes)


def test_large_pieces_are_handed_over_as_they_are():
    made = [bytes(MEBIBYTE), bytes(MEBIBYTE // 2)]
    taken = list(ahead(piece for piece in made))
    assert [True, True] == [one is other for one, other in zip(made, taken, strict=True)]


def test_no_more_is_made_than_there_is_room_for():
    """What waits, what is in hand on either side, and nothing else: memory is bounded whoever is slower."""
    made: list[None] = []

    def endless() -> Generator[bytes, None, None]:
        while True:
            made.append(None)
            yield bytes(MEBIBYTE)

    coming = ahead(endless())
    for taken in range(1, 20):
        next(coming)
        assert len(made) <= taken + 3
    coming.close()


def test_what_breaks_off_does_so_behind_all_that_came_before():
    coming = ahead(pieces(10, 20, error=FeedTorn("cut off")))
    assert 30 == len(next(coming))
    with pytest.raises(FeedTorn, match="cut off"):
        next(coming)
    assert not is_unpacking()


def test_who_stops_early_leaves_no_thread_behind_and_closes_what_is_read():
    closed = []

    def endless() -> Generator[bytes, None, None]:
        try:
            while True:
                yield bytes(MEBIBYTE)
        finally:
            closed.append(True)

    coming = ahead(endless())
    next(coming)
    coming.close()
    assert [True] == closed
    assert not is_unpacking()
