"""The Bokbasen stub: token service, two feeds, orders, downloads and accounts over its own model of titles (contract 13)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.distributors.bokbasen.sandbox_catalogue import OWN_OUTLET, CatalogueMaker
from adapters.distributors.bokbasen.sandbox_counter import Counter
from adapters.distributors.bokbasen.sandbox_feed import Feed
from adapters.distributors.bokbasen.sandbox_knobs import FAULTS, StubSettings
from adapters.distributors.bokbasen.sandbox_onix import RecordWriter
from adapters.distributors.bokbasen.sandbox_shelf import Shelf
from adapters.distributors.bokbasen.sandbox_titles import MARKET
from adapters.distributors.bokbasen.sandbox_tokens import Client, Tokens
from adapters.sandbox.catalogue import BookMaker, TitleEdit, TitleRow
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.stub import About, Answer, Call, Route, StubWorld, Told

NAME = "bokbasen"
CLIENT_ID = "bokhandel-1"

Answering = Callable[[Call, StubSettings], Answer]


class BokbasenStub:
    """Stands in for one shop's view of Bokbasen: the client's id is CLIENT_ID, its secret in a file beside the settings."""

    def __init__(self, world: StubWorld) -> None:
        self._secret = hashlib.sha256(f"{world.seed}:{NAME}".encode()).digest()
        self._settings = StubSettings()
        maker = BookMaker(seed=world.seed, distributor=NAME)
        offset = world.chance(f"{NAME}:isbn").randrange(10**7)
        catalogue = CatalogueMaker(maker=maker, made_at=world.made_at, offset=offset).make(
            world.titles, lambda name: world.chance(f"{NAME}:{name}")
        )
        self._shelf = Shelf(distributor=NAME, maker=maker, catalogue=catalogue)
        self._feed = Feed(shelf=self._shelf, writer=RecordWriter(maker=maker))
        self._counter = Counter(distributor=NAME, shelf=self._shelf, ledger=world.ledger)
        self._tokens = Tokens(client=self.client, secret=self._secret)

    @property
    def name(self) -> str:
        return NAME

    @property
    def client(self) -> Client:
        """Whoever has these credentials is let in."""
        return Client(id=CLIENT_ID, secret=self._derive("client secret"))

    @property
    def about(self) -> About:
        return About(label="Bokbasen", market=MARKET, release="published in a delta", told=Told.PAID)

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
        inventory, export = "/dds/inventory/v2", "/metadata/export/onix/{version}"
        content, account = "/dds/content/v1", "/bokskya/account/v1"
        return (
            self._open("POST", "/oauth/token", "token", self._tokens.hand_out),
            self._guarded("GET", inventory, "inventory", "dds", feed.inventory),
            self._guarded("GET", f"{inventory}/{{isbn}}", "lookup", "dds", feed.look_up),
            self._guarded("GET", export, "metadata", "metadata", feed.export),
            self._guarded("GET", f"{export}/{{isbn}}", "record", "metadata", feed.record),
            self._guarded("POST", "/dds/order/v1", "sale", "dds", counter.order),
            self._guarded("GET", f"{content}/{{fulfilment}}", "content", "dds", counter.content),
            self._guarded("GET", f"{content}/{{resource}}/sample", "content", "dds", counter.sample),
            self._guarded("GET", f"{account}/{{account}}", "account", "bokskya", counter.account),
            self._guarded("POST", account, "account", "bokskya", counter.open_account),
            self._open("GET", "/download/{download}/status", "status", counter.status),
            self._open("GET", "/files/{download}", "file", lambda call, _: counter.file(call)),
        )

    def _open(self, method: str, path: str, endpoint: str, answer: Answering) -> Route:
        """A route for anybody."""
        return Route(
            method=method,
            path=path,
            endpoint=endpoint,
            answer=lambda call: self._spelled(answer(call, self._settings)),
        )

    def _guarded(self, method: str, path: str, endpoint: str, group: str, answer: Answering) -> Route:
        """A route for tokens of one group of the API (contract 1)."""

        def guarded(call: Call) -> Answer:
            if call.fault("token_refused"):
                return Answer(status=401, word="unauthorized")
            if call.fault("forbidden"):
                return Answer(status=403, word="forbidden")
            refusal = self._tokens.refusal(call, group, self._settings)
            return self._spelled(refusal or answer(call, self._settings))

        return Route(method=method, path=path, endpoint=endpoint, answer=guarded)

    def _spelled(self, answer: Answer) -> Answer:
        """Header names as they are, or all in lower case."""
        if not self._settings.lower_case_headers:
            return answer
        return replace(answer, headers={name.lower(): text for name, text in answer.headers.items()})

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
        self._take(self._settings.changed(changes))

    def reset_settings(self) -> None:
        self._take(StubSettings())

    def _take(self, settings: StubSettings) -> None:
        self._settings = settings
        self._shelf.lag_export(settings.onix_lag_seconds)

    def replay(self, row: LedgerRow) -> None:
        self._counter.replay(row)

    def resource_of(self, isbn: str) -> str | None:
        """The id of the latest file version; none where the warehouse does not have the title."""
        title = self._shelf.find(isbn)
        return title.resource.resid if title and title.resource else None

    # --- how an engine reaches it

    def address(self, url: str) -> str:
        return f"{url}/{NAME}"

    def settings_toml(self, url: str) -> str:
        return f"""[sources.{NAME}]
kind = "bokbasen"
base_url = "{self.address(url)}"
token_url = "{self.address(url)}/oauth/token"
client_id = "{CLIENT_ID}"
client_secret_file = "{NAME}.secret"
allow_loopback_http = true
outlets = ["{OWN_OUTLET}"]
markets = ["{MARKET}"]
schedule = "15s"

[sources.{NAME}.limits]
inventory = "50/s burst 5"
metadata = "50/s burst 5"
lookup = "200/s burst 20"
probe = "200/s burst 20"
sale = "50/s burst 5"
content = "50/s burst 5"
status = "50/s burst 5"
account = "50/s burst 5"
"""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {f"{NAME}.secret": self.client.secret}

    def _derive(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:40]


STUB = BokbasenStub
"""What a sandbox builds this distributor with."""
