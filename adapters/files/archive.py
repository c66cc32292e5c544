"""One ONIX file on disk, packed in any of the usual ways, to the messages in it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from adapters.files.ahead import ahead
from adapters.files.zstd import unzstd
from adapters.http.unpack import PIECE, GzipUnpacker, Packing, RatioWatch
from syncengine.errors import FeedTorn, InputUnreadable, NotOnix, SourceFailed

if TYPE_CHECKING:
    import zipfile

_OPENING_BYTES = 8
_MEMBER_SUFFIXES = (".xml", ".onix", ".onx")
_MOST_DIRECTORY_BYTES = 16 << 20
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_BYTES = 22
_DIRECTORY_END_64 = b"PK\x06\x06"
_LONGEST_COMMENT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One ONIX message in a file: the file itself, or a member of a zip archive. Nothing is ever written under its name."""

    path: Path
    packing: Packing
    member: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member!r}"

    def pieces(self) -> Generator[bytes, None, None]:
        """Its plain bytes, at most PIECE at once; blocking. Raises FeedTorn, NotOnix or another SourceFailed where they break off."""
        try:
            match self.packing:
                case Packing.PLAIN:
                    yield from _file_pieces(self)
                case Packing.ZIP:
                    yield from ahead(_zip_pieces(self))
                case _:
                    yield from ahead(_file_pieces(self))
        except OSError as error:
            raise SourceFailed(f"{self.name} cannot be read further: {error.strerror or error}") from error


def messages_in(path: Path) -> list[Message]:
    """What a file holds, members by name; raises InputUnreadable or NotOnix. Blocking."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputUnreadable(f"{path} is no regular file", hint="write what comes through it to a file first")
    try:
        with path.open("rb") as file:
            packing = Packing.of(file.read(_OPENING_BYTES))
    except OSError as error:
        raise unreadable(path, error) from error
    match packing:
        case Packing.BZIP2 | Packing.XZ:
            raise NotOnix(
                f"{path} is packed with {packing.name.lower()}, which is not read here",
                hint="unpack it, or pack it with gzip, zstd or zip",
            )
        case Packing.ZIP | Packing.EMPTY_ZIP:
            return [Message(path=path, packing=packing, member=member) for member in _members(path)]
        case _:
            return [Message(path=path, packing=packing)]


def unreadable(path: Path, error: OSError) -> InputUnreadable:
    """The error for a file that cannot be opened."""
    match error:
        case FileNotFoundError():
            return InputUnreadable(f"{path} does not exist", hint="check the path")
        case PermissionError():
            return InputUnreadable(f"{path} may not be read", hint="give this user the right to read it")
        case IsADirectoryError():
            return InputUnreadable(f"{path} is a directory", hint=f'name its files, for example "{path}/*.xml"')
        case _:
            return InputUnreadable(f"{path} cannot be read: {error.strerror or error}")


def _file_pieces(message: Message) -> Generator[bytes, None, None]:
    with message.path.open("rb", buffering=0) as file:
        match message.packing:
            case Packing.GZIP:
                yield from _gunzip(file, message.name)
            case Packing.ZSTD:
                yield from unzstd(file, message.name)
            case _:
                yield from _chunks(file)


def _gunzip(file: IO[bytes], name: str) -> Iterator[bytes]:
    unpacker = GzipUnpacker(name)
    for packed in _chunks(file):
        yield from unpacker.feed(packed)
    unpacker.finish()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(PIECE):
        yield chunk


def _members(path: Path) -> list[str]:
    """The names of the ONIX messages in an archive, sorted."""
    with _opened(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    chosen = sorted(name for name in names if _is_message(name))
    if not chosen:
        raise NotOnix(
            f"{path} is a zip archive without any {' or '.join(_MEMBER_SUFFIXES[:2])} file in it",
            hint="look into it; only such members are read, archives inside archives are not",
        )
    return chosen


def _is_message(name: str) -> bool:
    """Whether a member is one: not a file manager's shadow of it."""
    base = name.rsplit("/", 1)[-1]
    return name.lower().endswith(_MEMBER_SUFFIXES) and not base.startswith(".") and not name.startswith("__MACOSX/")


def _opened(path: Path) -> zipfile.ZipFile:
    import zipfile

    try:
        with path.open("rb") as file:
            _check_directory(path, file)
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise FeedTorn(
            f"{path} is no whole zip archive: {error}", hint="fetch or copy the file again, whole"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _check_directory(path: Path, file: IO[bytes]) -> None:
    """Refuse a directory of a million entries before anything is made of it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_COMMENT - _DIRECTORY_END_BYTES))
    tail = file.read()
    directory_bytes = 0
    at = tail.rfind(_DIRECTORY_END)
    if at >= 0 and len(tail) >= at + _DIRECTORY_END_BYTES:
        (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    at = tail.rfind(_DIRECTORY_END_64)
    if directory_bytes == 0xFFFFFFFF and at >= 0 and len(tail) >= at + 48:
        (directory_bytes,) = struct.unpack_from("<Q", tail, at + 40)
    if directory_bytes > _MOST_DIRECTORY_BYTES:
        raise NotOnix(
            f"{path} lists {directory_bytes} bytes of entries, which no delivery of ONIX files does",
            hint="look at where the file comes from",
        )


def _zip_pieces(message: Message) -> Generator[bytes, None, None]:
    ratio = RatioWatch(message.name)
    with _opened(message.path) as archive, closing(_member(archive, message)) as member:
        ratio.count(packed=archive.getinfo(message.member or "").compress_size)
        while piece := _read(member, message):
            ratio.count(plain=len(piece))
            yield piece


def _member(archive: zipfile.ZipFile, message: Message) -> IO[bytes]:
    import zipfile

    try:
        return archive.open(message.member or "")
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise _torn(message, error) from error
    except (RuntimeError, NotImplementedError) as error:
        raise NotOnix(
            f"{message.name} is encrypted or packed in a way that is not read here", hint="pack it with plain deflate"
        ) from error


def _read(member: IO[bytes], message: Message) -> bytes:
    import zipfile

    try:
        return member.read(PIECE)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _torn(message, error) from error


def _torn(message: Message, error: Exception) -> FeedTorn:
    return FeedTorn(f"{message.name} is damaged or cut off: {error}", hint="fetch or copy the file again, whole")
