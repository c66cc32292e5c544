"""The HTTP session against a real loopback server: what it refuses, what it survives, and what it tells of failures."""

import asyncio
import gzip
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import web

from adapters.http.account import Basic, Bearer, KeyHeaders, KeyParameters, base_url_problem, is_header_text
from adapters.http.exchange import Exchange, Line
from adapters.http.headers import LONGEST_WAIT, http_date, next_link, retry_after
from adapters.http.session import HttpSession, Patience
from syncengine.domain.delivery import Arrival, Request
from syncengine.errors import FeedTorn, SourceFailed, SourceUnreachable, UsageInvalid
from syncengine.ports import Secret
from tests.clock import START, JumpClock

QUICK = Patience(
    connect_seconds=1.0,
    answer_seconds=0.5,
    silence_seconds=0.3,
    watch_seconds=0.5,
    slowest_bytes=4096,
    call_seconds=0.6,
)
TOKEN = "canary-token-4711"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Wire = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An HTTP server with one handler for every path; gives its address."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def wired(wire: Wire) -> AsyncIterator[str]:
    """A server of bytes: `wire` is called for each connection, and cut off at the end."""
    connections: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await wire(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        connections.append(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection, writer in zip(connections, writers, strict=True):
            connection.cancel()
            writer.transport.abort()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def opened(base_url: str, **options: object) -> AsyncIterator[HttpSession]:
    options.setdefault("patience", QUICK)
    options.setdefault("credentials", Bearer(Secret(TOKEN)))
    session = HttpSession(base_url, clock=JumpClock(), allow_loopback_http=True, **options)  # type: ignore[arg-type]
    try:
        yield session
    finally:
        await session.aclose()


def raw(text: str, body: bytes = b"") -> Wire:
    """A wire that reads one request's head and writes these bytes."""

    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.replace("\n", "\r\n").encode() + b"\r\n" + body)
        await writer.drain()

    return wire


def post(target: str = "/sales?cost=1999") -> Request:
    return Request(method="POST", target=target, limit="sale")


# --- addresses and credentials ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "allowed", "says"),
    [
        ("https://www.example.org/api", False, None),
        ("http://127.0.0.1:8080/api", True, None),
        ("http://[::1]:8080", True, None),
        ("http://localhost:8080", True, None),
        ("http://localhost:8080", False, "allow_loopback_http"),
        ("http://www.example.org/api", True, "not encrypted"),
        ("http://127.0.0.1.example.org", True, "not encrypted"),
        ("ftp://example.org", True, "no address"),
        ("example.org", True, "no address"),
        ("https://", True, "no address"),
        ("https://example.org:99999", True, "no address"),
        ("https://me:secret@example.org", True, "user name or password"),
        ("https://example.org/api?x=1", True, "query"),
        ("https://example.org/api#x", True, "query"),
    ],
)
async def test_base_addresses(base_url, allowed, says):
    problem = base_url_problem(base_url, allow_loopback_http=allowed)
    if says is None:
        assert problem is None
        return
    assert problem is not None
    assert says in problem
    assert "secret" not in problem
    with pytest.raises(UsageInvalid):
        HttpSession(base_url, clock=JumpClock(), allow_loopback_http=allowed)


async def test_sends_credentials_and_nothing_else_of_the_environment(monkeypatch):
    """Proxies of the environment are ignored; cookies are not kept."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(text="ok", headers={"Set-Cookie": "session=1; Path=/"})

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(handler) as url, opened(url) as session:
        assert (await session.fetch("/a")).body == b"ok"
        assert (await session.fetch("/b")).body == b"ok"
    assert [f"Bearer {TOKEN}"] * 2 == [headers["Authorization"] for headers in seen]
    assert seen[0]["User-Agent"].startswith("syncengine/")
    assert "Cookie" not in seen[1]


async def test_basic_credentials():
    proof = await Basic("aladdin", Secret("opensesame")).proof()
    assert proof.headers == (("Authorization", "Basic YWxhZGRpbjpvcGVuc2VzYW1l"),)


async def test_credentials_in_headers_of_any_name():
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.headers["UserName"], request.headers["Password"], request.headers.get("Authorization")))
        return web.Response()

    keys = KeyHeaders({"UserName": Secret("shop"), "Password": Secret(TOKEN)})
    async with serving(handler) as url, opened(url, credentials=keys) as session:
        await session.fetch("/feed")
        await session.call(post())
    assert [("shop", TOKEN, None)] * 2 == seen


async def test_a_key_as_parameter_is_sent_and_never_told():
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path_qs)
        return web.Response(status=302, headers={"Location": "https://elsewhere.example/x"})

    keys = KeyParameters({"key": Secret(TOKEN + "&")})
    async with serving(handler) as url, opened(url, credentials=keys) as session:
        answer = await session.call(post("/sales?cost=1"))
        with pytest.raises(SourceFailed) as caught:
            await session.fetch("/feed")
    assert [f"/sales?cost=1&key={TOKEN}%26", f"/feed?key={TOKEN}%26"] == seen
    assert TOKEN not in f"{answer} {caught.value} {caught.value.hint} {await keys.proof()}"


async def test_an_account_without_credentials():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=401 if "Authorization" in request.headers else 200)

    async with serving(handler) as url, opened(url, credentials=None) as session:
        assert 200 == (await session.fetch("/feed")).status
        assert 200 == (await session.call(post())).status


async def test_credentials_that_never_change_are_sent_once():
    """Another attempt would be refused as well."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=401)

    async with serving(handler) as url, opened(url) as session:
        assert 401 == (await session.fetch("/feed")).status
        assert 401 == (await session.call(post())).status
    assert ["/feed", "/sales"] == seen


async def test_a_request_says_what_it_accepts():
    """Its own word stands alone, for two would mean either."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.getall("Accept"))
        return web.Response()

    order = Request(method="POST", target="/order", limit="sale", headers=(("Accept", "application/json"),))
    async with serving(handler) as url, opened(url) as session:
        await session.fetch("/feed")
        await session.fetch("/content", accept="application/json")
        await session.call(post())
        await session.call(order)
    assert [["*/*"], ["application/json"], ["*/*"], ["application/json"]] == seen


@pytest.mark.parametrize("text", ["a\r\nX-Other: 1", "a b", "é", "a\0"])
def test_tokens_that_could_be_headers_of_their_own(text):
    assert not is_header_text(text)
    assert is_header_text("abc.DEF-123~+/=")


async def test_targets_are_sent_byte_for_byte():
    """A cursor's `=` stays percent-encoded, and so does everything else."""
    seen = []

    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with wired(wire) as url, opened(url + "/api/") as session:
        await session.fetch("/x%2Fy?start=MTQy%3D%3D&q=a%20b+c")
        await session.call(post("/sales?uname=Zo%C3%AB%20%26%20Co"))
    assert seen == [
        b"GET /api/x%2Fy?start=MTQy%3D%3D&q=a%20b+c HTTP/1.1",
        b"POST /api/sales?uname=Zo%C3%AB%20%26%20Co HTTP/1.1",
    ]


# --- redirects -------------------------------------------------------------------------------------------------------------


async def test_follows_a_redirect_within_the_origin():
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/old":
            return web.Response(status=302, headers={"Location": "/new?x=1"})
        return web.Response(text=request.path_qs)

    async with serving(handler) as url, opened(url) as session:
        answer = await session.fetch("/old")
    assert (answer.body, answer.url) == (b"/new?x=1", f"{url}/new?x=1")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:9/x",
        "//other.example/x",
        "https://{host}/x",
        "http://user:pw@{host}/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://127.0.0.1:99999999/",
        "http://[broken/",
    ],
)
async def test_never_goes_to_another_origin(location):
    """Not even asks there, whatever spelling; the error names both."""
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": location.format(host=request.host)})

    async with serving(handler) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="redirects to") as caught:
            await session.fetch("/feed")
        assert url in str(caught.value)
        assert "pw" not in str(caught.value)
    assert asked == ["/feed"]


async def test_a_link_to_another_origin_is_refused():
    async with opened("http://127.0.0.1:9") as session:
        with pytest.raises(SourceFailed, match=r"a link leads to https://evil\.example/feed"):
            await session.fetch("https://evil.example/feed?token=x")


async def test_redirects_in_circles_end():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": request.path})

    async with serving(handler) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="circles"):
            await session.fetch("/feed")


async def test_calls_do_not_follow_redirects():
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=303, headers={"Location": "/login"})

    async with serving(handler) as url, opened(url) as session:
        receipt = await session.call(post())
    assert (receipt.arrival, receipt.status) == (Arrival.ANSWERED, 303)
    assert seen == ["/sales"]


# --- bodies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
async def test_unpacks_gzip(coding):
    body = os.urandom(300_000)

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return web.Response(body=gzip.compress(body), headers={"Content-Encoding": coding})

    async with serving(handler) as url, opened(url) as session:
        assert (await session.fetch("/feed")).body == body


PACKED = gzip.compress(b"<ONIXMessage>" + os.urandom(5000) + b"</ONIXMessage>")


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 100", b"x" * 50),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
        ("Transfer-Encoding: chunked", b"ff\r\nhello"),
        (f"Content-Encoding: gzip\nContent-Length: {len(PACKED) - 8}", PACKED[:-8]),
        ("Content-Encoding: gzip\nContent-Length: 9", PACKED[:9]),
        (f"Content-Encoding: gzip\nContent-Length: {len(PACKED)}", PACKED[:-6] + b"xx" + PACKED[-4:]),
        ("Content-Encoding: gzip\nContent-Length: 4", b"text"),
    ],
    ids=["short length", "chunks cut", "chunk cut", "gzip cut, length right", "gzip head", "gzip checksum", "no gzip"],
)
async def test_a_torn_body_is_told(head, body):
    async with wired(raw(f"HTTP/1.1 200 OK\n{head}\n", body)) as url, opened(url) as session:
        with pytest.raises(FeedTorn) as caught:
            await session.fetch("/feed?from=1")
        assert caught.value.hint
    async with wired(raw(f"HTTP/1.1 201 Created\n{head}\n", body)) as url, opened(url) as session:
        receipt = await session.call(post())
    assert (receipt.arrival, receipt.status) == (Arrival.UNKNOWN, 0)


async def test_a_large_body_is_cut_off_while_it_comes():
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    async with serving(handler) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="more than 100000 bytes"):
            await session.fetch("/feed", maximum=100_000)


async def test_a_bomb_counts_by_what_it_unpacks_to():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(20 << 20)), headers={"Content-Encoding": "gzip"})

    async with serving(handler) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="more than"):
            await session.fetch("/feed", maximum=10 << 20)


async def test_an_api_answer_is_kept_up_to_a_bound():
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=400, body=b"x" * (3 << 20))

    async with serving(handler) as url, opened(url) as session:
        receipt = await session.call(post())
    assert (receipt.arrival, receipt.status, len(receipt.body)) == (Arrival.ANSWERED, 400, 1 << 20)


async def test_a_packing_that_was_not_asked_for_is_refused():
    wire = raw("HTTP/1.1 200 OK\nContent-Encoding: br\nContent-Length: 3\n", b"abc")
    async with wired(wire) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="'br'"):
            await session.fetch("/feed")


# --- slowness --------------------------------------------------------------------------------------------------------------


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("wire", [drip_body, drip_head, stay_silent])
async def test_a_server_that_drips_or_stalls_is_cut_off(wire):
    """Each byte comes well within the read timeout, and still there is an end."""
    async with asyncio.timeout(5), wired(wire) as url, opened(url) as session:
        with pytest.raises(SourceFailed) as caught:
            await session.fetch("/feed")
        assert isinstance(caught.value, SourceUnreachable) or wire is drip_head
        receipt = await session.call(post())
    assert receipt.arrival is Arrival.UNKNOWN
    assert receipt.detail


# --- how far a call came ---------------------------------------------------------------------------------------------------


async def unused_port() -> int:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_nothing_was_sent_where_nobody_listens():
    async with opened(f"http://127.0.0.1:{await unused_port()}") as session:
        receipt = await session.call(post())
        with pytest.raises(SourceUnreachable, match="cannot be reached: no connection to 127"):
            await session.fetch("/feed")
    assert (receipt.arrival, receipt.at) == (Arrival.NOT_SENT, START)
    assert "no connection" in receipt.detail


async def test_nothing_was_sent_to_a_name_without_address():
    async with opened("https://nowhere.invalid", patience=Patience(connect_seconds=5)) as session:
        receipt = await session.call(post())
    assert receipt.arrival is Arrival.NOT_SENT
    assert "nowhere.invalid" in receipt.detail


async def test_nothing_was_sent_before_a_stalled_handshake():
    """A TLS handshake that never ends is no connection."""
    async with wired(stay_silent) as url, opened(url.replace("http:", "https:")) as session:
        patient = HttpSession(session.base_url, clock=JumpClock(), patience=Patience(connect_seconds=0.2))
        receipt = await patient.call(post())
        await patient.aclose()
    assert receipt.arrival is Arrival.NOT_SENT


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("other.example", True)])
async def test_nothing_is_sent_to_a_server_without_a_good_certificate(authority, name, trusted):
    """Unknown authority, wrong host."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    if trusted:
        authority.configure_trust(client_tls)
    async with serving(handler, server_tls) as url, opened(url, tls=client_tls) as session:
        receipt = await session.call(post())
        with pytest.raises(SourceUnreachable, match="certificate is not accepted"):
            await session.fetch("/feed")
    assert receipt.arrival is Arrival.NOT_SENT
    assert not seen


async def test_speaks_tls_to_a_server_with_a_good_certificate(authority):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    async with serving(handler, server_tls) as url, opened(url, tls=client_tls) as session:
        assert (await session.fetch("/feed")).body == b"ok"


async def test_speaks_no_tls_below_1_2(authority):
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    with pytest.warns(DeprecationWarning, match="TLS"):
        server_tls.maximum_version = ssl.TLSVersion.TLSv1_1

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async with serving(handler, server_tls) as url, opened(url) as session:
        receipt = await session.call(post())
    assert receipt.arrival is Arrival.NOT_SENT


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def write_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")


@pytest.mark.parametrize("wire", [close_at_once, reset, write_garbage])
async def test_the_outcome_is_unknown_once_the_request_has_left(wire):
    async with wired(wire) as url, opened(url) as session:
        receipt = await session.call(post())
        with pytest.raises(SourceFailed):
            await session.fetch("/feed")
    assert receipt.arrival is Arrival.UNKNOWN
    assert receipt.detail


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_call_is_made_once_and_on_a_connection_of_its_own(method):
    """A second answer that comes late on the first connection is nobody's, and a look-up takes nobody else's either."""
    connections: list[list[bytes]] = []

    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads: list[bytes] = []
        connections.append(heads)
        heads.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        if len(connections) == 2:
            return
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\ncreated")
        await writer.drain()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\nsomeone")
        heads.append(await reader.readline())

    requests = [Request(method=method, target=f"/sales?n={number}", limit="sale") for number in (1, 2, 3)]
    async with wired(wire) as url, opened(url) as session:
        receipts = [await session.call(request) for request in requests]
        await asyncio.sleep(0.05)
    assert [(receipt.arrival, receipt.body) for receipt in receipts] == [
        (Arrival.ANSWERED, b"created"),
        (Arrival.UNKNOWN, b""),
        (Arrival.ANSWERED, b"created"),
    ]
    sent = [b"%s /sales?n=%d HTTP/1.1" % (method.encode(), number) for number in (1, 2, 3)]
    assert connections == [[sent[0], b""], [sent[1]], [sent[2], b""]]


@pytest.mark.parametrize("opening", [b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\ncreated", b""])
async def test_nothing_is_sent_where_the_server_speaks_or_leaves_unasked(opening, monkeypatch):
    """What stands there before the request is no answer to it."""
    noticed = asyncio.Event()
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if opening:
            writer.write(opening)
        else:
            writer.close()
        heard.set_result(await reader.read())

    def note(method: Callable[..., None]) -> Callable[..., None]:
        def noting(exchange: Exchange, argument: object) -> None:
            method(exchange, argument)
            noticed.set()

        return noting

    async def connect_and_wait(line: Line, seconds: float) -> Exchange:
        exchange = await connect(line, seconds)
        await noticed.wait()
        return exchange

    connect = Line.open
    monkeypatch.setattr(Line, "open", connect_and_wait)
    monkeypatch.setattr(Exchange, "data_received", note(Exchange.data_received))
    monkeypatch.setattr(Exchange, "connection_lost", note(Exchange.connection_lost))
    async with asyncio.timeout(5), wired(wire) as url, opened(url) as session:
        receipt = await session.call(post())
        assert await heard == b""
    assert (receipt.arrival, receipt.body) == (Arrival.NOT_SENT, b"")
    assert "gave the connection up" in receipt.detail


async def test_news_on_the_way_to_an_answer_is_not_the_answer():
    wire = raw("HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 201 Created\nContent-Length: 7\n", b"created")
    async with wired(wire) as url, opened(url) as session:
        receipt = await session.call(post())
    assert (receipt.arrival, receipt.status, receipt.body) == (Arrival.ANSWERED, 201, b"created")


@pytest.mark.parametrize(
    "request_",
    [
        post("/sales?n=1 HTTP/1.1\r\nX: "),
        post("/sales?n=\u00e9"),
        post(""),
        Request(method="POST", target="/sales", limit="sale", headers=(("X-Note", "a\r\nX-Other: b"),)),
    ],
)
async def test_what_would_break_out_of_its_line_is_not_sent(request_):
    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody is to be called")

    async with wired(wire) as url, opened(url) as session:
        receipt = await session.call(request_)
    assert receipt.arrival is Arrival.NOT_SENT
    assert "characters that none may have" in receipt.detail


async def test_of_several_addresses_the_one_that_was_reached_is_tried_first(monkeypatch):
    """Asked for once, and where one does not answer the next one does."""
    asked, tried = [], []
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def resolve(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        found = ["127.0.0.2", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    async def create(factory: object, host: str, *arguments: object, **options: object) -> object:
        tried.append(host)
        return await connect(factory, host, *arguments, **options)  # type: ignore[call-overload]

    async def wire(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw("HTTP/1.1 201 Created\nContent-Length: 0\n")(reader, writer)

    async with wired(wire) as url, opened(url.replace("127.0.0.1", "localhost")) as session:
        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        monkeypatch.setattr(loop, "create_connection", create)
        receipts = await asyncio.gather(*(session.call(post()) for _ in range(3)))
        receipts.append(await session.call(post()))
    assert [Arrival.ANSWERED] * 4 == [receipt.arrival for receipt in receipts]
    assert ["localhost"] == asked
    assert "127.0.0.2" == tried[0]
    assert "127.0.0.1" == tried[-1]
    assert 7 == len(tried), "three began at the wrong one, the fourth did not"


async def test_pages_share_a_connection():
    """A feed of thousands of pages needs one handshake."""
    ports = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="page")

    async with serving(handler) as url, opened(url) as session:
        for number in range(5):
            await session.fetch(f"/page/{number}")
    assert len(ports) == 1


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\nContent-Length: 6",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "X-Long: " + "a" * 100_000,
        "\n".join(f"Set-Cookie: a{number}=b" for number in range(5000)),
        "X-\xff: 1",
    ],
    ids=["two lengths", "length and chunks", "long header", "many headers", "no token"],
)
async def test_abused_headers_are_no_answer(head):
    async with wired(raw(f"HTTP/1.1 200 OK\n{head}\n", b"hello")) as url, opened(url) as session:
        with pytest.raises(SourceFailed, match="does not answer in HTTP"):
            await session.fetch("/feed")
        assert (await session.call(post())).arrival is Arrival.UNKNOWN


async def test_a_receipt_keeps_few_headers_in_lower_case():
    async def handler(request: web.Request) -> web.Response:
        assert await request.text() == "cost=1999"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        return web.Response(status=429, text="", headers={"Retry-After": "7", "Link": "</a>; rel=next", "X-Trace": "1"})

    request = Request(
        method="POST",
        target="/sales",
        limit="sale",
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=b"cost=1999",
    )
    async with serving(handler) as url, opened(url) as session:
        receipt = await session.call(request)
    assert receipt.headers.keys() == {"date", "retry-after", "content-type", "link"}
    assert receipt.headers["retry-after"] == "7"


async def test_a_post_without_body_says_so():
    """Some servers answer 411 otherwise."""
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Content-Length"))
        return web.Response()

    async with serving(handler) as url, opened(url) as session:
        await session.call(post())
    assert seen == ["0"]


async def test_a_cancelled_call_is_not_swallowed():
    async with wired(stay_silent) as url, opened(url) as session:
        task = asyncio.create_task(session.call(post()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("wire", [close_at_once, write_garbage, raw("HTTP/1.1 200 OK\nContent-Length: 9\n", b"x")])
async def test_no_error_carries_the_credentials(wire):
    async with wired(wire) as url, opened(url) as session:
        receipt = await session.call(post())
        with pytest.raises(SourceFailed) as caught:
            await session.fetch("/feed")
        chain = [caught.value, caught.value.__cause__]
        assert not [error for error in chain if TOKEN in f"{error!r} {error} {getattr(error, 'hint', '')}"]
        assert TOKEN not in repr(receipt)
        assert TOKEN not in repr(vars(session))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"5\r\nhello\r\ncanary-token\r\n"),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"5\r\nhellocanary-token\r\n"),
        ("HTTP/1.1 200 OK\nContent-Length: canary-token\n", b"x"),
        ("canary-token\n", b""),
    ],
    ids=["size of a chunk", "end of a chunk", "length", "no status line"],
)
async def test_no_error_repeats_what_a_broken_answer_says(head, body):
    """It may be a token, or the link to a customer's file, and errors are logged and kept."""
    async with wired(raw(head, body)) as url, opened(url) as session:
        receipt = await session.call(post())
        with pytest.raises(SourceFailed) as caught:
            await session.fetch("/feed")
    assert receipt.arrival is Arrival.UNKNOWN
    assert "canary" not in f"{receipt!r} {caught.value!r} {caught.value}"
    assert "\n" not in receipt.detail


# --- headers ---------------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("7", timedelta(seconds=7)),
        (" 120 ", timedelta(seconds=120)),
        ("Mon, 02 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Monday, 02-Mar-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 02 Mar 2026 11:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("999999999999", LONGEST_WAIT),
        ("9" * 500, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Fri, 99 Foo 9999", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(text, wait):
    assert retry_after(text, now=NOW) == (NOW + wait if wait else None)


def test_a_retry_date_counts_from_the_servers_clock():
    """A server whose clock is an hour ahead still means five minutes."""
    at = retry_after("Mon, 02 Mar 2026 13:05:00 GMT", now=NOW, server_now=NOW + timedelta(hours=1))
    assert at == NOW + timedelta(minutes=5)


def test_http_dates_without_zone_are_utc():
    assert http_date("Mon, 02 Mar 2026 12:00:00 -0000") == NOW
    assert http_date("Mon, 02 Mar 2026 13:00:00 +0100") == NOW
    assert http_date("yesterday") is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<https://x/full?start=MTQ%3D>; rel=next", "https://x/full?start=MTQ%3D"),
        ('<https://x/p?a=1,2;3>; rel="next"', "https://x/p?a=1,2;3"),
        ('<p2>;rel="prev next"', "p2"),
        ('<p1>; rel=prev, <p3>; title="a, b"; REL=Next', "p3"),
        ('<p1>; rel=nextish, <p2>; rel="first"', None),
        ("<p1>", None),
        ('<p1>; title="; rel=next"', None),
        ("rel=next", None),
        (None, None),
    ],
)
def test_next_links(text, address):
    assert next_link(text) == address
