"""One page of a feed at a time: its rate, its faults, a few repeats, and halved pages where they are too large (contract 3, 12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.http.headers import http_date, next_link, retry_after
from adapters.http.session import Answer, HttpSession
from syncengine.domain.ids import SourceName
from syncengine.errors import FeedTorn, FullPassNeeded, NotOnix, SourceFailed, SourceRefused, SourceUnreachable
from syncengine.ports import Clock, Pace

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before each repeat of a page that did not come whole."""

_MOST_REFUSED_RATES = 3
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_OUTLINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a feed's pages look like: its document element, and the element that each record is, by local names."""

    root: re.Pattern[bytes]
    record: re.Pattern[bytes]
    accept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: `next` is the cursor behind it, none where it names none; `goes_on` tells that there is a further page."""

    body: bytes
    next: str | None
    goes_on: bool
    is_empty: bool


class Feed:
    """Asks for pages of one feed, one at a time: waits for its turn, repeats what the network spoiled, tells what is no page."""

    def __init__(
        self, name: SourceName, session: HttpSession, shape: Shape, *, limit: str, clock: Clock, pace: Pace
    ) -> None:
        self._name = name
        self._session = session
        self._shape = shape
        self._limit = limit
        self._clock = clock
        self._pace = pace

    async def page(self, target: str) -> Page | None:
        """The page; none where it is too large and a smaller one has to be asked for (413).

        Raises SourceUnreachable or FeedTorn once the repeats are used up, and at once SourceRefused, FullPassNeeded, NotOnix or
        SourceFailed as the answer says.
        """
        answer = await self._answered(target)
        if answer.status == 413:
            return None
        if answer.status != 200:
            raise self._refusal(answer, goes_on="next=" in target)
        self._check(answer)
        following = answer.headers.get("next", "").strip() or None
        return Page(
            body=answer.body,
            next=following,
            goes_on=next_link(answer.headers.get("link")) is not None,
            is_empty=self._shape.record.search(answer.body) is None,
        )

    async def _answered(self, target: str) -> Answer:
        pauses = iter(PAUSES)
        refused_rates = 0
        while True:
            await self._pace.turn(self._name, self._limit)
            try:
                answer = await self._session.fetch(target, accept=self._shape.accept)
            except (SourceUnreachable, FeedTorn) as error:
                failure: SourceFailed = error
            else:
                if answer.status == 429:
                    refused_rates += 1
                    self._slow_down(answer)
                    if refused_rates < _MOST_REFUSED_RATES:
                        continue
                    raise self._rate_refused()
                if answer.status < 500:
                    return answer
                failure = self._out_of_order(answer)
            pause = next(pauses, None)
            if pause is None:
                raise failure
            await self._clock.sleep(pause)

    def _slow_down(self, answer: Answer) -> None:
        """Hold the rate as long as the server says: no limit is documented, and none is argued with (contract 12)."""
        headers, now = answer.headers, self._clock.now()
        until = retry_after(headers.get("retry-after"), now=now, server_now=http_date(headers.get("date")))
        self._pace.slow_down(self._name, self._limit, until)

    def _rate_refused(self) -> SourceUnreachable:
        return SourceUnreachable(
            f"{self._name}: the distributor refuses the rate of {self._limit} (429), {_MOST_REFUSED_RATES} times in a row",
            hint="another program may use the same client; the next pass goes on from here",
        )

    def _out_of_order(self, answer: Answer) -> SourceUnreachable:
        if answer.status == 503:
            self._slow_down(answer)
        return SourceUnreachable(
            f"{self._name}: {self._limit} is out of order ({answer.status})", hint="the next pass goes on from here"
        )

    def _check(self, answer: Answer) -> None:
        head = answer.body[:_OUTLINE]
        if self._shape.root.search(head) is not None:
            return
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
            raise NotOnix(
                f"{self._name}: {self._limit} is answered with a web page",
                hint="look at base_url: this is how a login page looks",
            )
        raise NotOnix(
            f"{self._name}: {self._limit} is answered with something else than its feed",
            hint="check base_url and the path of this feed",
        )

    def _refusal(self, answer: Answer, *, goes_on: bool) -> SourceFailed:
        said = f"{answer.status} {_message(answer.body)}".strip()
        match answer.status:
            case 400 | 410 if goes_on:
                return FullPassNeeded(
                    f"{self._name}: {self._limit} does not go on from the last cursor ({said})",
                    hint="a whole load is made instead: a cursor lives 180 days at most",
                )
            case 401 | 403:
                return SourceRefused(
                    f"{self._name}: {self._limit} refuses the client ({said})",
                    hint="check the client's audiences and scopes (export:onix), and the subscription",
                )
            case 404 | 410:
                return SourceRefused(
                    f"{self._name}: there is no {self._limit} at this address ({said})",
                    hint="check base_url, its path, and the version: an old one may have been switched off",
                )
            case _:
                return SourceFailed(f"{self._name}: an answer of {self._limit} that is not understood ({said})")


def shape(root: str, record: str, *, accept: str) -> Shape:
    """A feed's shape; names may stand with any prefix."""
    return Shape(
        root=re.compile(rb"<(?:[\w.-]+:)?" + root.encode() + rb"[\s>/]"),
        record=re.compile(rb"<(?:[\w.-]+:)?" + record.encode() + rb"[\s>/]"),
        accept=accept,
    )


def _message(body: bytes) -> str:
    """The code and the message of the export services' error form, else nothing: whatever else is said is not repeated."""
    found: Mapping[bytes, bytes] = dict(re.findall(rb"<(code|message)>([^<]{1,200})</", body[:_OUTLINE]))
    return " ".join(found[name].decode("utf-8", "replace") for name in (b"code", b"message") if name in found)
