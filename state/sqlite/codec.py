"""How values of the domain become bytes in a store: msgpack by field name, bodies compressed, instants as numbers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import msgspec
import zstandard

from syncengine.domain.change import Change
from syncengine.domain.delivery import Gate, Operation, Request
from syncengine.domain.frame import Context
from syncengine.domain.message import MessageMark
from syncengine.domain.order import Order
from syncengine.domain.passes import PassReport
from syncengine.domain.product import Product
from syncengine.domain.title import Remembered
from syncengine.errors import StoreFailed
from syncengine.ports import LoggedReceipt

ValueT = TypeVar("ValueT")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEVEL = 1
"""The fastest level: it halves what the next one would save of a frame's size, at a third of its time."""

_encode = msgspec.msgpack.Encoder().encode


class _Zstd(threading.local):
    """Compression contexts are costly to make and must not be shared between threads."""

    def __init__(self) -> None:
        compressor, decompressor = zstandard.ZstdCompressor(level=_LEVEL), zstandard.ZstdDecompressor()
        self.compress, self.compress_all = compressor.compress, compressor.multi_compress_to_buffer
        self.decompress, self.expand_all = decompressor.decompress, decompressor.multi_decompress_to_buffer


_zstd = _Zstd()


def compress_all(bodies: Sequence[bytes]) -> list[bytes]:
    """The same for many in one go, during which others may compute."""
    if not bodies:
        return []
    packed = _zstd.compress_all(list(bodies))
    return [packed[place].tobytes() for place in range(len(packed))]


def expand_all(blobs: Sequence[bytes]) -> list[bytes]:
    """What was given to `compress`; raises StoreFailed as `expand` does."""
    if not blobs:
        return []
    try:
        bodies = _zstd.expand_all(list(blobs))
        return [bodies[place].tobytes() for place in range(len(bodies))]
    except (zstandard.ZstdError, ValueError) as error:
        raise _damaged("body", error) from error


def compress(body: bytes) -> bytes:
    """The body, smaller."""
    return _zstd.compress(body)


def expand(blob: bytes) -> bytes:
    """The body as it was given to `compress`; raises StoreFailed for bytes that never were."""
    try:
        return _zstd.decompress(blob)
    except zstandard.ZstdError as error:
        raise _damaged("body", error) from error


def plain(text: str) -> str:
    """The text with `?` for what is no Unicode: lone surrogates, as headers and broken feeds bring them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Packed(Generic[ValueT]):
    """Encodes values of one type. Fields are stored by name: one that was added since takes its default, one that is gone is skipped."""

    def __init__(self, type_: type[ValueT], *, compressed: bool = False) -> None:
        self._type = type_
        self._decode = msgspec.msgpack.Decoder(type_).decode
        self._compressed = compressed

    def pack(self, value: ValueT) -> bytes:
        """The value as bytes; text that is no Unicode is kept as `plain` spells it."""
        packed = self._packed(value)
        return compress(packed) if self._compressed else packed

    def pack_all(self, values: Iterable[ValueT]) -> list[bytes]:
        """The same for many."""
        packed = [self._packed(value) for value in values]
        return compress_all(packed) if self._compressed else packed

    def _packed(self, value: ValueT) -> bytes:
        try:
            return _encode(value)
        except UnicodeEncodeError:
            return _encode(_plain_throughout(msgspec.to_builtins(value, builtin_types=(bytes, datetime))))

    def unpack(self, blob: bytes) -> ValueT:
        """The value; raises StoreFailed where the bytes are damaged or mean no such value."""
        return self._unpacked(expand(blob) if self._compressed else blob)

    def unpack_all(self, blobs: Sequence[bytes]) -> list[ValueT]:
        """The same for many."""
        return list(map(self._unpacked, expand_all(blobs) if self._compressed else blobs))

    def _unpacked(self, packed: bytes) -> ValueT:
        try:
            return self._decode(packed)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _damaged(getattr(self._type, "__name__", str(self._type)), error) from error


PRODUCT = Packed(Product, compressed=True)
CONTEXT = Packed(Context)
CHANGE = Packed(Change)
REMEMBERED = Packed(Remembered)
REPORT = Packed(PassReport)
ORDER = Packed(Order)
OPERATION = Packed(Operation)
REQUEST = Packed(Request)
LOGGED_RECEIPT = Packed(LoggedReceipt, compressed=True)
GATE = Packed(Gate)
TALLIES: Packed[Mapping[str, int]] = Packed(dict[str, int])
MARKS: Packed[Mapping[str, MessageMark | str]] = Packed(dict[str, MessageMark | str])
"""Older builds kept the SentDateTime alone."""


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970 UTC, exactly; raises TypeError for an instant without a zone."""
    return (at - EPOCH) // _MICROSECOND


def to_micros_or_none(at: datetime | None) -> int | None:
    """The same, where there may be none."""
    return None if at is None else to_micros(at)


def from_micros(micros: int) -> datetime:
    """The instant, in UTC."""
    return EPOCH + micros * _MICROSECOND


def from_micros_or_none(micros: int | None) -> datetime | None:
    """The same, where there may be none."""
    return None if micros is None else from_micros(micros)


def _plain_throughout(node: object) -> object:
    if isinstance(node, str):
        return plain(node)
    if isinstance(node, dict):
        return {_plain_throughout(key): _plain_throughout(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain_throughout(part) for part in node]
    return node


def _damaged(what: str, error: Exception) -> StoreFailed:
    return StoreFailed(
        f"a stored {what} cannot be read: {error}",
        hint="the store is damaged or was written by another version; restore the last backup",
    )
