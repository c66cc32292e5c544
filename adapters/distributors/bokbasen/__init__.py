"""Bokbasen: DDS and the metadata export (contract bokbasen).

The contract leaves questions open; each is a setting, whose default is the contract's choice (its section 14):

| open question | setting | default |
| --- | --- | --- |
| what a repeated orderid is answered with | `duplicate_words`; 409 always counts | `["ORDER_ID_NOT_UNIQUE"]` |
| an order of which nobody knows whether it was taken | `unknown_outcome` | `"park"`; `"resend"` repeats the same request |
| an order before publication | none: held by the engine, placed when row 12 is met | |
| the resource id of an earlier file version | `look_up_first`: the newest is looked up before a release is sold | `true` |
| whether an order needs `id` | `consumer` | `"when_known"`; `"required"`, `"never"` |
| codes and bodies of refused orders | none: told as they are | |
| read-back, cancellation, refund of an order | none: not among the calls | |
| the inventory's word for LCP, its words for formats | none: any is taken, and needs no names | |
| `DDS_P`, `DDS_N` | none: not read | |
| how old a cursor or `after` may be | `maximum_age`; `inventory_maximum_age`, `inventory_since` | 180 days; any age, from 2000 on |
| the zone of `after` and of days | `timezone`, `overlap` | Europe/Oslo, 6 hours |
| `Next` of an empty answer to `after` | none: the cursor stays as it was | |
| details of v3; whether v1 and v2 are off | `onix_version`, `onix_path` | v3 |
| forms of the status page and of the 300 answer | none: JSON, bare or wrapped, and XML are read | |
| a second endpoint for international titles | none: there is none | |
| sales reports, streaming reports | none: not built | |
| rates | `limits` | gentle ones |
| how often the state of a download is asked for, and how long (8.1) | `poll_every`, `poll_most` | 1 second, 5 minutes |
| who DDS is among suppliers, and this shop among outlets (10.1) | `supplier`, `outlets` | `"DDS"`, none |
| whether both feeds move at once when a title is published | none: no order is assumed | |
| whether `access` is true before publication | `access_before_publication` | `true` |
| preorders while the right is unknown (row 17) | `preorders_without_right` | `false` |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapters.http.account import base_url_problem
from syncengine.domain.delivery import Limit, UnknownPolicy
from syncengine.domain.ids import SourceName
from syncengine.domain.territory import Market
from syncengine.ports import Account, Distributor, Secret, SourceSettings, World

if TYPE_CHECKING:
    from adapters.distributors.bokbasen.accounts import ConsumerAccounts
    from adapters.distributors.bokbasen.source import BokbasenSource
    from adapters.http.oauth import ClientCredentials
    from adapters.http.session import HttpSession

LIMITS: Mapping[str, Limit] = {
    "metadata": Limit(calls=1, period_seconds=1),
    "inventory": Limit(calls=1, period_seconds=1),
    "lookup": Limit(calls=2, period_seconds=1),
    "probe": Limit(calls=2, period_seconds=1),
    "sale": Limit(calls=5, period_seconds=1, burst=2),
    "content": Limit(calls=2, period_seconds=1),
    "status": Limit(calls=2, period_seconds=1),
    "account": Limit(calls=2, period_seconds=1),
}
"""None is published, so these are gentle ones (contract 12)."""

NORWAY = Market(country="NO", currency="NOK")
LARGEST_INVENTORY, LARGEST_EXPORT = 10_000, 1_000
"""Default and maximum of a page (contract 3)."""

PageSize = Annotated[int, msgspec.Meta(ge=1)]


class Settings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The keys of `[sources.NAME]` with `kind = "bokbasen"`; the module tells which answer the contract's open questions.

    `base_url` is where all groups of the API are; `metadata_url` and `accounts_url` where one of them is elsewhere. An audience
    that is not named is the base address with its group behind it. `client_secret_env` or `client_secret_file` names the secret.
    `subscription` is the agreed scope of the ONIX export. `outlets` are the numbers and names by which restrictions mean this shop.
    """

    endpoint_classes: ClassVar[frozenset[str]] = frozenset(LIMITS)
    default_limits: ClassVar[Mapping[str, Limit]] = LIMITS

    markets: tuple[Market, ...] = (NORWAY,)
    timezone: str = "Europe/Oslo"

    base_url: str = "https://api.bokbasen.io"
    metadata_url: str = ""
    accounts_url: str = ""
    token_url: str = "https://auth.bokbasen.io/oauth/token"  # noqa: S105 - an address
    token_encoding: Literal["json", "form"] = "json"  # noqa: S105 - the form of a request
    client_id: str
    client_secret_env: str | None = None
    client_secret_file: str | None = None
    dds_audience: str = ""
    metadata_audience: str = ""
    accounts_audience: str = ""
    allow_loopback_http: bool = False

    onix_version: str = "v3"
    onix_path: str = "/metadata/export/onix/{version}"
    subscription: Literal["basic", "extended", "school"] = "extended"
    inventory_path: str = "/dds/inventory/v2"
    order_path: str = "/dds/order/v1"
    content_path: str = "/dds/content/v1"
    account_path: str = "/bokskya/account/v1"

    page_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_EXPORT)] | None = None
    inventory_page_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INVENTORY)] | None = None
    maximum_age: timedelta = timedelta(days=180)
    inventory_maximum_age: timedelta | None = None
    inventory_since: str = "2000-01-01"
    overlap: timedelta = timedelta(hours=6)
    most_pages: PageSize = 10_000

    supplier: str = "DDS"
    outlets: tuple[str, ...] = ()
    preorders_without_right: bool = False
    access_before_publication: bool = True
    look_up_first: bool = True

    unknown_outcome: Literal["park", "resend"] = "park"
    duplicate_words: tuple[str, ...] = ("ORDER_ID_NOT_UNIQUE",)
    consumer: Literal["when_known", "required", "never"] = "when_known"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4

    audio_types: tuple[str, ...] = ("audio/vnd.bokbasen.complete-public", "audio/vnd.bokbasen.zipped-public")
    bitrate: str = "64"
    poll_every: timedelta = timedelta(seconds=1)
    poll_most: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        loopback = self.allow_loopback_http
        addresses = (
            ("base_url", self.base_url),
            ("token_url", self.token_url),
            *(
                (key, url)
                for key, url in (("metadata_url", self.metadata_url), ("accounts_url", self.accounts_url))
                if url
            ),
        )
        problems = [
            *(base_url_problem(url, allow_loopback_http=loopback, key=key) for key, url in addresses),
            *(_path_problem(key, path) for key, path in self._paths()),
            None
            if {*self.markets} <= {NORWAY}
            else f"there is no market but {NORWAY}: an order's price is in Norwegian øre",
            None if self.client_id.strip() else "client_id is empty",
            _secret_problem(self.client_secret_env, self.client_secret_file),
            None if self.overlap >= timedelta() else "overlap is negative",
            None if self.maximum_age > timedelta(days=1) else "maximum_age must be more than a day",
            None
            if _day(self.inventory_since)
            else f"inventory_since {self.inventory_since!r} is no day; write 2000-01-01",
        ]
        if found := [problem for problem in problems if problem]:
            raise ValueError("; ".join(found))

    def _paths(self) -> tuple[tuple[str, str], ...]:
        return (
            ("onix_path", self.onix_path),
            ("inventory_path", self.inventory_path),
            ("order_path", self.order_path),
            ("content_path", self.content_path),
            ("account_path", self.account_path),
        )

    def audience(self, group: str) -> str:
        """The audience of a group of the API: as set, or by the base address; the slash at its end is part of it (contract 1)."""
        named = {"dds": self.dds_audience, "metadata": self.metadata_audience, "bokskya": self.accounts_audience}
        return named[group] or f"{self.base_url.rstrip('/')}/{group}/"


def connect(name: SourceName, settings: SourceSettings, world: World) -> Distributor:
    """Build one account's parts; no network yet. Raises SettingsInvalid for a secret that cannot be read."""
    from adapters.distributors.bokbasen.calls import BokbasenCalls, Terms
    from adapters.distributors.bokbasen.downloads import Downloads, Wishes
    from adapters.distributors.bokbasen.rules import BokbasenRules
    from adapters.distributors.bokbasen.tables import Choices

    wiring = _Wiring(name, _own(name, settings), world)
    mine = wiring.settings
    calls = wiring.session(mine.base_url, "dds", mine.concurrency)
    downloads = Downloads(
        name,
        calls,
        wiring.stranger,
        Wishes(
            content_path=mine.content_path,
            audio_types=mine.audio_types,
            bitrate=mine.bitrate,
            poll_seconds=mine.poll_every.total_seconds(),
            poll_most_seconds=mine.poll_most.total_seconds(),
        ),
        clock=world.clock,
        pace=world.pace,
    )
    return Distributor(
        source=wiring.source(),
        rules=BokbasenRules(
            markets=mine.markets,
            zone=ZoneInfo(mine.timezone),
            outlets=mine.outlets,
            supplier=mine.supplier,
            choices=Choices(
                preorders_without_right=mine.preorders_without_right, access_is_early=mine.access_before_publication
            ),
            checks_first=mine.look_up_first,
            tax_rates=mine.tax_rates,
        ),
        calls=BokbasenCalls(
            calls,
            downloads,
            Terms(
                inventory_path=mine.inventory_path,
                order_path=mine.order_path,
                consumer=mine.consumer,
                unknown=UnknownPolicy(mine.unknown_outcome),
                duplicate_words=frozenset(mine.duplicate_words),
                concurrency=mine.concurrency,
            ),
        ),
        account=Account(kind="bokbasen", address=calls.base_url, organisation=mine.client_id),
    )


def connect_accounts(name: SourceName, settings: SourceSettings, world: World) -> ConsumerAccounts:
    """The accounts of the shop's customers, for a shop that opens them; as `connect` otherwise."""
    from adapters.distributors.bokbasen.accounts import ConsumerAccounts

    wiring = _Wiring(name, _own(name, settings), world)
    mine = wiring.settings
    session = wiring.session(mine.accounts_url or mine.base_url, "bokskya", 2)
    return ConsumerAccounts(name, session, world.pace, path=mine.account_path)


class _Wiring:
    """Sessions of one client: one token a group of the API, whichever session asks for it."""

    def __init__(self, name: SourceName, settings: Settings, world: World) -> None:
        self.name = name
        self.settings = settings
        self.world = world
        self._secret = _secret(name, settings, world.directory)
        self._tokens: dict[str, ClientCredentials] = {}

    def session(self, base_url: str, group: str, connections: int) -> HttpSession:
        """A session with the token of a group."""
        from adapters.http.session import HttpSession

        return HttpSession(
            base_url,
            clock=self.world.clock,
            credentials=self._credentials(group),
            allow_loopback_http=self.settings.allow_loopback_http,
            connections=connections,
        )

    def stranger(self, origin: str) -> HttpSession:
        """A session without any token, to wherever it leads; raises UsageInvalid for an address that is not encrypted."""
        from adapters.http.session import HttpSession

        return HttpSession(origin, clock=self.world.clock, allow_loopback_http=self.settings.allow_loopback_http)

    def source(self) -> BokbasenSource:
        """Both feeds, a session each."""
        from adapters.distributors.bokbasen.feed import Feed, shape
        from adapters.distributors.bokbasen.source import INVENTORY, METADATA, BokbasenSource, Stream

        mine, world = self.settings, self.world
        onix = shape("ONIXMessage", "Product", accept="application/xml")
        atom = shape("feed", "entry", accept="application/atom+xml")
        metadata = self.session(mine.metadata_url or mine.base_url, "metadata", 1)
        inventory = self.session(mine.base_url, "dds", 1)
        clock, pace = world.clock, world.pace
        streams = {
            METADATA: Stream(
                feed=Feed(self.name, metadata, onix, limit="metadata", clock=clock, pace=pace),
                path=mine.onix_path.format(version=mine.onix_version),
                largest_page=LARGEST_EXPORT,
                page_size=mine.page_size,
                parameters=(("subscription", mine.subscription),),
                maximum_age=mine.maximum_age,
            ),
            INVENTORY: Stream(
                feed=Feed(self.name, inventory, atom, limit="inventory", clock=clock, pace=pace),
                path=mine.inventory_path,
                largest_page=LARGEST_INVENTORY,
                page_size=mine.inventory_page_size,
                maximum_age=mine.inventory_maximum_age,
                since=_day(mine.inventory_since),
            ),
        }
        return BokbasenSource(
            self.name,
            streams,
            Feed(self.name, inventory, atom, limit="lookup", clock=clock, pace=pace),
            (metadata, inventory),
            clock,
            zone=ZoneInfo(mine.timezone),
            overlap=mine.overlap,
            full_every=mine.full_every,
            most_pages=mine.most_pages,
        )

    def _credentials(self, group: str) -> ClientCredentials:
        from adapters.http.oauth import Client, ClientCredentials

        if group not in self._tokens:
            mine = self.settings
            self._tokens[group] = ClientCredentials(
                mine.token_url,
                Client(id=mine.client_id, secret=self._secret, audience=mine.audience(group)),
                clock=self.world.clock,
                encoding=mine.token_encoding,
                allow_loopback_http=mine.allow_loopback_http,
            )
        return self._tokens[group]


def _own(name: SourceName, settings: SourceSettings) -> Settings:
    if not isinstance(settings, Settings):
        raise TypeError(f"{name}: settings of another kind")
    return settings


def _secret(name: SourceName, settings: Settings, directory: Path) -> Secret:
    file = settings.client_secret_file
    return Secret.read(f"sources.{name}", env=settings.client_secret_env, file=str(directory / file) if file else None)


def _secret_problem(env: str | None, file: str | None) -> str | None:
    return None if bool(env) is not bool(file) else "name one secret: client_secret_env or client_secret_file"


def _path_problem(key: str, path: str) -> str | None:
    return (
        None
        if path.startswith("/") and not path.endswith("/")
        else f"{key} {path!r} must begin with / and not end with it"
    )


def _day(text: str) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
