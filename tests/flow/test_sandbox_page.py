"""The sandbox's pages over HTTP: every ledger, what is escaped, what is never shown, and the documents behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lxml import html

from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.server import Sandbox
from run import make_sandbox

NAMES = {"demarque": "De Marque", "cb": "CB", "bokbasen": "Bokbasen"}
DOCUMENTS = ("ledger", "titles", "calls", "faults", "scenarios")
HOSTILE = "<img src=x onerror=alert(1)>&\"'"


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody with a browser."""

    sandbox: Sandbox
    session: aiohttp.ClientSession

    async def text(self, path: str, *, status: int = 200) -> str:
        async with self.session.get(self.sandbox.url + path) as answer:
            assert status == answer.status, path
            return await answer.text()

    async def page(self, name: str, query: str = "") -> str:
        return await self.text(f"/_sandbox/pages/{name}{query}")

    async def document(self, path: str, *, status: int = 200) -> Any:
        async with self.session.get(f"{self.sandbox.url}/_sandbox/{path}") as answer:
            assert status == answer.status, path
            return await answer.json()

    async def everything(self) -> list[str]:
        """All that can be read, as text."""
        paths = ["/", *(f"/_sandbox/pages/{name}" for name in NAMES), *(f"/_sandbox/{name}" for name in DOCUMENTS)]
        return [await self.text(path) for path in paths]

    def sell(self, name: str, **facts: Any) -> None:
        """A sale in the ledger of a distributor."""
        plain = {
            "distributor": name,
            "kind": "sale",
            "reference": f"shop-{name}",
            "customer_id": "reader-1",
            "isbn": "9780306406157",
            "format": "epub",
            "amount": "12.50",
            "currency": "EUR",
            "country": "NL",
            "price_type": None,
            "protection": None,
            "response": "created",
            "at": "2026-03-02T12:00:00.000000+00:00",
        }
        self.sandbox.ledger.append(LedgerRow(**{**plain, **facts}))


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    sandbox = make_sandbox(7, 80, tmp_path)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Visitor(sandbox=sandbox, session=session)
    finally:
        await sandbox.stop()


def found(page: str, path: str) -> list[Any]:
    """What an XPath finds in a page."""
    nodes = html.fromstring(page).xpath(path)
    assert isinstance(nodes, list)
    return nodes


def cells(page: str, section: str) -> list[list[str]]:
    """The rows of a section's table."""
    return [[cell.text_content() for cell in row] for row in found(page, f"//section[@id='{section}']//tbody/tr")]


async def test_every_distributor_has_a_page_and_all_links_lead_somewhere(visitor):
    pages = {"/": await visitor.text("/"), **{name: await visitor.page(name) for name in NAMES}}
    for page in pages.values():
        links = set(found(page, "//a/@href"))
        assert {"/", *(f"/_sandbox/pages/{name}" for name in NAMES)} <= links
        for link in links:
            await visitor.text(link.partition("#")[0])
    for name, label in NAMES.items():
        assert [label] == found(pages[name], "//h1/text()")


async def test_every_ledger_is_shown_on_its_page_and_all_of_them_together(visitor):
    for name in NAMES:
        visitor.sell(name)
    together = await visitor.text("/")
    for name in NAMES:
        [row] = cells(await visitor.page(name), "ledger")
        assert ["sale", f"shop-{name}", "reader-1", "9780306406157"] == row[1:5]
        assert "12.50 EUR" in row
        assert f"shop-{name}" in together


async def test_titles_are_those_of_the_stub_and_can_be_had_by_state(visitor):
    for name in NAMES:
        rows = await visitor.document(f"titles?distributor={name}&state=FOR_SALE")
        assert {(name, "FOR_SALE")} == {(row["distributor"], row["state"]) for row in rows}
        shown = cells(await visitor.page(name, "?state=FOR_SALE"), "titles")
        assert [row["isbn"] for row in rows[: len(shown)]] == [row[0] for row in shown]
        assert {"FOR_SALE"} == {row[5] for row in shown}


async def test_calls_and_faults_are_shown_as_they_strike(visitor):
    visitor.sandbox.set_faults({"bokbasen": {"inventory": {"unavailable": {"count": 2, "retry_after": "7"}}}})
    await visitor.text("/bokbasen/dds/inventory/v2", status=503)
    page = await visitor.page("bokbasen")
    [call] = cells(page, "calls")
    assert ["inventory", "GET", "/dds/inventory/v2", "503", "service_unavailable", "unavailable"] == call[1:]
    assert [["inventory", "unavailable", "count 2, retry_after 7", "1"]] == cells(page, "faults")
    assert [] == cells(await visitor.page("cb"), "calls")
    assert ["bokbasen"] == [row["distributor"] for row in await visitor.document("calls?distributor=bokbasen")]
    assert [] == await visitor.document("calls?distributor=cb")
    assert {"bokbasen"} == (await visitor.document("faults?distributor=bokbasen")).keys()


async def test_what_others_sent_is_text_and_never_markup(visitor):
    visitor.sell("cb", customer_id=HOSTILE, reference=HOSTILE, isbn=HOSTILE, response=HOSTILE, kind=HOSTILE)
    async with visitor.session.get(f"{visitor.sandbox.url}/cb/{HOSTILE}", params={"q": HOSTILE}) as answer:
        assert 404 == answer.status
    for page in (await visitor.text("/"), await visitor.page("cb")):
        assert [] == found(page, "//img | //script | //@onerror | //iframe | //form")
    [row] = cells(page, "ledger")
    assert [HOSTILE] * 3 == row[2:5]
    assert HOSTILE == row[-1]
    [call] = cells(page, "calls")
    assert 2 == call[3].count("<img src")


async def test_a_page_needs_nothing_from_elsewhere_and_may_load_nothing(visitor):
    async with visitor.session.get(visitor.sandbox.url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert [] == found(page, "//@src | //link | //script | //iframe")
    assert not any(word in page for word in ("url(", "@import", "https://"))


async def test_no_secret_is_shown_even_where_a_caller_sent_it(visitor):
    secrets = {secret for stub in visitor.sandbox.stubs.values() for secret in stub.secrets.values()}
    assert len(NAMES) <= len(secrets)
    visitor.sandbox.set_faults({"demarque": {"settings": {"token": "canary-token"}}})
    for name in NAMES:
        for secret in (*secrets, "canary-token"):
            headers = {"Authorization": f"Bearer {secret}"}
            address = f"{visitor.sandbox.url}/{name}"
            async with visitor.session.get(f"{address}/x", params={"key": secret}, headers=headers):
                pass
        for secret in secrets:
            async with visitor.session.get(f"{address}/{secret}", params={"q": secret}):
                pass
    for shown in await visitor.everything():
        assert [] == [secret for secret in (*secrets, "canary-token") if secret in shown]


async def test_what_is_not_there_is_said(visitor):
    assert "no distributor 'nobody'" in (await visitor.document("pages/nobody", status=404))["error"]
    assert "no state 'GONE'" in (await visitor.document("pages/cb?state=GONE", status=400))["error"]
    for name in DOCUMENTS:
        assert "no distributor" in (await visitor.document(f"{name}?distributor=nobody", status=400))["error"]
