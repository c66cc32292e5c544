"""What settings say of an account on the network: its address, and what proves who asks."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from syncengine.ports import Secret


class Credentials(Protocol):
    """Something that proves who asks."""

    def header(self) -> str:
        """The value of `Authorization`; made for each request, kept nowhere."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token (RFC 6750)."""

    token: Secret

    def header(self) -> str:
        return f"Bearer {self.token.reveal()}"


@dataclass(frozen=True, slots=True)
class Basic:
    """A user name and a password (RFC 7617)."""

    username: str
    password: Secret

    def header(self) -> str:
        pair = f"{self.username}:{self.password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def base_url_problem(base_url: str, *, allow_loopback_http: bool) -> str | None:
    """What is wrong with a base address: it must be https, or http to this very machine where that is allowed."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return f"base_url {base_url!r} is no address; write https://host/path"
    if parts.scheme not in {"http", "https"} or not host:
        return f"base_url {base_url!r} is no address; write https://host/path"
    if parts.username is not None or parts.password is not None:
        return "base_url carries a user name or password; name them by their own keys"
    if parts.query or parts.fragment:
        return f"base_url {base_url!r} has a query or fragment; leave it out"
    if parts.scheme == "http" and not is_loopback(host):
        return f"base_url {base_url!r} is not encrypted; write https://"
    if parts.scheme == "http" and not allow_loopback_http:
        return f"base_url {base_url!r} is not encrypted; for a stub on this machine set allow_loopback_http = true"
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
