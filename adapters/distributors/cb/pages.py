"""One page of Luisterhuis at a time: its rate, its faults and a few repeats (contract cb 2.1 and 3.8)."""

from __future__ import annotations

import asyncio
import re

from adapters.distributors.cb import answers
from adapters.distributors.cb.settings import LUISTERHUIS_LIMIT
from adapters.http.headers import http_date, retry_after
from adapters.http.session import Answer, HttpSession
from syncengine.domain.ids import SourceName
from syncengine.errors import FeedTorn, NotOnix, SourceFailed, SourceRefused, SourceUnreachable
from syncengine.ports import World

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before each repeat of a page that did not come whole."""

_MOST_REFUSED_RATES = 3
_RECORD = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?[Pp]roduct[\s>/]")


class Pages:
    """Asks for pages: waits for its turn, repeats what the network spoiled, and tells content from a failure."""

    def __init__(self, name: SourceName, session: HttpSession, world: World, room: asyncio.Semaphore) -> None:
        self._name = name
        self._session = session
        self._clock = world.clock
        self._pace = world.pace
        self._room = room

    async def page(self, address: str) -> bytes:
        """The body of a page that is one.

        Raises SourceUnreachable or FeedTorn once the repeats are used up, and at once SourceRefused, NotOnix or SourceFailed as the
        answer says.
        """
        answer = await self._answered(address)
        if answer.status in {401, 403}:
            raise SourceRefused(
                f"{self._name}: Luisterhuis refuses the credentials ({answer.status})",
                hint="check the secret, and that it belongs to this environment",
            )
        if answer.status != 200:
            said = " ".join((str(answer.status), *answers.read(answer.body).errors))
            raise SourceFailed(
                f"{self._name}: Luisterhuis does not answer as expected ({said})",
                hint="check base_url and the paths in the settings, which CB must confirm",
            )
        if answers.is_html(answer.body):
            raise NotOnix(
                f"{self._name}: Luisterhuis answers with a web page",
                hint="look at base_url and the credentials: this is how a login page looks",
            )
        return answer.body

    async def aclose(self) -> None:
        """Give back connections."""
        await self._session.aclose()

    async def _answered(self, address: str) -> Answer:
        pauses = iter(PAUSES)
        refused_rates = 0
        while True:
            await self._pace.turn(self._name, LUISTERHUIS_LIMIT)
            try:
                async with self._room:
                    answer = await self._session.fetch(address)
            except (SourceUnreachable, FeedTorn) as error:
                failure: SourceFailed = error
            else:
                if answer.status == 429:
                    refused_rates += 1
                    self._slow_down(answer)
                    if refused_rates < _MOST_REFUSED_RATES:
                        continue
                    raise SourceUnreachable(
                        f"{self._name}: Luisterhuis refuses the rate (429), {_MOST_REFUSED_RATES} times in a row",
                        hint="another program may use the same account; the next pass starts again",
                    )
                if answer.status < 500:
                    return answer
                failure = SourceUnreachable(
                    f"{self._name}: Luisterhuis is out of order ({answer.status})",
                    hint="the next pass starts again, from the same instant",
                )
                if answer.status == 503:
                    self._slow_down(answer)
            pause = next(pauses, None)
            if pause is None:
                raise failure
            await self._clock.sleep(pause)

    def _slow_down(self, answer: Answer) -> None:
        server_now = http_date(answer.headers.get("date"))
        until = retry_after(answer.headers.get("retry-after"), now=self._clock.now(), server_now=server_now)
        self._pace.slow_down(self._name, LUISTERHUIS_LIMIT, until)


def count_records(body: bytes) -> int:
    """How many records a page begins, broken ones too; a text that shows such a tag counts as one, which only asks for more."""
    return sum(1 for _ in _RECORD.finditer(body))


def records_of(body: bytes) -> bytes:
    """The records of a page without the header before them, which differs from page to page; empty where there is none."""
    first = _RECORD.search(body)
    return body[first.start() :] if first else b""
