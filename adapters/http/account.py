"""What settings say of an account on the network: its address, and what proves who asks."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from syncengine.ports import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a request carries to prove who asks: headers, and parameters of its query. Its representation shows neither."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class Credentials(Protocol):
    """Something that proves who asks."""

    async def proof(self) -> Proof:
        """What the next request is to carry; asked for with each request, and kept nowhere else.

        Raises SourceRefused where the account is refused one, another SourceFailed where none can be had now.
        """
        ...

    def refuse(self, proof: Proof) -> bool:
        """An API has answered 401 to this proof: whether another can be had, with which the request may be made once more."""
        ...


class _Fixed:
    """Credentials that are always the same."""

    __slots__ = ()

    def refuse(self, proof: Proof) -> bool:  # noqa: ARG002 - there is no other
        return False


@dataclass(frozen=True, slots=True)
class Nobody(_Fixed):
    """An account that need not prove anything."""

    async def proof(self) -> Proof:
        return _NOTHING


@dataclass(frozen=True, slots=True)
class Bearer(_Fixed):
    """A token (RFC 6750)."""

    token: Secret

    async def proof(self) -> Proof:
        return Proof(headers=(("Authorization", f"Bearer {self.token.reveal()}"),))


@dataclass(frozen=True, slots=True)
class Basic(_Fixed):
    """A user name and a password (RFC 7617)."""

    username: str
    password: Secret

    async def proof(self) -> Proof:
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return Proof(headers=(("Authorization", f"Basic {base64.b64encode(pair).decode('ascii')}"),))


@dataclass(frozen=True, slots=True)
class KeyHeaders(_Fixed):
    """Secrets in headers of the distributor's own names; of each `is_header_text` is to be made sure before."""

    secrets: Mapping[str, Secret]

    async def proof(self) -> Proof:
        return Proof(headers=tuple((name, secret.reveal()) for name, secret in self.secrets.items()))


@dataclass(frozen=True, slots=True)
class KeyParameters(_Fixed):
    """Secrets as parameters of the query; they are left out of every address that is told or given back."""

    secrets: Mapping[str, Secret]

    async def proof(self) -> Proof:
        return Proof(parameters=tuple((name, secret.reveal()) for name, secret in self.secrets.items()))


_NOTHING = Proof()


def base_url_problem(base_url: str, *, allow_loopback_http: bool, key: str = "base_url") -> str | None:
    """What is wrong with an address of an account, which the settings name by `key`.

    It must be https, or http to this very machine where that is allowed.
    """
    try:
        parts = urlsplit(base_url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return f"{key} {base_url!r} is no address; write https://host/path"
    if parts.scheme not in {"http", "https"} or not host:
        return f"{key} {base_url!r} is no address; write https://host/path"
    if parts.username is not None or parts.password is not None:
        return f"{key} carries a user name or password; name them by their own keys"
    if parts.query or parts.fragment:
        return f"{key} {base_url!r} has a query or fragment; leave it out"
    if parts.scheme == "http" and not is_loopback(host):
        return f"{key} {base_url!r} is not encrypted; write https://"
    if parts.scheme == "http" and not allow_loopback_http:
        return f"{key} {base_url!r} is not encrypted; for a stub on this machine set allow_loopback_http = true"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_header_text(text: str) -> bool:
    """Whether it can stand in a header: a token with a line break in it would be a header of its own."""
    return text.isascii() and text.isprintable() and " " not in text
