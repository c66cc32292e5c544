"""The keys of `[sources.NAME]` with `kind = "cb"`, and of its two tables; the folder's docstring tells what each may be changed for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from adapters.distributors.cb.choices import (
    CHECK_HOLDS,
    FOR_SALE_CODES,
    MODIFIED_FROM_FORMAT,
    NOT_YET_CODES,
    OVERLAP,
    SUPPLIERS,
)
from adapters.distributors.cb.codes import CODES, Meaning
from adapters.distributors.cb.names import EBOOK_NAMES, LUISTERHUIS_NAMES
from adapters.distributors.cb.routing import Routing, Service
from adapters.http.account import base_url_problem, is_loopback
from syncengine.domain.delivery import Limit
from syncengine.ports import SourceSettings

Environment = Literal["production", "test"]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

OPERATIONS = ("checkOrderable", "placeOrder", "getContentUrl")
"""The e-book service's operations (contract cb 8.1); each is an endpoint class of its own, named in small letters."""

LUISTERHUIS_LIMIT = "luisterhuis"
"""All calls to Luisterhuis share one rate."""

LIMITS: Mapping[str, Limit] = {
    LUISTERHUIS_LIMIT: Limit(calls=5, period_seconds=1.0),
    "checkorderable": Limit(calls=4, period_seconds=1.0),
    "placeorder": Limit(calls=4, period_seconds=1.0),
    "getcontenturl": Limit(calls=2, period_seconds=1.0),
}
"""Five a second for Luisterhuis; for e-books together the ten a second of CB's house rule (contract cb 3.8)."""


class Luisterhuis(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[sources.NAME.luisterhuis]`: the audiobooks.

    Who asks is proven in one of three ways: `username` with a password; `key_header`, the header that carries the secret; or
    `key_parameter`, the parameter that does. The secret is named by `secret_env` or `secret_file`.
    """

    base_url: str
    environment: Environment | None = None
    username: str | None = None
    key_header: str | None = None
    key_parameter: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None
    feed_path: str = "/v3/feed"
    inventory_path: str = "/v3/inventory"
    availability_path: str = "/v3/availability"
    order_path: str = "/v3/submitOrder"
    mail_path: str = "/v3/sendDownloadLink"
    reset_path: str = "/v3/resetDownloadLinks"
    settlement_path: str = "/v3/settlement"
    order_method: Literal["POST", "GET"] = "POST"
    names: Mapping[str, str] = {}
    codes: Mapping[str, str] = {}
    longest_reference: Annotated[int, msgspec.Meta(ge=50, le=250)] = 100
    longest_customer_id: Annotated[int, msgspec.Meta(ge=42, le=250)] = 64
    modified_from_format: str = MODIFIED_FROM_FORMAT
    offset_unit: Literal["records", "pages"] = "records"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    stop_on_short_page: bool = True
    overlap: timedelta = OVERLAP
    page_seconds: Seconds = 60.0
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    suppliers: tuple[str, ...] = SUPPLIERS
    inventory: bool = True
    inventory_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 3
    inventory_separator: Literal[";", ",", "\t", "|"] = ";"
    inventory_absent_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 10.0

    def name(self, key: str) -> str:
        """The wire's word for a name of LUISTERHUIS_NAMES."""
        return self.names.get(key, LUISTERHUIS_NAMES[key])

    @property
    def wire(self) -> Mapping[str, str]:
        """All of them."""
        return {**LUISTERHUIS_NAMES, **self.names}

    @property
    def meanings(self) -> Mapping[str, Meaning]:
        """The codes with those that the settings add."""
        return {**CODES, **{code: Meaning(word) for code, word in self.codes.items()}}

    def problems(self, *, allow_loopback_http: bool) -> Iterator[str]:
        """What is wrong with it."""
        yield from _found(
            base_url_problem(self.base_url, allow_loopback_http=allow_loopback_http, key="luisterhuis.base_url")
        )
        if len([way for way in (self.username, self.key_header, self.key_parameter) if way]) != 1:
            yield "luisterhuis: name one way to prove who asks: username, key_header or key_parameter"
        if len([named for named in (self.secret_env, self.secret_file) if named]) != 1:
            yield "luisterhuis: name one secret: secret_env or secret_file"
        paths = {name: getattr(self, name) for name in self.__struct_fields__ if name.endswith("_path")}
        yield from (f"luisterhuis.{name} does not begin with /" for name, path in paths.items() if path[:1] != "/")
        if "%" not in self.modified_from_format:
            yield f"luisterhuis.modified_from_format {self.modified_from_format!r} says no time; write {MODIFIED_FROM_FORMAT}"
        if self.overlap < timedelta(hours=2):
            yield "luisterhuis.overlap is less than 2h, so that a wrong reading of the zone could lose changes"
        yield from _unknown_names("luisterhuis", self.names, LUISTERHUIS_NAMES, self.codes)


class Ebooks(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[sources.NAME.ebooks]`: the e-book service, with the files that tell what is sold.

    `authentication` is `oidc` (`client_id`, `token_url` and the client's secret) or `headers` (`username` and its password);
    the secret is named by `secret_env` or `secret_file`. An operation is asked for below `base_url`, or at its own address in
    `urls`. `agreement` and `articles` are paths or patterns of the files in the shop's out box.
    """

    agreement: tuple[str, ...]
    articles: tuple[str, ...]
    base_url: str | None = None
    urls: Mapping[str, str] = {}
    environment: Environment | None = None
    authentication: Literal["oidc", "headers"] = "oidc"
    client_id: str | None = None
    token_url: str | None = None
    scope: str | None = None
    username: str | None = None
    secret_env: str | None = None
    secret_file: str | None = None
    username_header: str = "UserName"
    password_header: str = "Password"  # noqa: S105 - the name of a header
    delivery_channel: str = "CBW"
    names: Mapping[str, str] = {}
    codes: Mapping[str, str] = {}
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    call_seconds: Seconds = 60.0
    for_sale_codes: tuple[str, ...] = FOR_SALE_CODES
    not_yet_codes: tuple[str, ...] = NOT_YET_CODES
    hold_until_publication: bool = True
    agreement_name: str = r"(?P<type>[^_]+)_(?P<relation>[^_]+)_(?P<stamp>\d{14})\.xml"
    files_by: Annotated[int, msgspec.Meta(ge=0, le=23)] = 12
    holidays: tuple[str, ...] = ()

    @property
    def wire(self) -> Mapping[str, str]:
        """The wire's word for each name of EBOOK_NAMES."""
        return {**EBOOK_NAMES, **self.names}

    @property
    def meanings(self) -> Mapping[str, Meaning]:
        """The codes with those that the settings add."""
        return {**CODES, **{code: Meaning(word) for code, word in self.codes.items()}}

    def url(self, operation: str) -> str:
        """Where an operation is asked for, in full."""
        return self.urls.get(operation) or f"{(self.base_url or '').rstrip('/')}/{operation}"

    def problems(self, *, allow_loopback_http: bool) -> Iterator[str]:
        """What is wrong with it."""
        if self.base_url is None and set(OPERATIONS) - self.urls.keys():
            yield f"ebooks: base_url is missing, and urls does not name all of {', '.join(OPERATIONS)}"
        addresses = {"base_url": self.base_url, "token_url": self.token_url}
        addresses |= {f"urls.{name}": address for name, address in self.urls.items()}
        for key, address in addresses.items():
            if address is not None:
                yield from _found(
                    base_url_problem(address, allow_loopback_http=allow_loopback_http, key=f"ebooks.{key}")
                )
        yield from (f"ebooks.urls.{name} is no operation" for name in sorted(self.urls.keys() - set(OPERATIONS)))
        if self.authentication == "oidc" and not (self.client_id and self.token_url):
            yield "ebooks: oidc needs client_id and token_url"
        if self.authentication == "headers" and not self.username:
            yield "ebooks: headers needs a username"
        if len([named for named in (self.secret_env, self.secret_file) if named]) != 1:
            yield "ebooks: name one secret: secret_env or secret_file"
        if not (self.agreement and self.articles):
            yield "ebooks: agreement and articles name the files of the out box, which decide what is sold"
        if both := set(self.for_sale_codes) & set(self.not_yet_codes):
            yield f"ebooks: {', '.join(sorted(both))} cannot be both for sale and not yet"
        yield from _unknown_names("ebooks", self.names, EBOOK_NAMES, self.codes)


class Settings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One shop's whole relation with CB; at least one of its two tables is given.

    `route` sends single EANs to the service that their format would not (contract cb 8.5). `environment` says which world the
    credentials belong to: a host that looks like the other one, by `test_hosts`, is refused. `relation_id` is the shop's number
    at CB; a store is bound to it. `check_holds` is how long a positive availability check speaks for the sales behind it (6).
    """

    endpoint_classes: ClassVar[frozenset[str]] = frozenset(LIMITS)
    default_limits: ClassVar[Mapping[str, Limit]] = LIMITS

    relation_id: str
    luisterhuis: Luisterhuis | None = None
    ebooks: Ebooks | None = None
    route: Mapping[str, Literal["luisterhuis", "ebooks"]] = {}
    timezone: str = "Europe/Amsterdam"
    check_holds: timedelta = CHECK_HOLDS
    environment: Environment = "production"
    test_hosts: tuple[str, ...] = ("stub*", "test*", "tst*", "*.tst.*", "*.test.*")
    allow_loopback_http: bool = False

    def __post_init__(self) -> None:
        if found := list(self._problems()):
            raise ValueError("; ".join(found))

    @property
    def routing(self) -> Routing:
        """Which service a title is bought at."""
        given = {Service.LUISTERHUIS: self.luisterhuis, Service.EBOOKS: self.ebooks}
        return Routing(
            services=frozenset(service for service, table in given.items() if table is not None),
            overrides={ean: Service(service) for ean, service in self.route.items()},
        )

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all dates and times that name none."""
        return ZoneInfo(self.timezone)

    def _problems(self) -> Iterator[str]:
        if not self.relation_id.strip():
            yield "relation_id is empty"
        if self.check_holds <= timedelta():
            yield "check_holds is no span above 0"
        tables = [table for table in (self.luisterhuis, self.ebooks) if table is not None]
        if not tables:
            yield "neither [luisterhuis] nor [ebooks] is given below it; at least one is needed"
        for table in tables:
            yield from table.problems(allow_loopback_http=self.allow_loopback_http)
        yield from self._mixed()

    def _mixed(self) -> Iterator[str]:
        """Credentials of one world with a host of the other (contract cb 1.2)."""
        addresses: list[tuple[str, Environment | None, str | None]] = []
        if self.luisterhuis:
            addresses.append(("luisterhuis", self.luisterhuis.environment, self.luisterhuis.base_url))
        if self.ebooks:
            own = [self.ebooks.base_url, self.ebooks.token_url, *self.ebooks.urls.values()]
            addresses += [("ebooks", self.ebooks.environment, address) for address in own]
        for table, stated, address in addresses:
            if stated is not None and stated != self.environment:
                yield f"{table} is of the {stated} environment, the source of {self.environment}"
            host = _host(address)
            if host and not is_loopback(host):
                is_test = any(fnmatchcase(host, pattern) for pattern in self.test_hosts)
                if is_test is not (self.environment == "test"):
                    yield f"{table}: {host} does not look like a host of the {self.environment} environment (test_hosts)"


def _host(address: str | None) -> str:
    try:
        return urlsplit(address or "").hostname or ""
    except ValueError:
        return ""


def _found(problem: str | None) -> Iterable[str]:
    return [problem] if problem else []


def _unknown_names(
    table: str, names: Mapping[str, str], known: Mapping[str, str], codes: Mapping[str, str]
) -> Iterator[str]:
    yield from (f"{table}.names.{name} is no name; there is {', '.join(known)}" for name in names.keys() - known.keys())
    words = {meaning.value for meaning in Meaning}
    yield from (
        f"{table}.codes.{code} means nothing: write one of {', '.join(sorted(words))}"
        for code, word in codes.items()
        if word not in words
    )
