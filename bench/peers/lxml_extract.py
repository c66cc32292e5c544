"""lxml, and out of every record the facts that the engine decides by (`syncengine.domain.product`), as plain dicts and tuples.

One walk over the children of each element that matters, with a dispatch on the tag; all else is not looked at. It understands
valid feeds of ONIX 3 with reference names: nothing is repaired, and nothing warned about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from lxml import etree

from bench.peers.tally import Tally

Facts = dict[str, Any]
Element = etree._Element  # noqa: SLF001 - the stubs' name of what iterparse gives
Take = Callable[[Facts, Element], object]

_NAMESPACES = ("", "{http://ns.editeur.org/onix/3.0/reference}", "{http://ns.editeur.org/onix/3.1/reference}")
_RECORDS_A_SAMPLE = 16
_DISTINCTIVE_TITLE = "01"
_PRODUCT_LEVEL = "01"
_PUBLISHER = "01"
_RENTAL = "06"
_EXEMPT = "TaxExempt"


def run(feed: Path) -> Tally:
    """Take the facts out of every record.

    The digest is over all facts of one record in sixteen, as JSON, and the references of the others: to tell them all would
    cost the Java peer a third of its time, and is no part of what is compared.
    """
    records, digest = 0, sha256()
    for facts in extracted(feed):
        is_sample = records % _RECORDS_A_SAMPLE == 0
        digest.update(_told(facts) if is_sample else facts["reference"].encode())
        records += 1
    return Tally(records=records, bytes=feed.stat().st_size, digest=digest.hexdigest())


def _told(facts: Facts) -> bytes:
    return orjson.dumps(facts, default=str, option=orjson.OPT_APPEND_NEWLINE)


def extracted(feed: Path) -> Iterator[Facts]:
    """The facts of each record in turn."""
    header: Facts = {}
    for _, element in etree.iterparse(
        str(feed),
        events=("end",),
        tag=("{*}Header", "{*}Product"),
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
    ):
        if element.tag.endswith("Product"):
            yield _product(element, header)
        else:
            header = _HEADER.read(element)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


class _Composite:
    """How a kind of composite is read: what is known before anything is said, which children are texts, and what others mean."""

    __slots__ = ("_empty", "_takes", "_texts")

    def __init__(self, empty: Facts, texts: Mapping[str, str], takes: Mapping[str, Take] | None = None) -> None:
        self._empty = empty
        self._texts = _by_tag(texts)
        self._takes = _by_tag(takes or {})

    def empty(self) -> Facts:
        return self._empty.copy()

    def read(self, element: Element) -> Facts:
        return self.fill(self._empty.copy(), element)

    def fill(self, facts: Facts, element: Element) -> Facts:
        texts, takes = self._texts, self._takes
        for child in element:
            tag = child.tag
            if tag in texts:
                facts[texts[tag]] = _text(child)
            elif tag in takes:
                takes[tag](facts, child)
        return facts


def _by_tag(names: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{namespace}{name}": value for namespace in _NAMESPACES for name, value in names.items()}


def _text(element: Element) -> str | None:
    text = element.text
    return text.strip() or None if text else None


def _words(text: str | None) -> str | None:
    return " ".join(text.split()) if text else None


# --- what to do with a child


def _each(key: str, read: Callable[[Element], Any]) -> Take:
    """Add what is read of it, unless that is nothing."""

    def take(facts: Facts, element: Element) -> None:
        value = read(element)
        if value is not None:
            facts[key] += (value,)

    return take


def _put(key: str, read: Callable[[Element], Any]) -> Take:
    """Set what is read of it."""

    def take(facts: Facts, element: Element) -> None:
        facts[key] = read(element)

    return take


def _mark(facts: Facts, _element: Element) -> None:
    facts["conditions"] = True


def _unless(name: str, *plain: str | None) -> Take:
    """Mark conditions, unless it says what goes without saying; `name` is the child that says it, or nothing for its own text."""
    said = _Composite({"said": None}, {name: "said"})

    def take(facts: Facts, element: Element) -> None:
        if (said.read(element)["said"] if name else _text(element)) not in plain:
            facts["conditions"] = True

    return take


# --- what several composites have


def _schemed(scheme: str) -> Callable[[Element], str | None]:
    pair = _Composite({"scheme": "", "value": None}, {scheme: "scheme", "IDValue": "value"})

    def read(element: Element) -> str | None:
        found = pair.read(element)
        return f"{found['scheme'] or ''}:{found['value']}" if found["value"] else None

    return read


def _dated(role: str) -> Callable[[Element], Facts | None]:
    def take_date(facts: Facts, date: Element) -> None:
        facts["text"] = _text(date) or ""
        facts["format"] = date.get("dateformat") or facts["format"]

    date = _Composite(
        {"role": None, "text": "", "format": None}, {role: "role", "DateFormat": "format"}, {"Date": take_date}
    )

    def read(element: Element) -> Facts | None:
        found = date.read(element)
        if not found["role"] and not found["text"]:
            return None
        return {"role": found["role"] or "", "date": {"text": found["text"], "format": found["format"]}}

    return read


@lru_cache(maxsize=4096)
def _sorted_codes(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(text.split())))


def _codes(element: Element) -> tuple[str, ...]:
    return _sorted_codes(element.text or "")


def _amount(element: Element) -> Decimal:
    return Decimal((element.text or "").strip())


_TERRITORY = _Composite(
    {"countries_included": (), "regions_included": (), "countries_excluded": (), "regions_excluded": ()},
    {},
    {
        "CountriesIncluded": _put("countries_included", _codes),
        "RegionsIncluded": _put("regions_included", _codes),
        "CountriesExcluded": _put("countries_excluded", _codes),
        "RegionsExcluded": _put("regions_excluded", _codes),
    },
)
_RESTRICTION = _Composite({"type": None}, {"SalesRestrictionType": "type"})


def _restriction(element: Element) -> str:
    return _RESTRICTION.read(element)["type"] or "00"


# --- identifiers, title, rights

_IDENTIFIER = _Composite(
    {"type": None, "value": None, "type_name": None},
    {"ProductIDType": "type", "IDValue": "value"},
    {"IDTypeName": _put("type_name", lambda element: _words(element.text))},
)
_FEATURE = _Composite(
    {"type": None, "value": None, "says": None},
    {
        "ProductFormFeatureType": "type",
        "ProductFormFeatureValue": "value",
        "ProductFormFeatureDescription": "says",
    },
)
_TITLE_ELEMENT = _Composite(
    {"level": None, "title": None, "prefix": None, "rest": None, "subtitle": None, "part": None},
    {
        "TitleElementLevel": "level",
        "TitleText": "title",
        "TitlePrefix": "prefix",
        "TitleWithoutPrefix": "rest",
        "Subtitle": "subtitle",
        "PartNumber": "part",
    },
)
_TITLE = _Composite(
    {"type": None, "statement": None, "elements": ()},
    {"TitleType": "type", "TitleStatement": "statement"},
    {"TitleElement": _each("elements", _TITLE_ELEMENT.read)},
)


def _identifier(element: Element) -> Facts | None:
    found = _IDENTIFIER.read(element)
    return found if found["type"] and found["value"] else None


def _feature(element: Element) -> tuple[str, str]:
    found = _FEATURE.read(element)
    return found["type"] or "", found["value"] or _words(found["says"]) or ""


def _title(element: Element) -> tuple[bool, str] | None:
    """Whether it is another than the distinctive one, and the title; where the product has none of its own, the collection's."""
    found = _TITLE.read(element)
    elements = found["elements"]
    own = [part for part in elements if (part["level"] or _PRODUCT_LEVEL) == _PRODUCT_LEVEL]
    shown = own if any(map(_own_title, own)) else elements
    texts = (text for part in shown for text in (_own_title(part), _words(part["part"])))
    title = ", ".join(filter(None, texts)) or _words(found["statement"])
    return (found["type"] != _DISTINCTIVE_TITLE, title) if title else None


def _own_title(element: Facts) -> str | None:
    title = _words(element["title"])
    if title is None:
        prefix, rest = _words(element["prefix"]), _words(element["rest"])
        glue = "" if prefix and prefix.endswith(("'", "\u2019", "-")) else " "
        title = glue.join(filter(None, (prefix, rest)))
    return ": ".join(filter(None, (title, _words(element["subtitle"])))) or None


_NAMED = _Composite(
    {"role": None, "name": None}, {"PublishingRole": "role", "PublisherName": "name", "ImprintName": "name"}
)
_RIGHTS = _Composite(
    {"type": "", "territory": _TERRITORY.empty(), "restrictions": ()},
    {"SalesRightsType": "type"},
    {
        "Territory": _put("territory", _TERRITORY.read),
        "SalesRestriction": _each("restrictions", _restriction),
    },
)


def _publisher(element: Element) -> tuple[int, str] | None:
    found = _NAMED.read(element)
    name = _words(found["name"])
    return (int(found["role"] != _PUBLISHER), name) if name else None


def _imprint(element: Element) -> tuple[int, str] | None:
    name = _words(_NAMED.read(element)["name"])
    return (2, name) if name else None


# --- supplies and prices

_TAX = _Composite(
    {"type": None, "rate_code": None, "rate_percent": None, "taxable_amount": None, "tax_amount": None},
    {"TaxType": "type", "TaxRateCode": "rate_code"},
    {
        "TaxRatePercent": _put("rate_percent", _amount),
        "TaxableAmount": _put("taxable_amount", _amount),
        "TaxAmount": _put("tax_amount", _amount),
    },
)
_NO_TAX = {**_TAX.empty(), "rate_code": _EXEMPT}
_PRICE = _Composite(
    {
        "type": None,
        "qualifier": None,
        "status": None,
        "amount": None,
        "currency": None,
        "territory": None,
        "taxes": (),
        "dates": (),
        "unpriced": None,
        "identifiers": (),
        "protections": (),
        "conditions": False,
    },
    {
        "PriceType": "type",
        "PriceQualifier": "qualifier",
        "PriceStatus": "status",
        "CurrencyCode": "currency",
        "UnpricedItemType": "unpriced",
    },
    {
        "PriceAmount": _put("amount", _amount),
        "Territory": _put("territory", _TERRITORY.read),
        "Tax": _each("taxes", _TAX.read),
        "TaxExempt": _each("taxes", lambda _: _NO_TAX),
        "PriceDate": _each("dates", _dated("PriceDateRole")),
        "PriceIdentifier": _each("identifiers", _schemed("PriceIDType")),
        "EpubTechnicalProtection": _each("protections", _text),
        "PriceCondition": _unless("PriceConditionType", "00"),
        "PriceConstraint": _unless("PriceConstraintType", "00"),
        "MinimumOrderQuantity": _unless("", None, "0", "1"),
        "PricePer": _unless("", None, "00"),
        "BatchBonus": _mark,
        "EpubLicense": _mark,
    },
)
_SUPPLIER = _Composite(
    {"supplier_role": None, "supplier_name": None, "supplier_identifiers": ()},
    {"SupplierRole": "supplier_role"},
    {
        "SupplierName": _put("supplier_name", lambda element: _words(element.text)),
        "SupplierIdentifier": _each("supplier_identifiers", _schemed("SupplierIDType")),
    },
)
_DETAIL = _Composite(
    {
        **_SUPPLIER.empty(),
        "availability": None,
        "dates": (),
        "unpriced": None,
        "prices": (),
    },
    {"ProductAvailability": "availability", "UnpricedItemType": "unpriced"},
    {
        "Supplier": _SUPPLIER.fill,
        "SupplyDate": _each("dates", _dated("SupplyDateRole")),
        "Price": _each("prices", _PRICE.read),
    },
)
_MARKET = _Composite(
    {"restrictions": (), "territory": None},
    {},
    {
        "Territory": _put("territory", _TERRITORY.read),
        "SalesRestriction": _each("restrictions", _restriction),
    },
)
_MARKET_STATUS = _Composite(
    {},
    {"MarketPublishingStatus": "market_status"},
    {"MarketDate": _each("market_dates", _dated("MarketDateRole"))},
)
_SUPPLY = _Composite(
    {
        "market_reference": None,
        "markets": (),
        "market_restrictions": (),
        "market_status": None,
        "market_dates": (),
        "details": (),
    },
    {"MarketReference": "market_reference"},
    {
        "Market": _each("markets", _MARKET.read),
        "MarketPublishingDetail": _MARKET_STATUS.fill,
        "SupplyDetail": _each("details", _DETAIL.read),
    },
)


def _take_supplies(facts: Facts, element: Element) -> None:
    """Once for each channel that its markets are split into."""
    supply = _SUPPLY.read(element)
    channels: dict[tuple[str, ...], list[Facts]] = {}
    for market in supply["markets"]:
        channels.setdefault(market["restrictions"], []).extend(filter(None, [market["territory"]]))
    for restrictions, areas in (channels or {(): []}).items():
        facts["supplies"] += ({**supply, "markets": tuple(areas), "market_restrictions": restrictions},)


# --- the record and the header

_DESCRIPTIVE = _Composite(
    {},
    {"ProductComposition": "composition", "ProductForm": "form"},
    {
        "ProductFormDetail": _each("form_details", _text),
        "ProductFormFeature": _each("form_features", _feature),
        "EpubTechnicalProtection": _each("protections", _text),
        "TitleDetail": _each("title", _title),
    },
)
_PUBLISHING = _Composite(
    {},
    {"PublishingStatus": "publishing_status", "ROWSalesRightsType": "rest_of_world_rights"},
    {
        "Imprint": _each("publisher", _imprint),
        "Publisher": _each("publisher", _publisher),
        "PublishingDate": _each("publishing_dates", _dated("PublishingDateRole")),
        "SalesRights": _each("sales_rights", _RIGHTS.read),
        "SalesRestriction": _each("sales_restrictions", _restriction),
    },
)
_RECORD = _Composite(
    {
        "reference": None,
        "notification_type": "03",
        "identifiers": (),
        "composition": None,
        "form": None,
        "form_details": (),
        "form_features": (),
        "protections": (),
        "title": (),
        "publisher": (),
        "publishing_status": None,
        "publishing_dates": (),
        "sales_rights": (),
        "rest_of_world_rights": None,
        "sales_restrictions": (),
        "supplies": (),
    },
    {"RecordReference": "reference", "NotificationType": "notification_type"},
    {
        "ProductIdentifier": _each("identifiers", _identifier),
        "DescriptiveDetail": _DESCRIPTIVE.fill,
        "PublishingDetail": _PUBLISHING.fill,
        "ProductSupply": _take_supplies,
    },
)
_HEADER = _Composite({}, {"DefaultPriceType": "type", "DefaultCurrencyCode": "currency"})


def _product(element: Element, header: Facts) -> Facts:
    facts = _RECORD.read(element)
    facts["title"], facts["publisher"] = _first(facts["title"]), _first(facts["publisher"])
    for supply in facts["supplies"]:
        for detail in supply["details"]:
            for price in detail["prices"]:
                _complete(price, header)
    return facts


def _first(ranked: tuple[tuple[int, str], ...]) -> str | None:
    return min(ranked, key=lambda candidate: candidate[0])[1] if ranked else None


def _complete(price: Facts, header: Facts) -> None:
    """Put in what the header says for prices that do not; a rental's price hangs on terms, whatever it says."""
    if price["type"] is None:
        price["type"] = header.get("type")
    if price["currency"] is None and price["amount"] is not None:
        price["currency"] = header.get("currency")
    if price["type"] == _RENTAL:
        price["conditions"] = True
