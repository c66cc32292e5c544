"""What a stub distributor is made of: routes whose handlers turn a call into an answer, titles, settings."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web

from adapters.sandbox.catalogue import TitleEdit, TitleRow
from adapters.sandbox.faults import Faults, Knob
from adapters.sandbox.ledger import Ledger, LedgerRow
from syncengine.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class StubWorld:
    """What a stub is given: its share of titles, the clock, the ledger, the instant its catalogue is made for, and the sandbox's
    folder, for files that it serves as such.
    """

    seed: int
    titles: int
    clock: Clock
    ledger: Ledger
    made_at: datetime
    directory: Path

    def chance(self, name: str) -> random.Random:
        """A generator that gives the same numbers for the same seed and name."""
        return random.Random(f"{self.seed}:{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a stub says: `word` is its code word, kept in the list of calls and, without a `body`, sent as the body."""

    status: int
    word: str = ""
    body: bytes | None = None
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        """The body as it is sent."""
        return self.word.encode() if self.body is None else self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that arrived, read: `path` holds the route's values, `parameters` those of query, form and JSON body.

    A parameter that stands in the query wins over one in the body. `origin` is scheme, host and port as the caller used them,
    `headers` are by their names in small letters.
    """

    distributor: str
    endpoint: str
    method: str
    target: str
    origin: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    parameters: Mapping[str, str]
    body: bytes
    authorization: str
    headers: Mapping[str, str]
    at: datetime
    faults: Faults

    def fault(self, name: str) -> Knob | None:
        """Whether one of the stub's own faults strikes this call; a strike is counted, so ask only where it matters."""
        return self.faults.draw(self.distributor, self.endpoint, name, self.target)

    @classmethod
    async def read(cls, request: web.Request, *, distributor: str, endpoint: str, at: datetime, faults: Faults) -> Call:
        """Read the request to its end."""
        body = await request.read() if request.can_read_body else b""
        query = dict(request.query)
        return cls(
            distributor=distributor,
            endpoint=endpoint,
            method=request.method,
            target=request.path_qs,
            origin=str(request.url.origin()),
            path=dict(request.match_info),
            query=query,
            parameters={**await _body_parameters(request, body), **query},
            body=body,
            authorization=request.headers.get("Authorization", ""),
            headers={name.lower(): text for name, text in request.headers.items()},
            at=at,
            faults=faults,
        )


async def _body_parameters(request: web.Request, body: bytes) -> dict[str, str]:
    if not body:
        return {}
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: str(value) for name, value in document.items() if isinstance(value, str | int | float)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path below `/NAME` in aiohttp's notation, the endpoint class its faults and rates go by, and who answers.

    A handler is not a coroutine: a call takes effect wholly or not at all.
    """

    method: str
    path: str
    endpoint: str
    answer: Callable[[Call], Answer]


class Told(StrEnum):
    """The amount that a distributor is told of a sale, as its ledger has it."""

    PRICE = "the price in force"
    PAID = "what the customer paid"
    NOTHING = "no amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A distributor in words for people: its name, the market it is at home in (`CA/CAD`), by what a title is out there."""

    label: str
    market: str
    release: str
    told: Told


class Stub(Protocol):
    """A distributor's stand-in."""

    @property
    def name(self) -> str:
        """The distributor's name: first segment of its paths, `distributor` in rows, default name of its source."""
        ...

    @property
    def about(self) -> About: ...

    @property
    def routes(self) -> Sequence[Route]: ...

    @property
    def faults(self) -> Collection[str]:
        """Its own faults beside those of the transport."""
        ...

    @property
    def scenarios(self) -> Mapping[str, str]:
        """The ISBN of each title that shows a case on purpose, by the case's name."""
        ...

    def knows(self, isbn: str) -> bool: ...

    def titles(self, at: datetime) -> Iterable[TitleRow]:
        """The truth at that instant, a row for each title and market."""
        ...

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        """Make all of the edits or, raising EditInvalid, none; gives the rows of the titles they touched."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """Its own knobs as they stand; nothing secret."""
        ...

    def set_settings(self, changes: Mapping[str, Any]) -> None:
        """Set some of them; raises KnobInvalid and changes nothing where one makes no sense."""
        ...

    def reset_settings(self) -> None: ...

    def replay(self, row: LedgerRow) -> None:
        """Take back what an earlier run of this stub wrote into the ledger."""
        ...

    def address(self, url: str) -> str:
        """The base address an engine is configured with, where the sandbox listens at `url`."""
        ...

    def settings_toml(self, url: str) -> str:
        """The `[sources.NAME]` section of a settings file to use."""
        ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secret files that section names, with their content."""
        ...


StubFactory = Callable[[StubWorld], Stub]
