"""De Marque: Cantook Edition and Cantook Hub, under any of its hosts (contract demarque)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from adapters.distributors.demarque.cursor import DEFAULT_MARGIN
from adapters.http.account import Basic, Bearer, Credentials, base_url_problem, is_header_text, is_loopback
from syncengine.domain.delivery import Limit
from syncengine.domain.ids import SourceName
from syncengine.errors import SettingsInvalid
from syncengine.ports import Account, Distributor, Secret, SourceSettings, World

LIMITS: Mapping[str, Limit] = {
    "full_delta": Limit(calls=40, period_seconds=3600, burst=10),
    "publication": Limit(calls=4500, period_seconds=3600, burst=100),
}
"""Below the published quotas of 50 and 5,000 an hour (contract 2.3); for the other classes none is published."""

_ZONES: Mapping[str, str] = {
    "www.entrepotnumerique.com": "America/Toronto",
    "transcontinental.cantook.net": "America/Toronto",
    "www.edenlivres.fr": "Europe/Paris",
    "edigita.cantook.net": "Europe/Rome",
    "cantook.libranda.com": "Europe/Madrid",
}
"""The platforms' own zones (contract 8.1)."""


class Settings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The keys of `[sources.NAME]` with `kind = "demarque"`.

    A token is named by `token_env` or `token_file`; or a `username`, with `password_env` or `password_file`. `timezone` may be
    left out on the known platforms. `net_prices` adds the net price to sales (Eden Livres). `margin` is how far a delta reaches
    back behind the last pass, `concurrency` how many calls may be in flight.
    """

    endpoint_classes: ClassVar[frozenset[str]] = frozenset(
        {"full_delta", "page", "publication", "account", "simulate", "sale", "lookup", "refund", "preorder", "download"}
    )
    default_limits: ClassVar[Mapping[str, Limit]] = LIMITS

    base_url: str
    organisation_id: str
    timezone: str = ""
    token_env: str | None = None
    token_file: str | None = None
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    allow_loopback_http: bool = False
    convention: Literal["auto", "old", "new"] = "auto"
    parameters: Literal["query", "form"] = "query"
    net_prices: bool = False
    lcp: bool = False
    margin: timedelta = DEFAULT_MARGIN
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8

    def __post_init__(self) -> None:
        address = base_url_problem(self.base_url, allow_loopback_http=self.allow_loopback_http)
        zone = None if address or self.zone_name else "timezone is missing, and the platform is not a known one"
        problems = (
            address,
            zone,
            self._credentials_problem(),
            None if self.organisation_id.strip() else "organisation_id is empty",
            None if self.margin >= timedelta() else "margin is negative",
        )
        if found := [problem for problem in problems if problem]:
            raise ValueError("; ".join(found))

    @property
    def zone_name(self) -> str:
        """The platform's zone: as set, or that of a known host; empty where neither tells."""
        host = urlsplit(self.base_url).hostname or ""
        return self.timezone or _ZONES.get(host, "UTC" if is_loopback(host) else "")

    def _credentials_problem(self) -> str | None:
        tokens = [self.token_env, self.token_file]
        passwords = [self.password_env, self.password_file]
        if len([named for named in tokens + passwords if named]) != 1:
            return "name one secret: token_env or token_file, or for a username password_env or password_file"
        if any(passwords) and not self.username:
            return "a password needs a username"
        if any(tokens) and self.username:
            return "a token goes without a username"
        return None


def connect(name: SourceName, settings: SourceSettings, world: World) -> Distributor:
    """Build one account's parts; no network yet. Raises SettingsInvalid for a secret that cannot be read."""
    from adapters.distributors.demarque.calls import DeMarqueCalls
    from adapters.distributors.demarque.rules import DeMarqueRules
    from adapters.distributors.demarque.source import DeMarqueSource
    from adapters.http.session import HttpSession

    if not isinstance(settings, Settings):
        raise TypeError(f"{name}: settings of another kind")
    credentials = _credentials(name, settings, world.directory)

    def session(connections: int) -> HttpSession:
        return HttpSession(
            settings.base_url,
            clock=world.clock,
            credentials=credentials,
            allow_loopback_http=settings.allow_loopback_http,
            connections=connections,
        )

    # Feed and calls have a session each: closing one, or filling its connections, never disturbs the other.
    feed, calls = session(2), session(settings.concurrency)
    return Distributor(
        source=DeMarqueSource(
            name,
            settings.organisation_id,
            feed,
            world,
            margin=settings.margin,
            full_every=settings.full_every,
        ),
        rules=DeMarqueRules(
            markets=settings.markets,
            zone=ZoneInfo(settings.zone_name),
            convention=settings.convention,
            tax_rates=settings.tax_rates,
            lcp=settings.lcp,
        ),
        calls=DeMarqueCalls(
            name,
            settings.organisation_id,
            calls,
            world,
            parameters=settings.parameters,
            net_prices=settings.net_prices,
            concurrency=settings.concurrency,
        ),
        account=Account(kind="demarque", address=feed.base_url, organisation=settings.organisation_id),
    )


def _credentials(name: SourceName, settings: Settings, directory: Path) -> Credentials:
    where = f"sources.{name}"
    file = settings.token_file or settings.password_file
    secret = Secret.read(
        where, env=settings.token_env or settings.password_env, file=str(directory / file) if file else None
    )
    if settings.username:
        return Basic(settings.username, secret)
    if not is_header_text(secret.reveal()):
        raise SettingsInvalid(where, ["the token has blanks or characters that no token has"])
    return Bearer(secret)
