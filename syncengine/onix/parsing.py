"""Tier 3 of the hot path: one frame to the facts that decisions are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from syncengine.domain.codes import NotificationType
from syncengine.domain.dates import OnixDate
from syncengine.domain.frame import Context, MessageHeader
from syncengine.domain.ids import RecordReference
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SalesRights,
    SupplyDetail,
    Tax,
)
from syncengine.domain.territory import Territory
from syncengine.errors import RecordInvalid
from syncengine.onix.describe import digests
from syncengine.onix.dialect import Element, bare_code, read_product
from syncengine.onix.encoding import strip_blanks

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_NOTIFICATION_TYPES = frozenset(NotificationType)
_DISTINCTIVE_TITLE = "01"
_PRODUCT_LEVEL = "01"
_PUBLISHER_ROLE = "01"
_NO_TERMS = "00"
_RENTAL_PRICE = "06"
_TERRITORY_PARTS = ("CountriesIncluded", "RegionsIncluded", "CountriesExcluded", "RegionsExcluded")
_NOTHING = Element("", (), None, (), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRecord:
    """One record: its facts, the digests of its blocks, and what its sender did wrong and was put right."""

    product: Product
    digests: Mapping[str, bytes]
    warnings: tuple[str, ...]


def parse(body: bytes, context: Context) -> ParsedRecord:
    """Read one frame in its message's context; raises RecordInvalid with the reason for which it is to be quarantined."""
    element, repairs = read_product(context.opening, body, context.closing)
    reader = _Reader(context.header)
    product = reader.product(element)
    return ParsedRecord(product=product, digests=digests(element), warnings=(*repairs, *reader.warnings()))


class _Reader:
    """Takes the facts out of one record's elements and notes what it had to put right on the way."""

    def __init__(self, header: MessageHeader) -> None:
        self._header = header
        self._noted: list[str] = []
        self._stripped: set[str] = set()

    def warnings(self) -> list[str]:
        if not self._stripped:
            return self._noted
        return [*self._noted, f"blanks stripped from {', '.join(sorted(self._stripped))}"]

    def product(self, element: Element) -> Product:
        descriptive = element.child("DescriptiveDetail") or _NOTHING
        publishing = element.child("PublishingDetail") or _NOTHING
        return Product(
            reference=self._reference(element),
            notification_type=self._notification_type(element),
            identifiers=self._identifiers(element),
            composition=self._code(descriptive, "ProductComposition"),
            form=self._code(descriptive, "ProductForm"),
            form_details=self._codes(descriptive, "ProductFormDetail"),
            form_features=tuple(self._form_feature(feature) for feature in descriptive.all("ProductFormFeature")),
            protections=self._codes(descriptive, "EpubTechnicalProtection"),
            title=self._title(descriptive),
            publisher=self._publisher(publishing),
            publishing_status=self._code(publishing, "PublishingStatus"),
            publishing_dates=self._dates(publishing, "PublishingDate"),
            sales_rights=tuple(self._sales_rights(rights) for rights in publishing.all("SalesRights")),
            rest_of_world_rights=self._code(publishing, "ROWSalesRightsType"),
            sales_restrictions=self._restrictions(publishing),
            supplies=tuple(self._supply(supply) for supply in element.all("ProductSupply")),
        )

    # --- block zero

    def _reference(self, element: Element) -> RecordReference:
        found = element.child("RecordReference")
        # Stripped as the framing strips it: both must name the same record.
        if found is None or not (reference := strip_blanks(found.content())):
            raise RecordInvalid("no RecordReference")
        return RecordReference(reference)

    def _notification_type(self, element: Element) -> str:
        code = self._code(element, "NotificationType")
        if code is None:
            self._noted.append("no NotificationType; read as 03")
            return NotificationType.CONFIRMED.value
        if code not in _NOTIFICATION_TYPES:
            raise RecordInvalid(f"NotificationType {code[:20]!r} is not in list 1")
        return code

    def _identifiers(self, element: Element) -> tuple[ProductIdentifier, ...]:
        identifiers = []
        for found in element.all("ProductIdentifier"):
            scheme, value = self._code(found, "ProductIDType"), self._code(found, "IDValue")
            if scheme and value:
                name = _words(found, "IDTypeName")
                identifiers.append(ProductIdentifier(type=scheme, value=value, type_name=name))
            else:
                self._noted.append("a ProductIdentifier without type or value left out")
        return tuple(identifiers)

    # --- block 1

    def _form_feature(self, feature: Element) -> tuple[str, str]:
        value = self._code(feature, "ProductFormFeatureValue") or _words(feature, "ProductFormFeatureDescription")
        return self._code(feature, "ProductFormFeatureType") or "", value or ""

    def _title(self, descriptive: Element) -> str | None:
        """The distinctive title (list 15), else the first."""
        details = descriptive.all("TitleDetail")
        ranked = sorted(details, key=lambda detail: self._code(detail, "TitleType") != _DISTINCTIVE_TITLE)
        for detail in ranked:
            if title := self._title_of(detail) or _words(detail, "TitleStatement"):
                return title
        return None

    def _title_of(self, detail: Element) -> str | None:
        """The title of the product's own level; where it has but a part number, after that of the collection."""
        elements = detail.all("TitleElement")
        own = [e for e in elements if (self._code(e, "TitleElementLevel") or _PRODUCT_LEVEL) == _PRODUCT_LEVEL]
        if any(_own_title(element) for element in own):
            elements = own
        parts = (part for element in elements for part in (_own_title(element), _words(element, "PartNumber")))
        return ", ".join(filter(None, parts)) or None

    # --- block 4

    def _publisher(self, publishing: Element) -> str | None:
        """The publisher (list 45), else whoever published in another role, else the imprint."""
        publishers = publishing.all("Publisher")
        ranked = sorted(publishers, key=lambda publisher: self._code(publisher, "PublishingRole") != _PUBLISHER_ROLE)
        names = [_words(publisher, "PublisherName") for publisher in ranked]
        imprints = [_words(imprint, "ImprintName") for imprint in publishing.all("Imprint")]
        return next(filter(None, names + imprints), None)

    def _sales_rights(self, rights: Element) -> SalesRights:
        return SalesRights(
            type=self._code(rights, "SalesRightsType") or "",
            territory=self._territory(rights) or Territory(),
            restrictions=self._restrictions(rights),
        )

    def _restrictions(self, element: Element) -> tuple[str, ...]:
        codes = (self._code(restriction, "SalesRestrictionType") for restriction in element.all("SalesRestriction"))
        return tuple(filter(None, codes))

    # --- block 6

    def _supply(self, supply: Element) -> ProductSupply:
        markets = supply.all("Market")
        status = supply.child("MarketPublishingDetail") or _NOTHING
        return ProductSupply(
            market_reference=self._code(supply, "MarketReference"),
            markets=tuple(filter(None, (self._territory(market) for market in markets))),
            market_restrictions=tuple(code for market in markets for code in self._restrictions(market)),
            market_status=self._code(status, "MarketPublishingStatus"),
            market_dates=self._dates(status, "MarketDate"),
            details=tuple(self._supply_detail(detail) for detail in supply.all("SupplyDetail")),
        )

    def _supply_detail(self, detail: Element) -> SupplyDetail:
        supplier = detail.child("Supplier") or _NOTHING
        return SupplyDetail(
            supplier_role=self._code(supplier, "SupplierRole"),
            supplier_name=_words(supplier, "SupplierName"),
            supplier_identifiers=self._schemed(supplier, "SupplierIdentifier", "SupplierIDType"),
            availability=self._code(detail, "ProductAvailability"),
            dates=self._dates(detail, "SupplyDate"),
            unpriced=self._code(detail, "UnpricedItemType"),
            prices=tuple(self._price(price) for price in detail.all("Price")),
        )

    def _price(self, price: Element) -> Price:
        kind = self._code(price, "PriceType") or self._header.default_price_type
        return Price(
            type=kind,
            qualifier=self._code(price, "PriceQualifier"),
            status=self._code(price, "PriceStatus"),
            amount=self._number(price, "PriceAmount"),
            currency=self._code(price, "CurrencyCode") or self._header.default_currency,
            territory=self._territory(price),
            taxes=tuple(self._tax(tax) for tax in price.all("Tax")),
            dates=self._dates(price, "PriceDate"),
            unpriced=self._code(price, "UnpricedItemType"),
            identifiers=self._schemed(price, "PriceIdentifier", "PriceIDType"),
            protections=self._codes(price, "EpubTechnicalProtection"),
            conditions=kind == _RENTAL_PRICE or self._has_terms(price),
        )

    def _has_terms(self, price: Element) -> bool:
        """Whether the price hangs on more than buying one copy; code 00 of lists 167 and 230 says that it does not."""
        for name, code in (("PriceCondition", "PriceConditionType"), ("PriceConstraint", "PriceConstraintType")):
            if any(self._code(terms, code) != _NO_TERMS for terms in price.all(name)):
                return True
        quantity = self._code(price, "MinimumOrderQuantity")
        return price.child("BatchBonus") is not None or quantity not in {None, "0", "1"}

    def _tax(self, tax: Element) -> Tax:
        return Tax(
            type=self._code(tax, "TaxType"),
            rate_code=self._code(tax, "TaxRateCode"),
            rate_percent=self._number(tax, "TaxRatePercent"),
            taxable_amount=self._number(tax, "TaxableAmount"),
            tax_amount=self._number(tax, "TaxAmount"),
        )

    # --- what several composites have

    def _code(self, element: Element, name: str) -> str | None:
        found = element.child(name)
        return None if found is None else self._code_in(found)

    def _code_in(self, element: Element) -> str | None:
        written = element.content()
        code = bare_code(written)
        if code != written:
            self._stripped.add(element.name)
        return code or None

    def _codes(self, element: Element, name: str) -> tuple[str, ...]:
        return tuple(filter(None, map(self._code_in, element.all(name))))

    def _schemed(self, element: Element, name: str, scheme: str) -> tuple[str, ...]:
        """Identifiers as `scheme:value`."""
        pairs = ((self._code(found, scheme), self._code(found, "IDValue")) for found in element.all(name))
        return tuple(f"{kind or ''}:{value}" for kind, value in pairs if value)

    def _number(self, element: Element, name: str) -> Decimal | None:
        written = self._code(element, name)
        if written is None:
            return None
        if not _NUMBER.fullmatch(written):
            self._noted.append(f"{name} {written[:40]!r} is no amount and was left out")
            return None
        return Decimal(written)

    def _dates(self, element: Element, name: str) -> tuple[DatedRole, ...]:
        dates = []
        for found in element.all(name):
            role, written = self._code(found, f"{name}Role"), self._code(found, "Date")
            if role and written:
                dates.append(DatedRole(role=role, date=OnixDate(text=written, format=self._date_format(found))))
            else:
                self._noted.append(f"a {name} without role or date left out")
        return tuple(dates)

    def _date_format(self, dated: Element) -> str | None:
        """The attribute, else 3.0's child (reference/onix.md 2.9)."""
        date = dated.child("Date") or _NOTHING
        return bare_code(date.attribute("dateformat") or "") or self._code(dated, "DateFormat")

    def _territory(self, element: Element) -> Territory | None:
        found = element.child("Territory")
        return None if found is None else _territory(*(_list_of(found, name) for name in _TERRITORY_PARTS))


@lru_cache(maxsize=4096)
def _territory(countries: str, regions: str, no_countries: str, no_regions: str) -> Territory:
    return Territory(
        countries_included=_tokens(countries),
        regions_included=_tokens(regions),
        countries_excluded=_tokens(no_countries),
        regions_excluded=_tokens(no_regions),
    )


def _tokens(codes: str) -> tuple[str, ...]:
    return tuple(sorted(set(codes.split())))


def _list_of(territory: Element, name: str) -> str:
    """Codes with blanks between, as written; a repeated element adds to the first."""
    return bare_code(" ".join([found.content() for found in territory.all(name)]))


def _words(element: Element, name: str) -> str | None:
    """A text for people, on one line."""
    found = element.child(name)
    return " ".join(found.content().split()) or None if found is not None else None


def _own_title(element: Element) -> str | None:
    """`TitleText`, or prefix and rest, and the subtitle after a colon."""
    title = _words(element, "TitleText")
    if title is None:
        prefix, rest = _words(element, "TitlePrefix"), _words(element, "TitleWithoutPrefix")
        glue = "" if prefix and prefix.endswith(("'", "\u2019", "-")) else " "
        title = glue.join(filter(None, (prefix, rest))) or None
    return ": ".join(filter(None, (title, _words(element, "Subtitle")))) or None
