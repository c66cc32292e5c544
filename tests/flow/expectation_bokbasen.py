"""What must stand in Bokbasen's ledger, and whom the files it hands out name: computed from the stub's own titles and the orders alone.

Bokbasen is told what the customer paid, the consumer's account where there is one, and the buyer's names, which a watermark must
have; titles that wait are those that can be ordered ahead.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

from tests.flow.expectation import Order, Titles, bought, by_order, counted
from tests.flow.harness import PATIENCE, Row, Sandbox

WAITS = frozenset({"PREORDER"})
WATERMARK = "SDRM"
LOCKS: Mapping[str, str] = {"00": "NODRM", "02": WATERMARK, "03": "TDRM", "06": "LCP"}
"""The words of the warehouse for the protections of list 144."""
_LEAST_NAME = 2
_AUDIO_FORM = {"type": "audio/vnd.bokbasen.complete-public", "bitrate": "64"}
_REDIRECTS = 302


def expect(
    orders: Iterable[Order], before: Titles, after: Titles, *, locks: Mapping[str, str], paid: Collection[str] = ()
) -> Mapping[str, Row]:
    """By order id the facts that its row must have, of all that must be sold; `locks` are protections by ISBN.

    Beside the facts, `buyer` is whom the file must name; none where it has no watermark.
    """
    found = {}
    for order in orders:
        rows = bought(order, before, after, waits=WAITS, paid=paid)
        names = (order.first_name, order.last_name)
        is_marked = locks.get(order.place[0]) == WATERMARK
        if rows is None or (is_marked and not all(len(name.strip()) >= _LEAST_NAME for name in names)):
            continue
        first, charged = rows
        country, currency = order.market.split("/")
        found[order.order_id] = {
            "customer_id": order.consumer_id or None,
            "isbn": first["isbn"],
            "format": first["format"],
            "amount": _paid(order, first, charged),
            "currency": currency,
            "country": country,
            "price_type": None,
            "protection": locks[first["isbn"]],
            "buyer": " ".join(names) if is_marked else None,
        }
    return found


def _paid(order: Order, first: Row, charged: Row) -> str:
    """What the customer paid: the price agreed, be it the one of the day of the order, or the one of the day of the sale."""
    if order.price_rule == "current" or order.payment == "on_release":
        return f"{Decimal(charged['price']):.2f}"
    return f"{Decimal(order.agreed_price or first['price']):.2f}"


def differences(expected: Mapping[str, Row], ledger: Sequence[Row], *, in_doubt: Collection[str] = ()) -> list[str]:
    """Everything in which the ledger differs; the orders `in_doubt` may be missing."""
    found = [f"a row of kind {row['kind']}" for row in ledger if row["kind"] != "sale"]
    found += counted(expected, ledger, spared=in_doubt)
    for order_id, row in by_order(ledger):
        wanted = {name: fact for name, fact in expected.get(order_id, {}).items() if name != "buyer"}
        found += (
            f"order {order_id}: {name} must be {fact}, and is {row[name]}"
            for name, fact in wanted.items()
            if row[name] != fact
        )
    return found


# --- files --------------------------------------------------------------------------------------------------------------


def misnamed_files(sandbox: Sandbox, expected: Mapping[str, Row], ledger: Sequence[Row]) -> list[str]:
    """The sales whose file names another buyer than it must."""
    sandbox.set_faults(settings={"processing_polls": 0})
    reader = _Reader(sandbox)
    found = []
    for order_id, row in by_order(ledger):
        buyer = expected[order_id]["buyer"]
        _, _, mark = reader.file_of(row).partition("\n")
        if mark != (f"for {buyer}\n" if buyer else ""):
            found.append(f"order {order_id}: the file must name {buyer}, and has {mark!r}")
    return found


class _Reader:
    """Fetches what was sold, with the shop's own credentials."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._url = f"{sandbox.url}/bokbasen"
        fields = {
            "grant_type": "client_credentials",
            "client_id": "bokhandel-1",
            "client_secret": (sandbox.settings.parent / "bokbasen.secret").read_text().strip(),
            "audience": "https://api.bokbasen.io/dds/",
        }
        _, _, body = self._call("POST", f"{self._url}/oauth/token", json.dumps(fields).encode())
        self._token = {"Authorization": f"Bearer {json.loads(body)['access_token']}"}

    def file_of(self, row: Row) -> str:
        """The content behind a sale's address."""
        query = f"?{urlencode(_AUDIO_FORM)}" if row["format"] == "audio" else ""
        status, location, body = self._call("GET", row["response"] + query, headers=self._token)
        assert status == _REDIRECTS, (row, body)
        _, _, body = self._call("GET", location)
        return self._call("GET", json.loads(body)["downloadURL"])[2].decode()

    def _call(
        self, method: str, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        try:
            asked = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
            connection.request(method, f"{parts.path}?{parts.query}", body, asked)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read()
        finally:
            connection.close()
