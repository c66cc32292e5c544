"""The stub's token service: client credentials to tokens, one a group of the API (contract 2.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import orjson

from adapters.distributors.bokbasen.sandbox_knobs import StubSettings
from adapters.sandbox.stub import Answer, Call

GROUPS: Mapping[str, str] = {"metadata": "export:onix", "dds": "", "bokskya": ""}
"""The groups of the API that the client may use, with the scope of each."""

_LEAST_LEFT = timedelta(seconds=300)
"""No token is handed out with less to live (contract 2.1)."""
_HEADER = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The one client that has credentials here."""

    id: str
    secret: str

    def is_meant_by(self, call: Call) -> bool:
        """Whether the request carries its id and its secret."""
        given = (call.parameters.get("client_id", ""), call.parameters.get("client_secret", ""))
        expected = (self.id, self.secret)
        return all(
            hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, expected, strict=True)
        )


class _Claims(msgspec.Struct):
    """What a token says: for whom it is, when it ends, and of which generation it is."""

    aud: str
    exp: int
    gen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    text: str
    ends_at: datetime
    generation: int


class Tokens:
    """Hands out tokens and knows them again, also those of an earlier run.

    The token of a group is kept and handed out again as long as it lives long enough, so that what is left of it shrinks.
    """

    def __init__(self, *, client: Client, secret: bytes) -> None:
        self._client = client
        self._secret = secret
        self._kept: dict[str, _Token] = {}

    def hand_out(self, call: Call, settings: StubSettings) -> Answer:
        """`POST /oauth/token`."""
        if not self._client.is_meant_by(call) or call.parameters.get("grant_type") != "client_credentials":
            return _denied(401, "Unauthorized")
        audience = call.parameters.get("audience", "")
        group = _group(audience)
        if not audience:
            return _denied(401, "Unauthorized")
        if group not in GROUPS:
            return _denied(403, f"Service not enabled within domain: {audience}")
        token = self._token(group, audience, settings, call.at)
        document = {
            "access_token": token.text,
            "expires_in": int((token.ends_at - call.at).total_seconds()),
            "token_type": "Bearer",
            **({"scope": GROUPS[group]} if GROUPS[group] else {}),
        }
        return Answer(status=200, word="token", body=orjson.dumps(document), content_type="application/json")

    def refusal(self, call: Call, group: str, settings: StubSettings) -> Answer | None:
        """Why the token of a call does not open that group: 401 unknown or ended, 403 of another group; none where it does."""
        scheme, _, text = call.authorization.partition(" ")
        claims = self._claims(text) if scheme.lower() == "bearer" else None
        if claims is None or claims.gen != settings.token_generation or claims.exp <= call.at.timestamp():
            return Answer(status=401, word="unauthorized")
        return None if _group(claims.aud) == group else Answer(status=403, word="forbidden")

    def _token(self, group: str, audience: str, settings: StubSettings, at: datetime) -> _Token:
        kept = self._kept.get(group)
        if kept and kept.generation == settings.token_generation and kept.ends_at - at >= _LEAST_LEFT:
            return kept
        ends_at = at + timedelta(seconds=settings.token_seconds)
        claims = _Claims(aud=audience, exp=int(ends_at.timestamp()), gen=settings.token_generation)
        signed = f"{_packed(orjson.dumps(_HEADER))}.{_packed(msgspec.json.encode(claims))}"
        token = _Token(
            text=f"{signed}.{self._signature(signed)}", ends_at=ends_at, generation=settings.token_generation
        )
        self._kept[group] = token
        return token

    def _claims(self, text: str) -> _Claims | None:
        """What a token says, where it was made here."""
        signed, _, signature = text.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        return msgspec.json.decode(_unpacked(signed.partition(".")[2]), type=_Claims)

    def _signature(self, signed: str) -> str:
        return _packed(hmac.new(self._secret, signed.encode(), hashlib.sha256).digest())


def _group(audience: str) -> str:
    """`dds` of `https://api.bokbasen.io/dds/`; the slash at the end is part of the value."""
    return audience.split("/")[-2] if audience.endswith("/") and audience.count("/") > 1 else ""


def _denied(status: int, says: str) -> Answer:
    body = orjson.dumps({"error": "access_denied", "error_description": says})
    return Answer(status=status, word="access_denied", body=body, content_type="application/json")


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    """Of a text that `_packed` made, for its signature was right."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
