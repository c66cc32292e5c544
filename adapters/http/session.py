"""One client session for one account: hardened against what servers, proxies and networks do; it raises or reports, never guesses."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from adapters.http.account import Credentials, Nobody, Proof, base_url_problem
from adapters.http.headers import resolve
from adapters.http.unpack import GzipUnpacker, PlainUnpacker, Unpacker
from syncengine.domain.delivery import Arrival, Receipt, Request
from syncengine.errors import FeedTorn, SourceFailed, SourceRefused, SourceUnreachable, UsageInvalid
from syncengine.ports import Clock

if TYPE_CHECKING:
    import aiohttp

    from adapters.http.exchange import Exchange, Line

USER_AGENT = "syncengine/0.1"
LARGEST_PAGE = 64 << 20
LARGEST_ANSWER = 1 << 20

ANYTHING = "*/*"

_FIELDS = (("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"))
_KEPT_HEADERS = ("date", "retry-after", "content-type", "link", "location")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the session waits: for a connection (name, TCP, TLS), for the start of an answer, between two of its pieces.

    `slowest_bytes` must come in every `watch_seconds` of a body, whatever the pieces: a server that drips is cut off.
    `call_seconds` bounds an API call as a whole.
    """

    connect_seconds: float = 15.0
    answer_seconds: float = 120.0
    silence_seconds: float = 60.0
    watch_seconds: float = 60.0
    slowest_bytes: int = 64 << 10
    call_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: `headers` by lower-case names, `body` unpacked, `url` where it came from after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpSession:
    """Requests to one base address and nowhere else.

    No cookies, no proxies from the environment, no redirect to another origin, TLS from 1.2 with all checks; the credentials
    go to the account's own origin only. Pages share connections. Every API call has one of its own, look-ups and simulations too,
    for they decide about money as much as sales do (`exchange` says why), and is made once: nothing here repeats it, with one
    exception. Where 401 is answered and the credentials can be renewed, the same request is made once more with the new ones: that
    answer says that nothing took effect. It waits for no turn of its rate, and comes once in the life of a token.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        credentials: Credentials | None = None,
        allow_loopback_http: bool = False,
        patience: Patience | None = None,
        connections: int = 8,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if problem := base_url_problem(base_url, allow_loopback_http=allow_loopback_http):
            raise UsageInvalid(problem)
        self._base_url = base_url.rstrip("/")
        self._origin = _origin(base_url)
        self._clock = clock
        self._credentials = credentials or Nobody()
        self._patience = patience or Patience()
        self._connections = connections
        self._tls = tls
        self._pages: aiohttp.ClientSession | None = None
        self._line: Line | None = None

    @property
    def base_url(self) -> str:
        """The address that targets are below."""
        return self._base_url

    def is_own(self, url: str) -> bool:
        """Whether an address is of the account's own origin, where its credentials may go."""
        return _origin(url) == self._origin

    async def fetch(self, address: str, *, maximum: int = LARGEST_PAGE, accept: str = ANYTHING) -> Answer:
        """GET a page, whole; `address` is a path below the base address, or a full address of the same origin.

        Whatever status the server gives is an answer. Raises SourceUnreachable where none came, FeedTorn where it broke off,
        SourceFailed where it is too large, no HTTP, or leads to another origin; and what the credentials raise.
        """
        proof = await self._credentials.proof()
        answer = await self._fetch_followed(address, maximum, accept, proof)
        if answer.status == 401 and self._credentials.refuse(proof):
            return await self._fetch_followed(address, maximum, accept, await self._credentials.proof())
        return answer

    async def call(self, request: Request) -> Receipt:
        """Make an API call, on a connection of its own; what the network does is told by the receipt.

        Without credentials nothing is sent: REFUSED where the account is refused them, NOT_SENT where they cannot be had now.
        """
        try:
            proof = await self._credentials.proof()
            receipt = await self._call_once(request, proof)
            if receipt.status == 401 and self._credentials.refuse(proof):
                return await self._call_once(request, await self._credentials.proof())
        except SourceRefused as error:
            return self._receipt(Arrival.REFUSED, detail=str(error))
        except SourceFailed as error:
            return self._receipt(Arrival.NOT_SENT, detail=str(error))
        return receipt

    async def _call_once(self, request: Request, proof: Proof) -> Receipt:
        import aiohttp

        patience, line = self._patience, self._calling()
        exchange: Exchange | None = None
        try:
            written = line.write(
                request.method, _with(request.target, proof), [*_fields(request), *proof.headers], request.body
            )
            began_at = asyncio.get_running_loop().time()
            async with asyncio.timeout(min(patience.connect_seconds, patience.call_seconds)) as bound:
                exchange = await line.open(patience.connect_seconds)
                bound.reschedule(began_at + patience.call_seconds)
                head, content = await exchange.ask(written)
                body = await _beginning(
                    content, _unpacker(head.headers, self._base_url + request.target), LARGEST_ANSWER
                )
            kept = {name: ", ".join(head.headers.getall(name)) for name in _KEPT_HEADERS if name in head.headers}
            return self._receipt(Arrival.ANSWERED, status=head.code, headers=kept, body=body)
        except (aiohttp.ClientError, OSError, SourceFailed) as error:
            if exchange is None or not exchange.has_left:
                return self._receipt(Arrival.NOT_SENT, detail=_said_unconnected(error, line))
            return self._receipt(Arrival.UNKNOWN, detail=_said(error))
        finally:
            if exchange is not None:
                exchange.abort()

    async def aclose(self) -> None:
        """Close all connections; the next request would open new ones."""
        pages, self._pages = self._pages, None
        if pages is not None:
            await pages.close()

    async def _fetch_followed(self, address: str, maximum: int, accept: str, proof: Proof) -> Answer:
        url = self._base_url + address if address.startswith("/") else address
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._fetch_once(url, maximum, accept, proof)
            if answer.status not in _REDIRECTS:
                return answer
            url = resolve(url, answer.headers.get("location", ""))
        raise SourceFailed(f"{_plain(url)} redirects in circles", hint="check base_url")

    async def _fetch_once(self, url: str, maximum: int, accept: str, proof: Proof) -> Answer:
        import aiohttp

        self._check_origin(url)
        try:
            async with self._asked(url, accept, proof) as response:
                headers = _lowered(response)
                if response.status in _REDIRECTS:
                    self._check_origin(resolve(url, headers.get("location", "")), redirected_from=url)
                    return Answer(url=url, status=response.status, headers=headers, body=b"")
                body = await self._body(response, url, maximum)
                return Answer(url=url, status=response.status, headers=headers, body=body)
        except aiohttp.ClientPayloadError as error:
            raise _torn(url, _said(error)) from None
        except aiohttp.ClientResponseError as error:
            raise SourceFailed(f"{_plain(url)} does not answer in HTTP: {_said(error)}") from None
        # The library's errors carry the request with its headers, so none of them is chained.
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SourceUnreachable(
                f"{_plain(url)} cannot be reached: {_said(error)}",
                hint="check the network and base_url; what was committed stays, the next pass goes on from there",
            ) from None

    @asynccontextmanager
    async def _asked(self, url: str, accept: str, proof: Proof) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer's head, within the time for it; its body is read inside."""
        from yarl import URL

        address = URL(_with(url, proof), encoded=True)
        headers = dict([("Accept", accept), ("Accept-Encoding", "gzip"), *proof.headers])
        async with asyncio.timeout(self._patience.answer_seconds):
            response = await self._opened().get(address, headers=headers, allow_redirects=False)
        try:
            yield response
        finally:
            response.release()

    def _opened(self) -> aiohttp.ClientSession:
        """The library's session, for pages."""
        import aiohttp

        if self._pages is None:
            self._pages = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections + 2,
                    ssl=self._tls or _tls_context(),
                    keepalive_timeout=10,
                    ttl_dns_cache=60,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=dict(_FIELDS),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._patience.connect_seconds,
                    sock_read=self._patience.silence_seconds,
                ),
                auto_decompress=False,
                trust_env=False,
            )
        return self._pages

    def _calling(self) -> Line:
        """The way that calls take."""
        if self._line is None:
            from adapters.http.exchange import Line

            self._line = Line(self._base_url, self._tls or _tls_context(), _FIELDS)
        return self._line

    async def _body(self, response: aiohttp.ClientResponse, url: str, maximum: int) -> bytes:
        """The unpacked body; raises SourceFailed where it is larger than that."""
        unpacker = _unpacker(response.headers, url)
        pieces: list[bytes] = []
        size, ended = 0, False
        while not ended:
            packed, ended = await self._batch(response, url)
            for piece in unpacker.feed(packed):
                size += len(piece)
                pieces.append(piece)
                if size > maximum:
                    raise SourceFailed(
                        f"{_plain(url)} answers with more than {maximum} bytes",
                        hint="no page of a feed is that large: check base_url",
                    )
        unpacker.finish()
        return b"".join(pieces)

    async def _batch(self, response: aiohttp.ClientResponse, url: str) -> tuple[bytes, bool]:
        """The next bytes of the body, at least as many as must come in time, and whether they are its last."""
        patience = self._patience
        batch = bytearray()
        try:
            async with asyncio.timeout(patience.watch_seconds):
                while len(batch) < patience.slowest_bytes:
                    piece = await response.content.readany()
                    if not piece:
                        return bytes(batch), True
                    batch += piece
        except TimeoutError:
            raise SourceUnreachable(
                f"{_plain(url)} sends less than {patience.slowest_bytes} bytes in {patience.watch_seconds:g} s",
                hint="the distributor or the line is too slow now; the next pass goes on from here",
            ) from None
        return bytes(batch), False

    def _check_origin(self, url: str, *, redirected_from: str | None = None) -> None:
        if self.is_own(url):
            return
        by = f"{_plain(redirected_from)} redirects" if redirected_from else "a link leads"
        raise SourceFailed(
            f"{by} to {_plain(url)}, away from {self._origin}",
            hint="nothing is sent there; if the platform has moved, change base_url",
        )

    def _receipt(
        self,
        arrival: Arrival,
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        detail: str = "",
    ) -> Receipt:
        return Receipt(
            arrival=arrival,
            at=self._clock.now(),
            status=status,
            headers=headers or {},
            body=body,
            detail=detail,
        )


def _fields(request: Request) -> tuple[tuple[str, str], ...]:
    """The request's headers, with what it accepts: anything where it does not say."""
    if any(name.lower() == "accept" for name, _ in request.headers):
        return request.headers
    return (("Accept", ANYTHING), *request.headers)


def _with(address: str, proof: Proof) -> str:
    """An address with the parameters of a proof; it goes to the server and is told to nobody."""
    if not proof.parameters:
        return address
    parameters = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in proof.parameters)
    return f"{address}{'&' if '?' in address else '?'}{parameters}"


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _beginning(content: aiohttp.StreamReader, unpacker: Unpacker, maximum: int) -> bytes:
    """The unpacked body, or as many of its first bytes."""
    body = bytearray()
    # Where all of it came with the head, as it mostly does, nothing is waited for.
    while packed := content.read_nowait() if content.is_eof() else await content.readany():
        for piece in unpacker.feed(packed):
            body += piece
            if len(body) > maximum:
                return bytes(body[:maximum])
    unpacker.finish()
    return bytes(body)


def _unpacker(headers: Mapping[str, str], url: str) -> Unpacker:
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"} or headers.get("Content-Length", "").strip() == "0":
        return PlainUnpacker()
    if coding in {"gzip", "x-gzip"}:
        return GzipUnpacker(_plain(url))
    raise SourceFailed(f"{_plain(url)} answers packed as {coding!r}, which was not asked for")


def _origin(url: str) -> str:
    """Scheme, host and port; empty where the address has none that can be read or carries a user."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ""
    if not parts.hostname or parts.username is not None:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _lowered(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Headers by lower-case names; repeated ones joined, as HTTP means them."""
    names: Iterable[str] = dict.fromkeys(name.lower() for name in response.headers)
    return {name: ", ".join(response.headers.getall(name)) for name in names}


def _plain(url: str) -> str:
    """An address as it may stand in a message: no user, no query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{(parts.netloc or '').rpartition('@')[2]}{parts.path}"


def _said(error: BaseException) -> str:
    """What a library's error says, without the request that some of them carry."""
    import aiohttp

    from adapters.http.exchange import reason

    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} has no address"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not accepted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
        case aiohttp.ConnectionTimeoutError():
            return "no connection in time"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before the answer"
        case aiohttp.ClientResponseError():
            return _short(reason(error.message))
        case aiohttp.ClientPayloadError():
            return "its body is cut short or broken"
        case TimeoutError():
            return "no answer in time"
        case SourceFailed():
            return str(error)
        case _:
            return _short(f"{type(error).__name__}: {error}")


def _said_unconnected(error: BaseException, line: Line) -> str:
    """The same of an error before anything was sent."""
    match error:
        case socket.gaierror():
            return f"the name {line.host} has no address"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message or error}"
        case TimeoutError():
            return "no connection in time"
        case OSError():
            return _short(f"no connection to {line.host}:{line.port}: {error.strerror or error}")
        case _:
            return _said(error)


def _torn(url: str, reason: str) -> FeedTorn:
    return FeedTorn(f"{_plain(url)} broke off: {reason}", hint="what was whole is kept; the next pass reads the rest")


def _short(text: str) -> str:
    """One line, of a length for people."""
    return " ".join(text.split())[:200]
