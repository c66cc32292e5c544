"""The shop's out box as two streams: agreements as rows, articles as ONIX (contract cb 9 and 10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.distributors.cb import outbox
from adapters.distributors.cb.cursors import FilesCursor, decode, encode
from adapters.distributors.cb.outbox import Delivery
from adapters.distributors.cb.settings import Ebooks
from syncengine.domain.ids import SourceName
from syncengine.errors import InputUnreadable
from syncengine.logs import Logger
from syncengine.ports import Clock, Part, PassEnd

Steps = AsyncGenerator[Part | PassEnd, None]

log = Logger(__name__)


class OutBox:
    """Reads what CB puts into the out box: every file once, in the order in which the files were sent."""

    def __init__(
        self, name: SourceName, settings: Ebooks, directory: Path, zone: ZoneInfo, clock: Clock, *, relation_id: str
    ) -> None:
        """Relative paths start at `directory`; times without zone are those of `zone`; `relation_id` is whose agreements count."""
        self._name = name
        self._relation_id = relation_id
        self._settings = settings
        self._agreement = [str(directory / pattern) for pattern in settings.agreement]
        self._articles = [str(directory / pattern) for pattern in settings.articles]
        self._zone = zone
        self._clock = clock

    async def check(self) -> None:
        """Look whether both kinds of file are there; raises InputUnreadable."""
        for patterns in (self._agreement, self._articles):
            await asyncio.to_thread(self._check, patterns)

    async def agreement(self, cursor: bytes | None) -> Steps:
        """The new agreement messages. The engine itself tells which are older than the last applied, by their SentDateTime (9)."""
        known = decode(cursor, FilesCursor)
        name = self._settings.agreement_name
        found = await asyncio.to_thread(self._new, self._agreement, known, name)
        for stranger in [each for each in found if not outbox.is_of(each.path, name, self._relation_id)]:
            # What another shop may sell is no leave for this one.
            log.warning("an agreement of another relation", source=self._name, file=stranger.path.name)
            found.remove(stranger)
        for delivery, after in _cursors(found, known):
            for message in delivery.messages:
                last = message is delivery.messages[-1]
                yield Part(name=message.name, chunks=outbox.whole(message), cursor=after if last else None)
        yield await self._end("agreement", self._agreement, found, known)

    async def articles(self, cursor: bytes | None) -> Steps:
        """The new article messages; a file that comes late, older than one that was applied, would take newer facts back."""
        known = decode(cursor, FilesCursor)
        found = await asyncio.to_thread(self._new, self._articles, known, None)
        for delivery, after in _cursors(found, known):
            if known.sent_at is not None and delivery.sent_at < known.sent_at:
                log.warning("an older file was passed over", source=self._name, file=delivery.path.name)
                continue
            for message in delivery.messages:
                last = message is delivery.messages[-1]
                yield Part(name=message.name, chunks=message.pieces(), cursor=after if last else None)
        yield await self._end("articles", self._articles, found, known)

    async def _end(
        self, stream: str, patterns: Sequence[str], found: Sequence[Delivery], known: FilesCursor
    ) -> PassEnd:
        """Of the files that were dealt with those are remembered that are still there."""
        present = await asyncio.to_thread(lambda: {outbox.key_of(path) for path in outbox.files(patterns)})
        read = [*known.read, *(delivery.key for delivery in found)]
        newest = max([*([known.sent_at] if known.sent_at else []), *(each.sent_at for each in found)], default=None)
        warned = self._warned(stream, newest, known)
        kept = tuple(key for key in read if key in present)
        return PassEnd(cursor=encode(FilesCursor(read=kept, sent_at=newest, warned=warned)))

    def _warned(self, stream: str, newest: datetime | None, known: FilesCursor) -> date | None:
        """Tell once of a working day without a file: its changes may be missing (9, 10)."""
        settings = self._settings
        day = outbox.missed_day(
            newest, self._clock.now(), by_hour=settings.files_by, holidays=settings.holidays, zone=self._zone
        )
        if day is None or day == known.warned:
            return known.warned
        log.warning("a working day without a file", source=self._name, stream=stream, day=day.isoformat())
        return day

    def _new(self, patterns: Sequence[str], known: FilesCursor, name: str | None) -> list[Delivery]:
        if known.sent_at is None:
            self._check(patterns)
        return outbox.deliveries(patterns, frozenset(known.read), self._zone, name)

    def _check(self, patterns: Sequence[str]) -> None:
        """Before the first file has come, an empty out box is more likely a wrong path."""
        if not outbox.files(patterns):
            raise InputUnreadable(
                f"{self._name}: no file matches {', '.join(patterns)}",
                hint="check the path, and whether CB has put the first, complete file there",
            )


def _cursors(found: Sequence[Delivery], known: FilesCursor) -> list[tuple[Delivery, bytes]]:
    """Each file with the cursor to be committed with its last record."""
    read, newest = list(known.read), known.sent_at
    cursors = []
    for delivery in found:
        read.append(delivery.key)
        newest = delivery.sent_at if newest is None else max(newest, delivery.sent_at)
        after = FilesCursor(read=tuple(read), sent_at=newest, warned=known.warned)
        cursors.append((delivery, encode(after)))
    return cursors
