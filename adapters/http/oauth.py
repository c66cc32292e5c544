"""OAuth 2.0 client credentials (RFC 6749, 4.4): a token from a service of its own, kept as long as it lives."""

from __future__ import annotations

import asyncio
import math
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from adapters.http.account import Proof, base_url_problem, is_header_text
from adapters.http.session import HttpSession, Patience
from syncengine.domain.delivery import Arrival, Receipt, Request
from syncengine.errors import SourceFailed, SourceRefused, SourceUnreachable, UsageInvalid
from syncengine.ports import Clock, Secret

LEAST_LIFE_SECONDS = 60.0
"""A token with less left is renewed before it is used (contracts bokbasen 2.1, cb 1.3)."""
UNSTATED_LIFE_SECONDS = 300.0
"""How long a token is used whose life the service leaves open, as the standard allows; a 401 ends it sooner."""

Encoding = Literal["form", "json"]

_REFUSED_STATUSES = frozenset({401, 403})
_REFUSED_WORDS = frozenset({"access_denied", "invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client"})
_WORDS = _REFUSED_WORDS | {"invalid_request", "unsupported_grant_type"}
"""The only words of an answer that are told: whatever else it holds could be an echo of the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks, and for what: a token is for one client and one audience. `scope` and `audience` are left out where they are none."""

    id: str
    secret: Secret
    audience: str | None = None
    scope: str | None = None


class _Grant(msgspec.Struct):
    """A token as the service gives it (RFC 6749, 5.1); numbers may come as texts."""

    access_token: str
    expires_in: float | None = None
    token_type: str = "Bearer"  # noqa: S105 - a word of the standard


class _Refusal(msgspec.Struct):
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    proof: Proof
    ends_at: float
    """By the monotonic clock."""


class ClientCredentials:
    """The token of one client for one audience, as credentials; sessions that need the same token share them.

    It is fetched when it is needed, by one request however many wait for it: they share its failure as well. It is dropped where
    less than LEAST_LIFE_SECONDS of its life are left, and where an API answers 401 to it. It is written down nowhere.
    """

    def __init__(
        self,
        token_url: str,
        client: Client,
        *,
        clock: Clock,
        encoding: Encoding = "form",
        allow_loopback_http: bool = False,
        patience: Patience | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`token_url` is the whole address of the token service, on any host; raises UsageInvalid where it will not do."""
        if problem := base_url_problem(token_url, allow_loopback_http=allow_loopback_http, key="token_url"):
            raise UsageInvalid(problem)
        parts = urlsplit(token_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        self._service = HttpSession(
            origin, clock=clock, allow_loopback_http=allow_loopback_http, patience=patience, tls=tls
        )
        self._target = parts.path or "/"
        self._address = origin + self._target
        self._client = client
        self._clock = clock
        self._encoding = encoding
        self._token: _Token | None = None
        self._fetching = asyncio.Lock()
        self._fetched: _Token | SourceFailed | None = None
        self._fetched_count = 0

    async def proof(self) -> Proof:
        """The token, fetched where there is none that lives long enough.

        Raises SourceRefused where the service refuses the client, SourceUnreachable where it is down or asks for patience,
        SourceFailed where its answer is not understood.
        """
        token = self._token
        if token is None or token.ends_at - self._clock.monotonic() < LEAST_LIFE_SECONDS:
            token = await self._renewed()
        return token.proof

    def refuse(self, proof: Proof) -> bool:
        """Drop the token, unless another has come meanwhile."""
        if self._token is not None and self._token.proof == proof:
            self._token = None
        return True

    async def _renewed(self) -> _Token:
        """What the next fetch brings, or the one that was under way; who is cancelled leaves the fetch to another."""
        before = self._fetched_count
        async with self._fetching:
            if self._fetched is None or self._fetched_count == before:
                self._fetched = await self._fetch()
                self._fetched_count += 1
            fetched = self._fetched
        if isinstance(fetched, SourceFailed):
            raise type(fetched)(str(fetched), hint=fetched.hint)
        return fetched

    async def _fetch(self) -> _Token | SourceFailed:
        asked_at = self._clock.monotonic()
        receipt = await self._service.call(self._request())
        try:
            self._token = self._read(receipt, asked_at)
        except SourceFailed as error:
            return error
        return self._token

    def _request(self) -> Request:
        client = self._client
        named = {
            "grant_type": "client_credentials",
            "client_id": client.id,
            "client_secret": client.secret.reveal(),
            "audience": client.audience,
            "scope": client.scope,
        }
        fields = {name: text for name, text in named.items() if text is not None}
        if self._encoding == "json":
            content_type, body = "application/json", msgspec.json.encode(fields)
        else:
            content_type, body = "application/x-www-form-urlencoded", urlencode(fields).encode("ascii")
        headers = (("Accept", "application/json"), ("Content-Type", content_type))
        return Request(method="POST", target=self._target, limit="token", headers=headers, body=body)

    def _read(self, receipt: Receipt, asked_at: float) -> _Token:
        if receipt.arrival is not Arrival.ANSWERED:
            raise SourceUnreachable(
                f"the token service {self._address} cannot be reached: {receipt.detail}",
                hint="nothing was asked of the distributor itself; the next pass or call asks again",
            )
        if receipt.status != 200:
            raise self._refusal(receipt)
        grant = _grant(receipt.body)
        if grant is None:
            raise SourceFailed(
                f"{self._address} answers with something else than a token",
                hint="check the address of the token service",
            )
        life = UNSTATED_LIFE_SECONDS if grant.expires_in is None else grant.expires_in
        return _Token(
            proof=Proof(headers=(("Authorization", f"Bearer {grant.access_token}"),)),
            ends_at=asked_at + life,
        )

    def _refusal(self, receipt: Receipt) -> SourceFailed:
        word = _word(receipt.body)
        said = f"{receipt.status} {word}".strip()
        if receipt.status in _REFUSED_STATUSES or (receipt.status == 400 and word in _REFUSED_WORDS):
            audience = f" for {self._client.audience}" if self._client.audience else ""
            return SourceRefused(
                f"the token service {self._address} refuses the client{audience} ({said})",
                hint="check client id and secret, and that they are of this environment and may use this audience",
            )
        if receipt.status in {408, 429} or receipt.status >= 500:
            return SourceUnreachable(
                f"the token service {self._address} is out of order ({said})", hint="the next pass or call asks again"
            )
        return SourceFailed(
            f"{self._address} gives no token ({said})", hint="check the address of the token service and its settings"
        )


def _grant(body: bytes) -> _Grant | None:
    """A token that can be used; none where the answer holds none."""
    try:
        grant = msgspec.json.decode(body, type=_Grant, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    is_bearer = grant.token_type.lower() == "bearer"
    lives = grant.expires_in is None or (math.isfinite(grant.expires_in) and grant.expires_in > 0)
    return grant if is_bearer and lives and grant.access_token and is_header_text(grant.access_token) else None


def _word(body: bytes) -> str:
    try:
        word = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return word if word in _WORDS else ""
