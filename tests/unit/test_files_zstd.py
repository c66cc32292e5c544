"""Zstandard: the same bytes however they arrive, in bounded pieces, and every stream that is not whole is told."""

import io
import os
from collections.abc import Sequence
from itertools import accumulate
from random import Random

import pytest
import zstandard

from adapters.files.zstd import Frames, unzstd
from adapters.http.unpack import PIECE
from syncengine.errors import FeedTorn, NotOnix

TEXT = b"<Product/>" * 30_000
NOISE = os.urandom(300_000)


def packed(content: bytes, *, checksum: bool = False, size: bool = True, window: int = 21) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, write_checksum=checksum, write_content_size=size, window_log=window
    )
    unit = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return unit.compress(content) + unit.flush()


def skippable(content: bytes) -> bytes:
    return b"\x5a\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


STREAMS: dict[str, tuple[bytes, Sequence[bytes]]] = {
    "one frame": (TEXT, [packed(TEXT)]),
    "in one block": (TEXT[:90], [zstandard.compress(TEXT[:90])]),
    "with a checksum": (TEXT, [packed(TEXT, checksum=True)]),
    "of unknown size": (TEXT, [packed(TEXT, size=False)]),
    "raw blocks": (NOISE, [packed(NOISE, checksum=True)]),
    "a repeated byte": (bytes(300_000), [packed(bytes(300_000))]),
    "nothing at all": (b"", [packed(b"")]),
    "frames": (TEXT[:1000] + NOISE, [packed(TEXT[:1000], checksum=True), packed(b""), packed(NOISE)]),
    "frames to skip": (TEXT * 2, [skippable(b"notes"), packed(TEXT), skippable(b""), skippable(NOISE), packed(TEXT)]),
}


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__(content)
        self._step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._step, size or 0))


@pytest.mark.parametrize("step", [1, 7, 1000, PIECE])
@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_may_arrive_in_any_pieces(stream, step):
    """Every boundary of frames, blocks and headers falls on every kind of chunk boundary."""
    plain, frames = STREAMS[stream]
    assert plain == b"".join(unzstd(Dripping(b"".join(frames), step), "x"))


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 100_000])
def test_pieces_are_a_mebibyte_long_but_for_the_last(length):
    plain = (TEXT * 10)[:length]
    pieces = list(unzstd(io.BytesIO(packed(plain, checksum=True)), "x"))
    assert plain == b"".join(pieces)
    assert [PIECE] * (length // PIECE) == [len(piece) for piece in pieces[: length // PIECE]]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_is_whole_where_its_frames_end_and_nowhere_else(stream, rng: Random):
    _, frames = STREAMS[stream]
    whole = b"".join(frames)
    ends = {0, *accumulate(map(len, frames))}
    near = {end + distance for end in ends for distance in range(-20, 21)}
    for cut in sorted(near | {rng.randrange(len(whole)) for _ in range(200)}):
        if 0 <= cut <= len(whole):
            following = Frames()
            following.follow(whole[:cut])
            assert (cut in ends) is following.are_whole, cut


@pytest.mark.parametrize("stream", ["one frame", "in one block", "with a checksum", "raw blocks", "frames"])
def test_a_cut_stream_is_told_behind_nothing_but_what_was_packed(stream, rng: Random):
    plain, frames = STREAMS[stream]
    whole = b"".join(frames)
    first = len(frames[0])
    for cut in {4, 5, first - 1, len(whole) - 1, rng.randrange(6, first)}:
        given: list[bytes] = []
        with pytest.raises(FeedTorn, match="x is cut off"):
            given.extend(unzstd(io.BytesIO(whole[:cut]), "x"))
        assert plain.startswith(b"".join(given))


def test_what_came_before_a_cut_is_given():
    given: list[bytes] = []
    with pytest.raises(FeedTorn):
        given.extend(unzstd(io.BytesIO(packed(NOISE)[:-1]), "x"))
    assert NOISE[:-1] == b"".join(given)


@pytest.mark.parametrize(
    "content",
    [
        packed(NOISE, checksum=True)[:-1] + b"\0",
        packed(TEXT) + b"junk behind it",
        packed(TEXT)[:20] + NOISE,
    ],
    ids=["a wrong checksum", "no frame", "overwritten"],
)
def test_damage_is_named(content):
    with pytest.raises(FeedTorn, match="x is damaged: ") as caught:
        list(unzstd(io.BytesIO(content), "x"))
    assert caught.value.hint


def test_a_frame_that_wants_more_memory_than_any_is_given_is_refused():
    assert TEXT == b"".join(unzstd(io.BytesIO(packed(TEXT, window=27)), "x"))
    with pytest.raises(FeedTorn, match="too much memory"):
        list(unzstd(io.BytesIO(packed(TEXT, window=28)), "x"))


def test_a_bomb_gives_bounded_pieces_until_it_is_stopped():
    pieces: list[int] = []
    with pytest.raises(NotOnix, match="500 times its size"):
        pieces.extend(map(len, unzstd(io.BytesIO(zstandard.compress(bytes(200 << 20))), "x")))
    assert PIECE == max(pieces)
    assert 64 << 20 == sum(pieces)
