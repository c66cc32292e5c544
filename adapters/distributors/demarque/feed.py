"""One page of De Marque's feed at a time: its rate, its faults and a few repeats (contract 2.3 and 3)."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from adapters.distributors.demarque.words import code_word, is_html
from adapters.http.headers import http_date, retry_after
from adapters.http.session import Answer, HttpSession
from syncengine.domain.ids import SourceName
from syncengine.errors import FeedTorn, FullPassNeeded, NotOnix, SourceFailed, SourceRefused, SourceUnreachable
from syncengine.ports import Clock, Pace

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before each repeat of a page that did not come whole."""

_MOST_REFUSED_RATES = 3


class Feed:
    """Asks for pages: waits for its turn, repeats what the network spoiled, and tells an end from a failure."""

    def __init__(self, name: SourceName, session: HttpSession, *, clock: Clock, pace: Pace) -> None:
        self._name = name
        self._session = session
        self._clock = clock
        self._pace = pace

    async def page(self, address: str, limit: str) -> Answer:
        """The page, or the answer `404 not_found`, which may mean an end, no change or no such thing.

        Raises SourceUnreachable or FeedTorn once the repeats are used up, and at once SourceRefused, FullPassNeeded, NotOnix
        or SourceFailed as the answer says.
        """
        answer = await self._answered(address, limit)
        if answer.status == 200:
            self._check_onix(answer)
            return answer
        if answer.status == 404 and (not answer.body.strip() or code_word(answer.body) == "not_found"):
            return answer
        raise self._refusal(answer)

    async def _answered(self, address: str, limit: str) -> Answer:
        pauses = iter(PAUSES)
        refused_rates = 0
        while True:
            await self._pace.turn(self._name, limit)
            try:
                answer = await self._session.fetch(address)
            except (SourceUnreachable, FeedTorn) as error:
                failure: SourceFailed = error
            else:
                if answer.status == 429:
                    refused_rates += 1
                    self._slow_down(limit, answer, again=refused_rates > 1)
                    if refused_rates < _MOST_REFUSED_RATES:
                        continue
                    raise self._rate_refused(limit)
                if answer.status < 500:
                    return answer
                failure = self._out_of_order(limit, answer)
            pause = next(pauses, None)
            if pause is None:
                raise failure
            await self._clock.sleep(pause)

    def _slow_down(self, limit: str, answer: Answer, *, again: bool) -> None:
        """Hold the rate: as long as the server says, else a default span, and when refused again to the next clock hour."""
        now = self._clock.now()
        until = retry_after(
            answer.headers.get("retry-after"), now=now, server_now=http_date(answer.headers.get("date"))
        )
        self._pace.slow_down(self._name, limit, until or (self._next_hour(now) if again else None))

    def _next_hour(self, now: datetime) -> datetime:
        """The next clock hour and a part of its first minute that differs between accounts (contract 2.3)."""
        spread = timedelta(seconds=zlib.crc32(self._name.encode()) % 60)
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) + spread

    def _rate_refused(self, limit: str) -> SourceUnreachable:
        return SourceUnreachable(
            f"{self._name}: the distributor refuses the rate of {limit} (429), {_MOST_REFUSED_RATES} times in a row",
            hint="another program may use the same account; the next pass goes on from here",
        )

    def _out_of_order(self, limit: str, answer: Answer) -> SourceUnreachable:
        if answer.status == 503:
            self._slow_down(limit, answer, again=False)
        return SourceUnreachable(
            f"{self._name}: the distributor is out of order ({_said(answer)})",
            hint="the next pass goes on from here",
        )

    def _check_onix(self, answer: Answer) -> None:
        if is_html(answer.body):
            raise NotOnix(
                f"{self._name}: the distributor answers with a web page instead of ONIX",
                hint="look at base_url and the credentials: this is how a login page looks",
            )

    def _refusal(self, answer: Answer) -> SourceFailed:
        word = code_word(answer.body)
        match answer.status, word:
            case 400, "too_many_results":
                return FullPassNeeded(
                    f"{self._name}: too many changes for a delta (400 too_many_results)", hint="run a full pass"
                )
            case ((401 | 403), _):
                return SourceRefused(
                    f"{self._name}: the distributor refuses the credentials ({_said(answer)})",
                    hint="check the token: a newly made one makes the old one invalid",
                )
            case 415, _:
                return SourceRefused(
                    f"{self._name}: the distributor does not serve ONIX at this address ({_said(answer)})",
                    hint="check base_url",
                )
            case _:
                return SourceFailed(f"{self._name}: an answer that is not understood ({_said(answer)})")


def _said(answer: Answer) -> str:
    return f"{answer.status} {code_word(answer.body)}".strip()
