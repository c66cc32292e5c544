"""ONIX files as a source: all that match at the start are one pass."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from syncengine.domain.ids import Isbn, SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.domain.rows import Rows
from syncengine.errors import InputUnreadable, UsageInvalid
from syncengine.ports import Conventions, Part, PassEnd, PassPlan

if TYPE_CHECKING:
    from adapters.files.archive import Message

STREAM = StreamName("files")


class Pick(StrEnum):
    """Which of the matching files a pass reads."""

    ALL = "all"
    NEWEST = "newest"
    """The last by name of each pattern: dated snapshots carry their date in the name."""


class FileSource:
    """Reads ONIX files: plain, gzip, zstd or zip, told by their content.

    Each of `paths` is a path or a pattern. All matches at the start of a pass are read, pattern by pattern in the order
    given and by name within one; a file that comes later waits for the next pass. In mode full the files together are the
    whole catalogue, so that absence means a record vanished.
    """

    def __init__(
        self,
        name: SourceName,
        paths: Sequence[str | Path],
        *,
        mode: PassMode = PassMode.DELTA,
        pick: Pick = Pick.ALL,
        conventions: Conventions | None = None,
    ) -> None:
        self._name = name
        self._paths = tuple(str(path) for path in paths)
        self._mode = mode
        self._pick = pick
        self._conventions = conventions or Conventions()
        for path in self._paths:
            if path.lower().startswith(("http://", "https://")):
                raise UsageInvalid(f"{path} is an address, not a file", hint="fetch it first and name the file")

    @property
    def name(self) -> SourceName:
        return self._name

    @property
    def streams(self) -> tuple[StreamName, ...]:
        return (STREAM,)

    @property
    def conventions(self) -> Conventions:
        return self._conventions

    def rows(self, stream: StreamName) -> Rows | None:  # noqa: ARG002 - there is one stream
        return None

    def is_snapshot(self, stream: StreamName) -> bool:  # noqa: ARG002 - there is one stream
        return self._mode is PassMode.FULL

    def plan(
        self,
        stream: StreamName,  # noqa: ARG002 - there is one stream
        cursor: bytes | None,  # noqa: ARG002 - a folder has no place to go on from
        wanted: PassMode | None,
        now: datetime,  # noqa: ARG002 - files are read whenever they are asked for
    ) -> PassPlan:
        return PassPlan(mode=wanted or self._mode)

    async def read(
        self,
        stream: StreamName,  # noqa: ARG002 - there is one stream
        plan: PassPlan,  # noqa: ARG002 - the same files in every mode
        cursor: bytes | None,  # noqa: ARG002 - a folder has no place to go on from
    ) -> AsyncGenerator[Part | PassEnd, None]:
        for message in await asyncio.to_thread(self._messages):
            with closing(message.pieces()) as pieces:
                yield Part(name=message.name, chunks=pieces)
        yield PassEnd(cursor=None)

    async def read_one(self, isbn: Isbn) -> Mapping[StreamName, Part]:  # noqa: ARG002 - files have no single titles
        return {}

    async def check_account(self) -> None:
        """Find and open the files of the next pass; raises InputUnreadable or NotOnix."""
        await asyncio.to_thread(self._messages)

    async def aclose(self) -> None:
        """Nothing stays open between passes."""

    def _messages(self) -> list[Message]:
        """Every message of the pass; all files are opened once first, so that a missing one stops it before it begins."""
        from adapters.files.archive import messages_in

        return [message for path in self._files() for message in messages_in(path)]

    def _files(self) -> list[Path]:
        chosen: dict[Path, None] = {}
        for pattern in self._paths:
            matches = _matches(pattern)
            chosen.update(dict.fromkeys(matches[-1:] if self._pick is Pick.NEWEST else matches))
        return list(chosen)


def _matches(pattern: str) -> list[Path]:
    """The files a path or pattern names, by name; a file whose own name looks like a pattern is itself."""
    from adapters.files.archive import unreadable

    path = Path(pattern)
    try:
        if path.exists() or not glob.has_magic(pattern):
            return [path]
    except OSError as error:
        raise unreadable(path, error) from error
    found = sorted(Path(match) for match in glob.glob(pattern, recursive=True) if Path(match).is_file())  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        raise InputUnreadable(f"no file matches {pattern}", hint="check the pattern, and whether the files have come")
    return found
