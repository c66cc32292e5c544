"""The proprietary XML feed, which the contract knows from one client (contract 9.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from adapters.distributors.demarque.sandbox_onix import Platform
from adapters.distributors.demarque.sandbox_titles import Charge, Line, LineStatus, Title
from syncengine.domain.offer import OfferState

_WORDS = {"00": "none", "02": "watermark", "03": "acs4", "06": "lcp"}
ALPHA_3 = {
    "AD": "and",
    "BE": "bel",
    "CA": "can",
    "CH": "che",
    "DE": "deu",
    "ES": "esp",
    "FR": "fra",
    "GB": "gbr",
    "GF": "guf",
    "GP": "glp",
    "IT": "ita",
    "LU": "lux",
    "MC": "mco",
    "MQ": "mtq",
    "RE": "reu",
    "US": "usa",
}
"""ISO 3166-1 alpha-3, in lower case as the platform writes it, of the countries the stub knows."""


def publications_xml(titles: Iterable[Title], at: datetime, platform: Platform) -> bytes:
    """The publications with their formats; the price in force is the latest whose start has passed."""
    by_number: dict[int, list[Title]] = {}
    for title in titles:
        by_number.setdefault(title.number, []).append(title)
    written = "".join(_publication(formats, at, platform) for formats in by_number.values())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<publications>\n{written}</publications>\n'.encode()


def _publication(formats: Sequence[Title], at: datetime, platform: Platform) -> str:
    first = formats[0]
    written = "".join(_format(title, at, platform) for title in formats)
    return (
        f"<publication><id>{platform.prefix}{first.number}</id><state>online</state>"
        f"<last_update>{_iso(max(t.changed_at(at) for t in formats), platform)}</last_update>"
        f"<publisher_id>{platform.prefix}{first.book.publisher.number}</publisher_id>"
        f"<publisher>{escape(first.book.publisher.name)}</publisher>"
        f"<title><main>{escape(first.name or first.book.title)}</main></title>"
        f"<formats>{written}</formats></publication>\n"
    )


def _format(title: Title, at: datetime, platform: Platform) -> str:
    states = {title.state(line, at) for line in title.lines}
    if OfferState.FOR_SALE in states:
        state, status = "sell", "04"
    elif OfferState.PREORDER in states:
        state, status = "preorder", "04"
    else:
        state, status = "view", "08"
    start = next((line.release for line in title.lines if line.release is not None), None)
    sale_start = f"<start_sale_at>{_iso(start.at, platform)}</start_sale_at>" if start else ""
    costs = "".join(_costs(line, platform) for line in title.lines if line.status is LineStatus.LIVE)
    return (
        f"<format><nature>{title.format}</nature><key_type>isbn</key_type><value>{title.isbn}</value>"
        f"<publishing_status>{status}</publishing_status><state>{state}</state>{sale_start}"
        f"<protection>{_WORDS[title.protections[0]]}</protection>"
        f"<issued_on>{_iso(title.published.at, platform)[:10]}</issued_on><costs>{costs}</costs></format>"
    )


def _costs(line: Line, platform: Platform) -> str:
    return "".join(_cost(country, line, charge, platform) for charge in line.charges for country in line.countries)


def _cost(country: str, line: Line, charge: Charge, platform: Platform) -> str:
    taxes = "included" if charge.type in {"02", "04", "42"} else "excluded"
    start = f"<amount_effective_at>{_iso(charge.since.at, platform)}</amount_effective_at>" if charge.since else ""
    return (
        f"<cost><country>{ALPHA_3.get(country, country.lower())}</country><currency>{line.currency.lower()}</currency>"
        f"<amount>{charge.amount}</amount>{start}<amount_taxes>{taxes}</amount_taxes></cost>"
    )


def _iso(at: datetime, platform: Platform) -> str:
    return at.astimezone(platform.zone).isoformat(timespec="seconds")
