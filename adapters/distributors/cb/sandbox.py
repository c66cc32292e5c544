"""The CB stub: Luisterhuis and the e-book service of one shop under one name, over its own model of titles (contract 11)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.distributors.cb import sandbox_counter
from adapters.distributors.cb.sandbox_catalogue import CatalogueMaker
from adapters.distributors.cb.sandbox_counter import Counter
from adapters.distributors.cb.sandbox_ebooks import CLIENT_ID, EbookService
from adapters.distributors.cb.sandbox_feed import Feed
from adapters.distributors.cb.sandbox_knobs import FAULTS, StubSettings
from adapters.distributors.cb.sandbox_onix import RELATION_ID, RecordWriter
from adapters.distributors.cb.sandbox_outbox import OutBox
from adapters.distributors.cb.sandbox_shelf import MARKET, Shelf
from adapters.sandbox.catalogue import BookMaker, TitleEdit, TitleRow
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.stub import About, Answer, Call, Route, StubWorld, Told

NAME = "cb"
USERNAME = "luisterwinkel"
_DENIED = Answer(status=401, word="access denied")

_Answers = Callable[[Call, StubSettings], Answer]


class CbStub:
    """Stands in for one shop's relation with CB."""

    def __init__(self, world: StubWorld) -> None:
        self._secret = hashlib.sha256(f"{world.seed}:{NAME}".encode()).digest()
        self._settings = StubSettings()
        maker = BookMaker(seed=world.seed, distributor=NAME)
        catalogue = CatalogueMaker(
            maker=maker, first_ean=world.chance(f"{NAME}:ean").randrange(10**6), made_at=world.made_at
        ).make(world.titles, world.chance(f"{NAME}:crowd"))
        writer = RecordWriter(maker)
        self.shelf = Shelf(distributor=NAME, maker=maker, catalogue=catalogue)
        self.outbox = OutBox(world.directory, shelf=self.shelf, writer=writer)
        self.ebooks = EbookService(
            distributor=NAME, shelf=self.shelf, ledger=world.ledger, secret=self._secret + b"ebooks"
        )
        self._feed = Feed(shelf=self.shelf, writer=writer)
        self._counter = Counter(distributor=NAME, shelf=self.shelf, ledger=world.ledger, secret=self._secret)
        self.outbox.open(world.made_at)

    @property
    def name(self) -> str:
        return NAME

    @property
    def about(self) -> About:
        return About(label="CB", market=MARKET, release="availability 10 becomes 20", told=Told.NOTHING)

    @property
    def faults(self) -> Collection[str]:
        return FAULTS.keys()

    @property
    def scenarios(self) -> Mapping[str, str]:
        return self.shelf.scenarios

    # --- routes

    @property
    def routes(self) -> Sequence[Route]:
        feed, counter, ebooks = self._feed, self._counter, self.ebooks
        return (
            self._audio("GET", "/v3/feed", "feed", feed.feed),
            self._audio("GET", "/v3/inventory", "inventory", feed.inventory),
            self._audio("GET", "/v3/availability", "availability", feed.availability),
            self._audio("POST", "/v3/submitOrder", "order", counter.submit),
            self._audio("GET", "/v3/submitOrder", "order", counter.submit),
            self._audio("POST", "/v3/cancelOrder", "cancel", counter.cancel),
            self._audio("POST", "/v3/sendDownloadLink", "mail", counter.mail),
            self._audio("POST", "/v3/resetDownloadLinks", "reset", counter.reset),
            self._audio("GET", "/v3/settlement", "settlement", counter.settlement),
            self._open("GET", "/luisterhuis/dl/{token}", "file", counter.file),
            self._open("POST", "/oauth2/token", "token", ebooks.token),
            self._open("POST", "/ebooks/checkOrderable", "checkorderable", ebooks.check),
            self._open("POST", "/ebooks/placeOrder", "placeorder", ebooks.place),
            self._open("POST", "/ebooks/getContentUrl", "getcontenturl", ebooks.content),
            self._open("POST", "/ebooks/{tail:.*}", "ebooks", ebooks.unknown),
            self._open("POST", "/outbox/empty", "outbox", self._post_nothing),
        )

    def _audio(self, method: str, path: str, endpoint: str, answer: _Answers) -> Route:
        """A route of Luisterhuis, behind its log-in (1.3)."""

        def guarded(call: Call, settings: StubSettings) -> Answer:
            return answer(call, settings) if self._admits(call) else _DENIED

        return self._open(method, f"/luisterhuis{path}", endpoint, guarded)

    def _open(self, method: str, path: str, endpoint: str, answer: _Answers) -> Route:
        """A route that sees to itself; before any answer the out box gets what is due."""

        def answered(call: Call) -> Answer:
            self.outbox.post(call.at)
            return answer(call, self._settings)

        return Route(method=method, path=path, endpoint=endpoint, answer=answered)

    def _admits(self, call: Call) -> bool:
        """Basic, a header or a parameter: whichever the shop's client uses (1.3)."""
        if call.fault("access_denied"):
            return False
        pair = base64.b64encode(f"{USERNAME}:{self.password}".encode()).decode()
        given = (call.authorization, call.headers.get("x-api-key", ""), call.query.get("key", ""))
        known = (f"Basic {pair}", self.password, self.password)
        return any(hmac.compare_digest(*map(str.encode, both)) for both in zip(given, known, strict=True))

    def _post_nothing(self, call: Call, _settings: StubSettings) -> Answer:
        self.outbox.post_nothing(call.at)
        return Answer(status=200, word="posted")

    # --- steering

    def knows(self, isbn: str) -> bool:
        return self.shelf.find(isbn) is not None

    def titles(self, at: datetime) -> Iterable[TitleRow]:
        self.outbox.post(at)
        return self.shelf.rows(at)

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        rows = self.shelf.edit(edits, at)
        self.outbox.post(at)
        return rows

    def settings(self) -> Mapping[str, Any]:
        return msgspec.structs.asdict(self._settings)

    def set_settings(self, changes: Mapping[str, Any]) -> None:
        self._settings = self._settings.changed(changes)

    def reset_settings(self) -> None:
        self._settings = StubSettings()

    def replay(self, row: LedgerRow) -> None:
        is_audio = row.response.startswith(sandbox_counter.PREFIX)
        (self._counter.replay if is_audio else self.ebooks.replay)(row)

    # --- how an engine reaches it

    @property
    def password(self) -> str:
        """Of the shop at Luisterhuis; it is its key as well."""
        return hmac.new(self._secret, b"password", hashlib.sha256).hexdigest()[:40]

    def address(self, url: str) -> str:
        return f"{url}/{NAME}"

    def settings_toml(self, url: str) -> str:
        agreement, articles = self.outbox.patterns
        return f"""[sources.{NAME}]
kind = "cb"
relation_id = "{RELATION_ID}"
environment = "test"
allow_loopback_http = true
markets = ["{MARKET}"]
schedule = "15s"

[sources.{NAME}.limits]
luisterhuis = "200/s burst 20"
checkorderable = "200/s burst 20"
placeorder = "50/s burst 5"
getcontenturl = "200/s burst 20"

[sources.{NAME}.luisterhuis]
base_url = "{self.address(url)}/luisterhuis"
username = "{USERNAME}"
secret_file = "{NAME}.luisterhuis"

[sources.{NAME}.ebooks]
base_url = "{self.address(url)}/ebooks"
client_id = "{CLIENT_ID}"
token_url = "{self.address(url)}/oauth2/token"
secret_file = "{NAME}.ebooks"
agreement = ["{agreement}"]
articles = ["{articles}"]
"""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {
            f"{NAME}.luisterhuis": self.password,
            f"{NAME}.ebooks": self.ebooks.client_secret,
            f"{NAME}.ebooks.password": self.ebooks.password,
        }


STUB = CbStub
"""What a sandbox builds this distributor with."""
