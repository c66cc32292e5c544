"""Client credentials against real loopback servers: when a token is fetched, how long it is used, and what is never told."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from adapters.http.oauth import LEAST_LIFE_SECONDS, Client, ClientCredentials
from adapters.http.receipts import patience_until, unanswered
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Arrival, Outcome, Receipt
from syncengine.errors import SourceFailed, SourceRefused, SourceUnreachable, UsageInvalid
from syncengine.ports import Secret
from tests.clock import START, JumpClock
from tests.unit.test_http_session import QUICK, post, serving, unused_port

SECRET = "canary-secret-4711"
AUDIENCE = "https://api.example.org/dds/"

Answering = Callable[[int], web.Response]


def granted(number: int, **fields: object) -> web.Response:
    return web.json_response({"access_token": f"token-{number}", "expires_in": 3600, "token_type": "Bearer"} | fields)


@dataclass
class TokenService:
    """Numbers its tokens from 1, or answers as it is told to; keeps what it was asked. `waits`: answers once it `goes_on`."""

    answering: Answering = granted
    asked: list[tuple[str, str]] = field(default_factory=list)
    waits: bool = False
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers["Content-Type"], await request.text()))
        self.was_asked.set()
        if self.waits:
            await self.goes_on.wait()
        return self.answering(len(self.asked))


@dataclass
class Api:
    """Takes the tokens it is told to take; keeps those it was shown."""

    taken: Sequence[str] = ("token-1",)
    shown: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.shown.append(token)
        return web.Response(status=200 if token in self.taken else 401, text="answer")


@dataclass
class Shop:
    """A session at an API, whose credentials come from a token service."""

    session: HttpSession
    credentials: ClientCredentials
    clock: JumpClock


@asynccontextmanager
async def shopping(
    service: TokenService, api: Api, *, token_url: str | None = None, **options: object
) -> AsyncIterator[Shop]:
    clock = JumpClock()
    client = Client(id="shop", secret=Secret(SECRET), audience=AUDIENCE)
    async with serving(service.handle) as service_url, serving(api.handle) as api_url:
        credentials = ClientCredentials(
            token_url or f"{service_url}/oauth/token",
            client,
            clock=clock,
            allow_loopback_http=True,
            patience=QUICK,
            **options,  # type: ignore[arg-type]
        )
        session = HttpSession(api_url, clock=clock, credentials=credentials, allow_loopback_http=True, patience=QUICK)
        yield Shop(session=session, credentials=credentials, clock=clock)
        await session.aclose()


# --- what is asked ---------------------------------------------------------------------------------------------------------


async def test_asks_with_a_form():
    service = TokenService()
    async with shopping(service, Api()) as shop:
        assert 200 == (await shop.session.fetch("/feed")).status
    [(content_type, body)] = service.asked
    assert "application/x-www-form-urlencoded" == content_type
    assert {
        "grant_type": ["client_credentials"],
        "client_id": ["shop"],
        "client_secret": [SECRET],
        "audience": [AUDIENCE],
    } == parse_qs(body, keep_blank_values=True)


async def test_asks_with_json():
    service = TokenService()
    async with shopping(service, Api(), encoding="json") as shop:
        assert 200 == (await shop.session.call(post())).status
    [(content_type, body)] = service.asked
    assert "application/json" == content_type
    assert {
        "grant_type": "client_credentials",
        "client_id": "shop",
        "client_secret": SECRET,
        "audience": AUDIENCE,
    } == json.loads(body)


async def test_asks_for_a_scope_and_no_audience():
    service = TokenService()
    async with serving(service.handle) as url:
        client = Client(id="shop", secret=Secret(SECRET), scope="export:onix")
        credentials = ClientCredentials(url, client, clock=JumpClock(), allow_loopback_http=True)
        await credentials.proof()
    asked = parse_qs(service.asked[0][1])
    assert (["export:onix"], None) == (asked["scope"], asked.get("audience"))


@pytest.mark.parametrize(
    ("token_url", "says"),
    [
        ("http://auth.example.org/token", "token_url 'http://auth.example.org/token' is not encrypted"),
        ("https://auth.example.org/token?x=1", "token_url 'https://auth.example.org/token\\?x=1' has a query"),
        ("https://shop:pw@auth.example.org/token", "token_url carries a user name"),
    ],
)
async def test_the_address_is_checked_at_once(token_url, says):
    with pytest.raises(UsageInvalid, match=says):
        ClientCredentials(token_url, Client(id="shop", secret=Secret(SECRET)), clock=JumpClock())


# --- how long a token is used ----------------------------------------------------------------------------------------------


async def test_a_token_is_used_until_its_last_minute():
    service, api = TokenService(), Api(taken=("token-1", "token-2"))
    async with shopping(service, api) as shop:
        await shop.session.fetch("/feed")
        shop.clock.advance(3600 - LEAST_LIFE_SECONDS)
        await shop.session.fetch("/feed")
        shop.clock.advance(0.1)
        await shop.session.call(post())
    assert ["token-1", "token-1", "token-2"] == api.shown


async def test_the_service_hands_out_one_token_whose_life_shrinks():
    """Each time by what it says then (contract bokbasen 2.1)."""
    lives = [400, 310, 90_000]
    service = TokenService(lambda number: granted(7, expires_in=lives[number - 1]))
    api = Api(taken=("token-7",))
    async with shopping(service, api) as shop:
        for seconds, asked in [(0, 1), (341, 2), (250, 2), (1, 3), (80_000, 3)]:
            shop.clock.advance(seconds)
            assert 200 == (await shop.session.fetch("/feed")).status
            assert asked == len(service.asked), f"after {seconds} s more"


@pytest.mark.parametrize(
    ("fields", "lasts"),
    [
        ({"expires_in": "3600"}, 3540),
        ({"expires_in": 3600.5}, 3540),
        ({"expires_in": None}, 240),
        ({"scope": "x"}, 3540),
    ],
)
async def test_lives_as_services_spell_them(fields, lasts):
    service = TokenService(lambda number: granted(number, **fields))
    async with shopping(service, Api(taken=("token-1", "token-2"))) as shop:
        await shop.session.fetch("/feed")
        shop.clock.advance(lasts)
        await shop.session.fetch("/feed")
        assert 1 == len(service.asked)
        shop.clock.advance(1)
        await shop.session.fetch("/feed")
        assert 2 == len(service.asked)


async def test_a_token_with_less_than_a_minute_serves_those_who_waited_for_it():
    service = TokenService(lambda number: granted(number, expires_in=30))
    api = Api(taken=("token-1", "token-2"))
    async with shopping(service, api) as shop:
        await asyncio.gather(*(shop.session.fetch("/feed") for _ in range(4)))
        assert 1 == len(service.asked)
        await shop.session.fetch("/feed")
    assert ["token-1"] * 4 + ["token-2"] == api.shown


async def test_one_fetch_however_many_wait():
    service, api = TokenService(waits=True), Api()
    async with shopping(service, api) as shop:
        asking = [asyncio.create_task(shop.session.call(post())) for _ in range(8)]
        await service.was_asked.wait()
        service.goes_on.set()
        receipts = await asyncio.gather(*asking)
    assert [200] * 8 == [receipt.status for receipt in receipts]
    assert 1 == len(service.asked)


async def test_who_is_cancelled_leaves_the_fetch_to_the_next():
    service, api = TokenService(waits=True), Api(taken=("token-1", "token-2"))
    async with shopping(service, api) as shop:
        first = asyncio.create_task(shop.session.call(post()))
        await service.was_asked.wait()
        second = asyncio.create_task(shop.session.call(post()))
        await asyncio.sleep(0)
        first.cancel()
        service.goes_on.set()
        assert 200 == (await second).status
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_sessions_of_one_audience_share_the_token():
    service, api = TokenService(), Api()
    async with shopping(service, api) as shop, serving(api.handle) as url:
        other = HttpSession(url, clock=shop.clock, credentials=shop.credentials, allow_loopback_http=True)
        await shop.session.fetch("/inventory")
        assert 200 == (await other.call(post("/order"))).status
        await other.aclose()
    assert 1 == len(service.asked)


# --- refused by the API ----------------------------------------------------------------------------------------------------


async def test_a_page_is_asked_for_again_with_a_new_token():
    service, api = TokenService(), Api(taken=("token-2",))
    async with shopping(service, api) as shop:
        answer = await shop.session.fetch("/feed")
        assert (200, b"answer") == (answer.status, answer.body)
        assert 200 == (await shop.session.fetch("/feed")).status
    assert ["token-1", "token-2", "token-2"] == api.shown


async def test_a_call_is_made_again_with_a_new_token():
    """The same request: 401 says that the first changed nothing."""
    bodies = []

    async def handler(request: web.Request) -> web.Response:
        bodies.append((request.method, request.path_qs, await request.text()))
        return web.Response(status=401 if len(bodies) == 1 else 201)

    service = TokenService()
    async with serving(handler) as url, shopping(service, Api()) as shop:
        session = HttpSession(url, clock=shop.clock, credentials=shop.credentials, allow_loopback_http=True)
        receipt = await session.call(post("/order?x=1"))
    assert (Arrival.ANSWERED, 201) == (receipt.arrival, receipt.status)
    assert [("POST", "/order?x=1", "")] * 2 == bodies


async def test_a_second_401_is_the_answer():
    service, api = TokenService(), Api(taken=())
    async with shopping(service, api) as shop:
        receipt = await shop.session.call(post())
        assert (Arrival.ANSWERED, 401) == (receipt.arrival, receipt.status)
        assert 401 == (await shop.session.fetch("/feed")).status
    assert ["token-1", "token-2", "token-2", "token-3"] == api.shown


async def test_many_that_are_refused_one_token_fetch_one_other():
    service, api = TokenService(), Api(taken=("token-2",))
    async with shopping(service, api) as shop:
        await shop.credentials.proof()
        receipts = await asyncio.gather(*(shop.session.call(post()) for _ in range(6)))
    assert [200] * 6 == [receipt.status for receipt in receipts]
    assert 2 == len(service.asked)


async def test_other_refusals_are_answers():
    """403 is no matter of the token's age (contract bokbasen 12)."""
    shown = []

    async def handler(request: web.Request) -> web.Response:
        shown.append(request.path)
        return web.Response(status=403)

    async with serving(handler) as url, shopping(TokenService(), Api()) as shop:
        session = HttpSession(url, clock=shop.clock, credentials=shop.credentials, allow_loopback_http=True)
        assert 403 == (await session.call(post())).status
    assert ["/sales"] == shown


async def test_nothing_took_effect_where_no_new_token_can_be_had():
    def answering(number: int) -> web.Response:
        return granted(number) if number == 1 else web.Response(status=503)

    async with shopping(TokenService(answering), Api(taken=())) as shop:
        receipt = await shop.session.call(post())
    assert Arrival.NOT_SENT is receipt.arrival
    assert "out of order (503)" in receipt.detail


# --- refused or failing token service --------------------------------------------------------------------------------------


def refusal(status: int, error: str) -> Answering:
    return lambda number: web.json_response({"error": error, "error_description": f"no, {SECRET}"}, status=status)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, "access_denied"), (403, "access_denied"), (400, "invalid_client"), (401, SECRET), (403, "")],
)
async def test_a_refused_client(status, error):
    service, api = TokenService(refusal(status, error)), Api()
    async with shopping(service, api) as shop:
        receipt = await shop.session.call(post())
        with pytest.raises(SourceRefused, match=f"refuses the client for {AUDIENCE}") as caught:
            await shop.session.fetch("/feed")
    assert Arrival.REFUSED is receipt.arrival
    verdict = unanswered(receipt)
    assert verdict is not None
    assert Outcome.UNAUTHORIZED is verdict.outcome
    assert not api.shown
    assert SECRET not in f"{receipt} {verdict} {caught.value} {caught.value.hint}"
    assert (error in str(caught.value)) is (error != SECRET)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_token_service_out_of_order(status):
    api = Api()
    async with shopping(TokenService(lambda number: web.Response(status=status)), api) as shop:
        receipt = await shop.session.call(post())
        with pytest.raises(SourceUnreachable, match=f"out of order \\({status}\\)"):
            await shop.session.fetch("/feed")
    assert Arrival.NOT_SENT is receipt.arrival
    verdict = unanswered(receipt)
    assert verdict is not None
    assert Outcome.FAILED_BEFORE_SENDING is verdict.outcome
    assert not api.shown


@pytest.mark.parametrize(
    "answering",
    [
        lambda number: web.Response(text=f"<html>login {SECRET}</html>", content_type="text/html"),
        lambda number: web.Response(body=b"\xff\xfe"),
        lambda number: web.json_response([]),
        lambda number: web.json_response({"expires_in": 60}),
        lambda number: granted(number, access_token=""),
        lambda number: granted(number, access_token="a\r\nX-Other: 1"),
        lambda number: granted(number, access_token=7),
        lambda number: granted(number, token_type="mac"),
        lambda number: granted(number, expires_in=0),
        lambda number: granted(number, expires_in=-1),
        lambda number: granted(number, expires_in="NaN"),
        lambda number: granted(number, expires_in="Infinity"),
        lambda number: granted(number, expires_in="soon"),
        lambda number: web.Response(status=302, headers={"Location": "https://elsewhere.example/"}),
        lambda number: web.Response(status=404),
        lambda number: web.Response(status=201),
    ],
)
async def test_an_answer_that_is_no_token(answering):
    api = Api()
    async with shopping(TokenService(answering), api) as shop:
        receipt = await shop.session.call(post())
        with pytest.raises(SourceFailed) as caught:
            await shop.session.fetch("/feed")
    assert SourceFailed is type(caught.value)
    assert caught.value.hint
    assert Arrival.NOT_SENT is receipt.arrival
    assert not api.shown
    assert SECRET not in f"{receipt} {caught.value}"


async def test_a_token_service_that_is_down():
    api = Api()
    token_url = f"http://127.0.0.1:{await unused_port()}/oauth/token"
    async with shopping(TokenService(), api, token_url=token_url) as shop:
        receipt = await shop.session.call(post())
        with pytest.raises(SourceUnreachable, match=r"the token service .* cannot be reached: no connection"):
            await shop.session.fetch("/feed")
    assert (Arrival.NOT_SENT, START) == (receipt.arrival, receipt.at)
    assert not api.shown


async def test_those_who_wait_share_a_failure_and_the_next_asks_again():
    def answering(number: int) -> web.Response:
        return web.Response(status=500) if number == 1 else granted(1)

    service = TokenService(answering, waits=True)
    async with shopping(service, Api()) as shop:
        asking = [asyncio.create_task(shop.session.call(post())) for _ in range(5)]
        await service.was_asked.wait()
        service.goes_on.set()
        receipts = await asyncio.gather(*asking)
        assert [Arrival.NOT_SENT] * 5 == [receipt.arrival for receipt in receipts]
        assert 1 == len(service.asked)
        assert 200 == (await shop.session.call(post())).status


async def test_no_secret_and_no_token_in_any_text(caplog):
    caplog.set_level(logging.DEBUG)
    service, api = TokenService(), Api(taken=())
    async with shopping(service, api) as shop:
        receipt = await shop.session.call(post())
        texts = [
            repr(shop.credentials),
            repr(await shop.credentials.proof()),
            repr(vars(shop.credentials)),
            repr(receipt),
        ]
        texts.append(repr(Client(id="shop", secret=Secret(SECRET))))
    for text in [*texts, caplog.text]:
        assert SECRET not in text
        assert "token-" not in text


# --- receipts --------------------------------------------------------------------------------------------------------------


def test_an_answer_has_a_verdict_of_its_own():
    assert unanswered(Receipt(arrival=Arrival.ANSWERED, at=START, status=200)) is None


def test_patience_as_the_answer_asks_for_it():
    receipt = Receipt(arrival=Arrival.ANSWERED, at=START, status=429, headers={"retry-after": "30"})
    assert START + timedelta(seconds=30) == patience_until(receipt)
    assert patience_until(Receipt(arrival=Arrival.ANSWERED, at=START, status=429)) is None
