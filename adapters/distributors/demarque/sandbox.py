"""The De Marque stub: contract sections 2 to 7 over its own model of titles, with the choices of section 12."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from adapters.distributors.demarque.sandbox_catalogue import FURTHER_MARKETS, MARKETS, CatalogueMaker
from adapters.distributors.demarque.sandbox_counter import Counter
from adapters.distributors.demarque.sandbox_feed import Feed
from adapters.distributors.demarque.sandbox_knobs import FAULTS, StubSettings
from adapters.distributors.demarque.sandbox_onix import Platform
from adapters.distributors.demarque.sandbox_shelf import Shelf
from adapters.sandbox.catalogue import BookMaker, TitleEdit, TitleRow
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.stub import About, Answer, Call, Route, StubWorld, Told
from adapters.sandbox.words import DISTRIBUTORS

NAME = "demarque"
ORGANISATION = "1277"
_ZONE = ZoneInfo("America/Toronto")
_PREFIX = "ENQC"
_DENIED = Answer(status=401, word="access_denied")
_NOT_FOUND = Answer(status=404, word="not_found")
_PUBLICATION = "/api/organisations/{organisation}/publications/{isbn}"
_TRANSACTION = (
    "/api/organisations/{organisation}/customers/{customer_id}/transactions/{transaction_id}/publications/{isbn}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user profile of the organisation: how it logs in, and whether it may refund (contract 2.2)."""

    name: str
    password: str
    token: str
    may_refund: bool

    def is_meant_by(self, authorization: str) -> bool:
        """Whether the header carries its token or its password."""
        basic = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return any(
            hmac.compare_digest(authorization.encode(), expected.encode())
            for expected in (f"Bearer {self.token}", f"Basic {basic}")
        )


class DemarqueStub:
    """Stands in for one organisation's view of a De Marque platform.

    `users` holds two profiles: the first may refund and its token is what the settings file names; the second may not.
    """

    def __init__(self, world: StubWorld) -> None:
        self._secret = hashlib.sha256(f"{world.seed}:{NAME}".encode()).digest()
        self._settings = StubSettings()
        platform = Platform(prefix=_PREFIX, zone=_ZONE)
        self._maker = BookMaker(seed=world.seed, distributor=NAME)
        catalogue = CatalogueMaker(maker=self._maker, zone=_ZONE, made_at=world.made_at).make(
            world.titles, lambda name: world.chance(f"{NAME}:{name}")
        )
        self._shelf = Shelf(distributor=NAME, platform=platform, maker=self._maker, catalogue=catalogue)
        self._feed = Feed(shelf=self._shelf, platform=platform)
        self._counter = Counter(distributor=NAME, shelf=self._shelf, ledger=world.ledger, secret=self._secret)
        self._users = (
            User(name="librairie", password=self._derive("librairie"), token=self._derive("token"), may_refund=True),
            User(name="caisse", password=self._derive("caisse"), token=self._derive("caisse token"), may_refund=False),
        )

    @property
    def name(self) -> str:
        return NAME

    @property
    def users(self) -> tuple[User, ...]:
        """The profiles as they log in now, the first one's token replaced where the settings say so."""
        first, *others = self._users
        return (replace(first, token=self._settings.token or first.token), *others)

    @property
    def about(self) -> About:
        return About(label="De Marque", market=MARKETS[0], release="the instant in its feed", told=Told.PRICE)

    @property
    def faults(self) -> Collection[str]:
        return FAULTS.keys()

    @property
    def scenarios(self) -> Mapping[str, str]:
        return self._shelf.scenarios

    # --- routes

    @property
    def routes(self) -> Sequence[Route]:
        feed, counter = self._feed, self._counter
        lists = "/api/organisations/{organisation}/publications"
        return (
            *self._list_routes(f"{lists}/full", "full", feed.full),
            *self._list_routes(f"{lists}/delta", "delta", feed.delta),
            self._guarded("GET", "/api/organisations/{organisation}/publishers.json", "publishers", self._publishers),
            self._guarded("GET", f"{_PUBLICATION}/sales/new", "simulate", counter.simulate),
            self._guarded("POST", f"{_PUBLICATION}/sales", "sale", counter.sell),
            self._guarded("POST", f"{_PUBLICATION}/sales/cancel", "refund", self._refund),
            self._guarded("GET", f"{_PUBLICATION}/sales/{{transaction_id}}", "lookup", counter.look_up),
            self._guarded("POST", f"{_PUBLICATION}/preorders", "preorder", lambda call, _: counter.preorder(call)),
            self._guarded("GET", f"{_TRANSACTION}/formats/{{format}}/status", "status", counter.status),
            self._guarded("GET", f"{_TRANSACTION}/download_links/{{format}}", "download", counter.download_link),
            self._guarded("GET", f"{lists}/{{isbn:[^/.]+}}.{{extension}}", "publication", feed.publication),
            self._guarded("GET", "/api/publications/{isbn}/toc.{extension}", "toc", self._contents),
            Route(method="GET", path="/files/{what:.+}", endpoint="file", answer=counter.file),
        )

    def _list_routes(self, path: str, endpoint: str, answer: Callable[[Call, StubSettings], Answer]) -> Iterable[Route]:
        yield self._guarded("GET", path, endpoint, answer)
        yield self._guarded("GET", f"{path}.{{extension}}", endpoint, answer)

    def _guarded(self, method: str, path: str, endpoint: str, answer: Callable[[Call, StubSettings], Answer]) -> Route:
        """A route behind log-in and organisation, its error words spoilt where a knob says so (contract section 12, 7 and 9)."""

        def guarded(call: Call) -> Answer:
            said = self._admit(call) or answer(call, self._settings)
            if said.status >= 400 and said.word and call.fault("array_words"):
                return replace(said, body=orjson.dumps([said.word]), content_type="application/json")
            return said

        return Route(method=method, path=path, endpoint=endpoint, answer=guarded)

    def _admit(self, call: Call) -> Answer | None:
        if self._user(call) is None or call.fault("access_denied"):
            return _DENIED
        if call.path.get("organisation", ORGANISATION) != ORGANISATION:
            return _NOT_FOUND
        return None

    def _user(self, call: Call) -> User | None:
        return next((user for user in self.users if user.is_meant_by(call.authorization)), None)

    def _refund(self, call: Call, _settings: StubSettings) -> Answer:
        user = self._user(call)
        return self._counter.refund(call, may_refund=user is not None and user.may_refund)

    def _contents(self, call: Call, _settings: StubSettings) -> Answer:
        """Contract 4.8; JSON's suffix is `js`."""
        title = self._shelf.find(call.path["isbn"])
        if title is None or call.path["extension"] not in {"xml", "js"}:
            return _NOT_FOUND
        step = max(1, title.book.pages // 8)
        chapters = [(1 + place * step, f"Chapitre {place + 1}") for place in range(8)]
        if call.path["extension"] == "js":
            document = [{"page": page, "title": name} for page, name in chapters]
            return Answer(status=200, body=orjson.dumps(document), content_type="application/json")
        written = "".join(f"<chapter><page>{page}</page><title>{name}</title></chapter>" for page, name in chapters)
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<chapters>{written}</chapters>\n'
        return Answer(status=200, body=body.encode(), content_type="application/xml; charset=utf-8")

    def _publishers(self, _call: Call, _settings: StubSettings) -> Answer:
        """Contract 6.1: direct agreements, and distributors with theirs."""
        houses: dict[int | None, list[dict[str, str]]] = {}
        for publisher in self._maker.publishers:
            houses.setdefault(publisher.distributor, []).append(
                _organisation(publisher.number, publisher.name, publisher.gln)
            )
        distributors = [
            {**_organisation(900 + number, name, gln), "publishers": houses.get(number, [])}
            for number, name, gln in DISTRIBUTORS
        ]
        document = {"publishers": houses.get(None, []), "distributors": distributors}
        return Answer(status=200, body=orjson.dumps(document), content_type="application/json")

    # --- steering

    def knows(self, isbn: str) -> bool:
        return self._shelf.find(isbn) is not None

    def titles(self, at: datetime) -> Iterable[TitleRow]:
        return self._shelf.rows(at)

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        return self._shelf.edit(edits, at)

    def settings(self) -> Mapping[str, Any]:
        return self._settings.shown()

    def set_settings(self, changes: Mapping[str, Any]) -> None:
        self._settings = self._settings.changed(changes)

    def reset_settings(self) -> None:
        self._settings = StubSettings()

    def replay(self, row: LedgerRow) -> None:
        self._counter.register.replay(row)

    # --- how an engine reaches it

    def address(self, url: str) -> str:
        return f"{url}/{NAME}/api"

    def settings_toml(self, url: str) -> str:
        markets = ", ".join(f'"{market}"' for market in (*MARKETS, *FURTHER_MARKETS))
        return f"""[sources.{NAME}]
kind = "demarque"
base_url = "{self.address(url)}"
organisation_id = "{ORGANISATION}"
token_file = "{NAME}.token"
allow_loopback_http = true
timezone = "{_ZONE.key}"
markets = [{markets}]
schedule = "15s"
full_every = "7d"

[sources.{NAME}.limits]
full_delta = "100000/h burst 1000"
publication = "100000/h burst 1000"
simulate = "200/s burst 20"
sale = "50/s burst 5"
lookup = "200/s burst 20"
refund = "20/s"
preorder = "50/s burst 5"
download = "50/s"
"""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {f"{NAME}.token": self.users[0].token}

    def _derive(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:40]


def _organisation(number: int, name: str, gln: str) -> dict[str, str]:
    return {
        "id": f"{_PREFIX}{number}",
        "name": name,
        "identifier": gln,
        "website": f"http:www.house{number}.example",
        "logo": "",
    }


STUB = DemarqueStub
"""What a sandbox builds this distributor with."""
