"""API calls on the wire: each request has a connection of its own, which carries nothing before it and nothing after it.

So an answer can belong to no other request, however late or often a server or a proxy sends it, and no connection can have been
closed while it stood idle. On a connection that is used again neither can be made sure: what arrives after the next request has
left looks like its answer, for distributors' answers do not name the request that they belong to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from syncengine.errors import SourceFailed

_ADDRESSES_HOLD_SECONDS = 60.0
_SWITCHING_PROTOCOLS = 101


class Exchange(ResponseHandler):
    """One connection, for one request and its answer; who opened it aborts it.

    The library's protocol reads the answer, with all its checks; its errors are raised as they are.
    """

    has_left = False
    """Whether bytes of the request may have left."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loops let small pieces leave at once by themselves; the library would ask for it again."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell who waits, unless the exchange has been ended before: then nobody does."""
        if self.transport is not None:
            super().connection_lost(exc)

    async def ask(self, request: bytes) -> tuple[RawResponseMessage, StreamReader]:
        """Send the request; the head of its answer, and the body to be read.

        Raises ConnectionError, and sends nothing, where the server has closed the connection or spoken unasked; SourceFailed where
        it does not answer in HTTP.
        """
        transport = self.transport
        if transport is None or transport.is_closing() or self.should_close:
            raise ConnectionResetError("the server gave the connection up before anything was sent")
        self.set_response_params(read_until_eof=True, auto_decompress=False)
        self.has_left = True
        transport.write(request)
        try:
            return await self._answer()
        except HttpProcessingError as error:
            raise SourceFailed(f"it does not answer in HTTP: {reason(error.message)}") from None

    async def _answer(self) -> tuple[RawResponseMessage, StreamReader]:
        while True:
            head, body = await self.read()
            # Answers of 100 to 199 are news on the way to the answer, but for 101, after which no other comes.
            if not 100 <= head.code < 200 or head.code == _SWITCHING_PROTOCOLS:
                return head, body


@dataclass(frozen=True, slots=True)
class _Address:
    family: int
    host: str


class Line:
    """The way to one origin: opens connections to it, and writes requests as they go over them."""

    def __init__(self, base_url: str, tls: ssl.SSLContext, fields: Sequence[tuple[str, str]]) -> None:
        """`fields` are headers that every request carries."""
        url = URL(base_url)
        self.host = url.raw_host or ""
        self.port = url.port or 0
        self._tls = tls if url.scheme == "https" else None
        self._path = url.raw_path.rstrip("/")
        self._fields = _lines([("Host", url.host_port_subcomponent or ""), *fields, ("Connection", "close")])
        self._addresses: list[_Address] = []
        self._hold_until = float("-inf")
        self._looking_up = asyncio.Lock()

    def write(self, method: str, target: str, fields: Sequence[tuple[str, str]], body: bytes) -> bytes:
        """The whole request. Raises SourceFailed for a target or a header that would break out of its line."""
        if not target or " " in target or not all(map(_is_of_one_line, (method, target, *map("".join, fields)))):
            raise SourceFailed("the request cannot be sent: its address or a header has characters that none may have")
        length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
        head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._fields}{_lines(fields)}{length}\r\n"
        return head.encode("ascii") + body

    async def open(self, seconds: float) -> Exchange:
        """A new connection, its TLS handshake done; raises OSError where there is none.

        Of several addresses each has its share of so many seconds, and the one that was reached last comes first.
        """
        addresses = await self._look_up()
        for place, address in enumerate(addresses, 1):
            try:
                if len(addresses) == 1:
                    return await self._connect(address)
                async with asyncio.timeout(seconds / len(addresses)):
                    exchange = await self._connect(address)
            except OSError:  # TimeoutError is one of them
                if place == len(addresses):
                    raise
            else:
                self._addresses = [address, *(other for other in self._addresses if other != address)]
                return exchange
        raise OSError("the name has no address")

    async def _connect(self, address: _Address) -> Exchange:
        loop = asyncio.get_running_loop()
        exchange = Exchange(loop)
        try:
            await loop.create_connection(
                lambda: exchange,
                address.host,
                self.port,
                family=address.family,
                ssl=self._tls,
                server_hostname=self.host.rstrip(".") if self._tls else None,
            )
        except BaseException:
            exchange.abort()
            raise
        return exchange

    async def _look_up(self) -> Sequence[_Address]:
        """The addresses of the host, kept for a minute."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._hold_until:
            async with self._looking_up:
                if loop.time() >= self._hold_until:
                    self._addresses = await self._resolved()
                    self._hold_until = loop.time() + _ADDRESSES_HOLD_SECONDS
        return self._addresses

    async def _resolved(self) -> list[_Address]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise socket.gaierror(f"{self.host} is no name of a host") from error
        addresses = dict.fromkeys(_Address(int(family), str(at[0])) for family, _, _, _, at in found)
        # Sorting keeps the system's own preferences behind the one that was reached last.
        return sorted(addresses, key=lambda address: address not in self._addresses[:1])


def reason(message: str) -> str:
    """What the library's parser says is wrong, without the piece of the answer that it shows below: that may be a secret."""
    return message.partition("\n")[0].strip(" :")


def _lines(fields: Sequence[tuple[str, str]]) -> str:
    return "".join([f"{name}: {text}\r\n" for name, text in fields])


def _is_of_one_line(text: str) -> bool:
    return text.isascii() and text.isprintable()
