"""The facts of a title on its page: dates, supply, prices, offers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from adapters.shop.title_page import show_title


def coded(code: str, name: str | None) -> dict[str, Any]:
    return {"code": code, "name": name}


def dated(name: str, text: str, form: str | None = "00") -> dict[str, Any]:
    return {"role": coded("01", name), "text": text, "format": form}


def priced(**more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"amount": "9.99", "currency": "EUR", "type": coded("02", "RRP including tax")}
    return {
        **plain,
        "qualifier": None,
        "unpriced": None,
        "territory": None,
        "dates": [],
        "has_conditions": False,
        **more,
    }


def detailed(*prices: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "supplier": "The warehouse",
        "availability": coded("20", "Available"),
        "dates": [],
        "unpriced": None,
    }
    return {**plain, "prices": list(prices), **more}


def supplied(*details: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"markets": [], "market_status": None, "market_dates": [], "details": list(details), **more}


def page(*supplies: dict[str, Any], dates: tuple[dict[str, Any], ...] = ()) -> list[str]:
    """Its lines, with one blank between words."""
    facts: dict[str, Any] = {
        "publishing_status": None,
        "dates": list(dates),
        "sales_rights": [],
        "supplies": list(supplies),
    }
    title: dict[str, Any] = {
        "isbn": "9783161484100",
        "format": "epub",
        "source": "file",
        "record_reference": "r1",
        "release": "3.0",
    }
    written = io.StringIO()
    title |= {"status": "live", "facts": facts, "description": None, "offers": []}
    show_title({"titles": [title]}, Console(file=written, width=200, force_terminal=True, color_system=None))
    return [" ".join(line.split()) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("20261205", "00", "2026-12-05"),
        ("20261205", None, "2026-12-05"),
        ("2026", "05", "2026"),
        ("20261205", "05", "20261205"),
        ("20261205T0600Z", "13", "20261205T0600Z"),
        ("in spring", "12", "in spring"),
    ],
    ids=["a day", "a day without a format", "a year", "digits that are no day", "an instant", "words"],
)
def test_a_day_is_told_as_one_and_the_rest_as_it_was_sent(text, form, told):
    assert f"dates Publication date {told}" in page(dates=(dated("Publication date", text, form),))


def test_each_supply_tells_its_market_its_status_and_its_dates():
    there = supplied(
        detailed(priced(), dates=[dated("Embargo", "20261205")]),
        markets=["AU", "NZ"],
        market_status=coded("04", "Active"),
        market_dates=[dated("On sale", "20261204")],
    )
    told = "AU NZ: The warehouse, Active, Available, On sale 2026-12-04, Embargo 2026-12-05"
    assert f"supply {told}: 9.99 EUR (RRP including tax)" in page(there)


def test_a_supply_for_everywhere_names_no_market():
    assert "supply The warehouse, Available: 9.99 EUR (RRP including tax)" in page(supplied(detailed(priced())))


def test_prices_for_others_than_consumers_are_told_apart():
    prices = (priced(), priced(amount="5.99", qualifier=coded("06", "Library price")), priced(has_conditions=True))
    told = (
        "9.99 EUR (RRP including tax)",
        "5.99 EUR (RRP including tax, Library price)",
        "9.99 EUR (RRP including tax, with conditions)",
    )
    assert f"supply The warehouse, Available: {'; '.join(told)}" in page(supplied(detailed(*prices)))


def test_a_price_of_which_nothing_but_the_amount_is_known_has_no_brackets():
    assert "supply The warehouse, Available: 9.99 EUR" in page(supplied(detailed(priced(type=None))))


def test_a_source_without_markets_is_said_to_have_none():
    assert "offers no markets are set for file; ask for one: run.py offer 9783161484100 --market …" in page()
