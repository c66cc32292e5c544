"""Takes the facts out of one record's elements, and notes what its sender did wrong and was put right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from syncengine.domain.codes import NotificationType, ProductIdType, SalesRestrictionType, TaxRateCode
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import Noted, WarningKind
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
from syncengine.domain.tags import Block
from syncengine.domain.territory import Territory
from syncengine.errors import RecordInvalid
from syncengine.onix.codelists import CodeLists, standard
from syncengine.onix.element import Element, bare_code
from syncengine.onix.encoding import strip_blanks
from syncengine.onix.lint import stripped_code, unknown_code
from syncengine.onix.shapes import odd_date, odd_identifier
from syncengine.onix.walk import NotPlain

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_NOTIFICATION_TYPES = frozenset(NotificationType)
_WHOLE = frozenset({NotificationType.EARLY, NotificationType.ADVANCE, NotificationType.CONFIRMED})
_BLOCKS = frozenset(block.value for block in Block)
_DISTINCTIVE_TITLE = "01"
_PRODUCT_LEVEL = "01"
_PUBLISHER_ROLE = "01"
_NO_TERMS = "00"
_RENTAL_PRICE = "06"
_TERMS = frozenset(
    {"PriceCondition", "PriceConstraint", "BatchBonus", "EpubLicense", "MinimumOrderQuantity", "PricePer"}
)
_ONE = frozenset({None, "0", "1"})
_WHOLE_COPY = frozenset({None, "00"})
"""List 60."""
_DATE_FORMATS = 55
_NUMBERED_TYPES = (ProductIdType.ISBN_13, ProductIdType.GTIN_13, ProductIdType.ISBN_10)
_REFERENCE_TYPES = (*_NUMBERED_TYPES, ProductIdType.DOI, ProductIdType.PROPRIETARY)
"""Of what a missing reference is made, the best first."""
_ABSURD_PRICE = Decimal(10) ** 9
NOTHING: Final = Element("", (), None, (), None)
"""What an element that is not there holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What records are read by besides their message: the code lists, and whether an identifier may stand in for a reference."""

    codes: CodeLists = field(default_factory=standard)
    derives_reference: bool = False


class Reader:
    """Takes the facts out of one record's elements and notes what it had to put right on the way."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._noted: list[Noted] = []
        self._stripped: set[str] = set()

    @property
    def noted(self) -> tuple[Noted, ...]:
        """What had to be put right."""
        return tuple(self._noted)

    @property
    def stripped(self) -> frozenset[str]:
        """The elements around whose codes blanks were stripped."""
        return frozenset(self._stripped)

    def warnings(self) -> list[Noted]:
        """All of it in words."""
        return [*self._noted, *map(stripped_code, sorted(self._stripped))]

    def _note(self, kind: WarningKind, says: str) -> None:
        self._noted.append(Noted(kind, says))

    def _take(self, noted: Noted | None) -> None:
        if noted is not None:
            self._noted.append(noted)

    def product(self, element: Element) -> Product:
        descriptive = element.child("DescriptiveDetail") or NOTHING
        publishing = element.child("PublishingDetail") or NOTHING
        identifiers = self._identifiers(element)
        reference, notification_type = self._reference(element, identifiers), self._notification_type(element)
        self._doubt_blocks(element, notification_type)
        return Product(
            reference=reference,
            notification_type=notification_type,
            identifiers=identifiers,
            composition=self._code(descriptive, "ProductComposition"),
            form=self._code(descriptive, "ProductForm"),
            form_details=self._codes(descriptive, "ProductFormDetail"),
            form_features=tuple(self.form_feature(feature) for feature in descriptive.all("ProductFormFeature")),
            protections=self._codes(descriptive, "EpubTechnicalProtection"),
            title=self.title(descriptive),
            publisher=self.publisher(publishing),
            publishing_status=self._code(publishing, "PublishingStatus"),
            publishing_dates=self.dates(publishing, "PublishingDate"),
            sales_rights=tuple(self.sales_rights(rights) for rights in publishing.all("SalesRights")),
            rest_of_world_rights=self._code(publishing, "ROWSalesRightsType"),
            sales_restrictions=self.restrictions(publishing),
            supplies=tuple(part for supply in element.all("ProductSupply") for part in self._supplies(supply)),
        )

    # --- block zero

    def _reference(self, element: Element, identifiers: Sequence[ProductIdentifier]) -> RecordReference:
        found = element.child("RecordReference")
        # Stripped as the framing strips it: both must name the same record.
        if found is not None and (reference := strip_blanks(found.content())):
            return RecordReference(reference)
        if not self._reading.derives_reference:
            raise RecordInvalid("no RecordReference")
        derived = _derived_reference(identifiers)
        if derived is None:
            raise RecordInvalid("no RecordReference, and no identifier to stand in for it")
        self._note(WarningKind.MISSING_REFERENCE, f"no RecordReference; {derived} stands in for it")
        return RecordReference(derived)

    def _notification_type(self, element: Element) -> str:
        code = self._code(element, "NotificationType")
        if code is None:
            self._note(WarningKind.INCOMPLETE, "no NotificationType; read as 03")
            return NotificationType.CONFIRMED.value
        if code not in _NOTIFICATION_TYPES:
            raise RecordInvalid(f"NotificationType {code[:20]!r} is not in list 1")
        return code

    def _doubt_blocks(self, element: Element, notification_type: str) -> None:
        blocks = [child.name for child in element.children if child.name in _BLOCKS]
        if not blocks and notification_type in _WHOLE:
            self._note(WarningKind.INCOMPLETE, "a whole record without any block: nothing is said of its product")
        for name in sorted({name for name in blocks if name != Block.PRODUCT_SUPPLY and blocks.count(name) > 1}):
            self._note(WarningKind.INCOMPLETE, f"{name} more than once; only the first was read")

    def _identifiers(self, element: Element) -> tuple[ProductIdentifier, ...]:
        identifiers = []
        for found in element.all("ProductIdentifier"):
            scheme, value = self._code(found, "ProductIDType"), self._code(found, "IDValue")
            if scheme and value:
                name = _words(found, "IDTypeName")
                identifiers.append(ProductIdentifier(type=scheme, value=value, type_name=name))
                self._take(odd_identifier(scheme, value))
            else:
                self._note(WarningKind.INCOMPLETE, "a ProductIdentifier without type or value left out")
        return tuple(identifiers)

    # --- block 1

    def form_feature(self, feature: Element) -> tuple[str, str]:
        value = self._code(feature, "ProductFormFeatureValue") or _words(feature, "ProductFormFeatureDescription")
        return self._code(feature, "ProductFormFeatureType") or "", value or ""

    def title(self, descriptive: Element) -> str | None:
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

    def publisher(self, publishing: Element) -> str | None:
        """The publisher (list 45), else whoever published in another role, else the imprint."""
        publishers = publishing.all("Publisher")
        ranked = sorted(publishers, key=lambda publisher: self._code(publisher, "PublishingRole") != _PUBLISHER_ROLE)
        names = [_words(publisher, "PublisherName") for publisher in ranked]
        imprints = [_words(imprint, "ImprintName") for imprint in publishing.all("Imprint")]
        return next(filter(None, names + imprints), None)

    def sales_rights(self, rights: Element) -> SalesRights:
        return SalesRights(
            type=self._code(rights, "SalesRightsType") or "",
            territory=self._territory(rights) or Territory(),
            restrictions=self.restrictions(rights),
        )

    def restrictions(self, element: Element) -> tuple[str, ...]:
        return tuple(map(self._restriction, element.all("SalesRestriction")))

    def _restriction(self, restriction: Element) -> str:
        code = self._code(restriction, "SalesRestrictionType")
        if code is None:
            self._note(WarningKind.INCOMPLETE, "a SalesRestriction without its type read as 00, unspecified")
        return code or SalesRestrictionType.UNSPECIFIED.value

    # --- block 6

    def _supplies(self, supply: Element) -> Iterator[ProductSupply]:
        """The composite, once for each channel that its markets are split into (reference/onix.md 2.12)."""
        channels: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Territory]] = {}
        for restrictions, outlets, area in map(self.market, supply.all("Market")):
            channels.setdefault((restrictions, outlets), []).extend(filter(None, [area]))
        reference, (status, dates) = self._code(supply, "MarketReference"), self.market_status(supply)
        details = tuple(self._supply_detail(detail) for detail in supply.all("SupplyDetail"))
        for (restrictions, outlets), areas in (channels or {((), ()): []}).items():
            yield ProductSupply(
                market_reference=reference,
                markets=tuple(areas),
                market_restrictions=restrictions,
                market_outlets=outlets,
                market_status=status,
                market_dates=dates,
                details=details,
            )

    def market(self, market: Element) -> tuple[tuple[str, ...], tuple[str, ...], Territory | None]:
        """Its restrictions, the outlets they name, and its area."""
        outlets = [name for found in market.all("SalesRestriction") for name in self._outlets(found)]
        return self.restrictions(market), tuple(outlets), self._territory(market)

    def _outlets(self, restriction: Element) -> Iterator[str]:
        """Identifiers and names of its outlets; which scheme an identifier is of decides nothing."""
        for outlet in restriction.all("SalesOutlet"):
            identifiers = outlet.all("SalesOutletIdentifier")
            numbers = [self._code(found, "IDValue") for found in identifiers]
            yield from filter(None, [*numbers, _words(outlet, "SalesOutletName")])

    def market_status(self, supply: Element) -> tuple[str | None, tuple[DatedRole, ...]]:
        """What is said of the markets together: status, and dates."""
        status = supply.child("MarketPublishingDetail") or NOTHING
        return self._code(status, "MarketPublishingStatus"), self.dates(status, "MarketDate")

    def supplier(self, detail: Element) -> tuple[str | None, str | None, tuple[str, ...]]:
        """Role, name, and identifiers."""
        supplier = detail.child("Supplier") or NOTHING
        identifiers = self._schemed(supplier, "SupplierIdentifier", "SupplierIDType")
        return self._code(supplier, "SupplierRole"), _words(supplier, "SupplierName"), identifiers

    def _supply_detail(self, detail: Element) -> SupplyDetail:
        role, name, identifiers = self.supplier(detail)
        return SupplyDetail(
            supplier_role=role,
            supplier_name=name,
            supplier_identifiers=identifiers,
            availability=self._code(detail, "ProductAvailability"),
            dates=self.dates(detail, "SupplyDate"),
            unpriced=self._code(detail, "UnpricedItemType"),
            prices=tuple([self._known_price(price) for price in detail.all("Price")]),
        )

    def _known_price(self, price: Element) -> Price:
        facts, noted, stripped = _price_of(price.children, self._reading.codes)
        self._noted.extend(noted)
        self._stripped.update(stripped)
        return facts

    def price(self, price: Element) -> Price:
        kind = self._code(price, "PriceType")
        amount = self._number(price, "PriceAmount")
        currency = self._code(price, "CurrencyCode")
        if amount is not None:
            self._doubt_amount(amount, currency)
        return Price(
            type=kind,
            qualifier=self._code(price, "PriceQualifier"),
            status=self._code(price, "PriceStatus"),
            amount=amount,
            currency=currency,
            territory=self._territory(price),
            taxes=self._taxes(price),
            dates=self.dates(price, "PriceDate"),
            unpriced=self._code(price, "UnpricedItemType"),
            identifiers=self._schemed(price, "PriceIdentifier", "PriceIDType"),
            protections=self._codes(price, "EpubTechnicalProtection"),
            conditions=kind == _RENTAL_PRICE or self._has_terms(price),
        )

    def _doubt_amount(self, amount: Decimal, currency: str | None) -> None:
        if currency is None:
            self._note(WarningKind.AMOUNT, "a price without currency, of which the header says none either")
        if amount >= _ABSURD_PRICE:
            self._note(WarningKind.AMOUNT, f"PriceAmount {amount} can hardly be meant; kept for the guards to judge")

    def _has_terms(self, price: Element) -> bool:
        """Whether the price hangs on more than buying one copy of the whole; code 00 of lists 167 and 230 says that it does not."""
        if _TERMS.isdisjoint([child.name for child in price.children]):
            return False
        for name, code in (("PriceCondition", "PriceConditionType"), ("PriceConstraint", "PriceConstraintType")):
            if any(self._code(terms, code) != _NO_TERMS for terms in price.all(name)):
                return True
        if price.child("BatchBonus") is not None or price.child("EpubLicense") is not None:
            return True
        return self._code(price, "MinimumOrderQuantity") not in _ONE or self._code(price, "PricePer") not in _WHOLE_COPY

    def _taxes(self, price: Element) -> tuple[Tax, ...]:
        stated = tuple([self._tax(tax) for tax in price.all("Tax")])
        if stated or price.child("TaxExempt") is None:
            return stated
        return (Tax(rate_code=TaxRateCode.EXEMPT.value),)

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
            self._note(WarningKind.AMOUNT, f"{name} {written[:40]!r} is no amount and was left out")
            return None
        if (number := Decimal(written)) < 0:
            self._note(WarningKind.AMOUNT, f"{name} {written} is negative and was left out")
            return None
        return number

    def dates(self, element: Element, name: str) -> tuple[DatedRole, ...]:
        dates = []
        for found in element.all(name):
            role, written = self._code(found, f"{name}Role"), self._code(found, "Date")
            form = self._date_format(found)
            if role or written:
                # A part of it is kept too: it may be a gate, and what is not known of a gate must keep it shut.
                dates.append(DatedRole(role=role or "", date=OnixDate(text=written or "", format=form)))
            if role and written:
                self._take(odd_date(written, form))
            else:
                self._note(WarningKind.INCOMPLETE, f"a {name} without role or date")
        return tuple(dates)

    def _date_format(self, dated: Element) -> str | None:
        """The attribute, else 3.0's child (reference/onix.md 2.9)."""
        date = dated.child("Date") or NOTHING
        form = bare_code(date.attribute("dateformat") or "")
        if form and not self._reading.codes.knows(_DATE_FORMATS, form):
            self._take(unknown_code(form, _DATE_FORMATS, "dateformat", self._reading.codes))
        return form or self._code(dated, "DateFormat")

    def _territory(self, element: Element) -> Territory | None:
        found = element.child("Territory")
        return None if found is None else _territory(tuple([(part.name, part.content()) for part in found.children]))


@lru_cache(maxsize=4096)
def _price_of(parts: tuple[Element, ...], codes: CodeLists) -> tuple[Price, tuple[Noted, ...], frozenset[str]]:
    """A price, what had to be put right, and the elements around whose codes blanks were stripped; feeds repeat their prices."""
    reader = Reader(Reading(codes=codes))
    price = reader.price(NOTHING._replace(children=parts))
    return price, reader.noted, reader.stripped


@lru_cache(maxsize=4096)
def _territory(parts: tuple[tuple[str, str], ...]) -> Territory:
    return Territory(
        countries_included=_tokens(parts, "CountriesIncluded"),
        regions_included=_tokens(parts, "RegionsIncluded"),
        countries_excluded=_tokens(parts, "CountriesExcluded"),
        regions_excluded=_tokens(parts, "RegionsExcluded"),
    )


def _tokens(parts: Iterable[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    """Codes with blanks between, as written; a repeated element adds to the first."""
    return tuple(sorted({code for name, codes in parts if name == wanted for code in bare_code(codes).split()}))


def _only(dates: Sequence[DatedRole]) -> DatedRole:
    """The one date that a composite gives; raises NotPlain where it gives none."""
    if not dates:
        raise NotPlain
    return dates[0]


COMPOSITES: Final[Mapping[str, Callable[[Reader, Element], Any]]] = {
    "ProductFormFeature": lambda reader, parent: reader.form_feature(parent.children[0]),
    "TitleDetail": Reader.title,
    "Publisher": Reader.publisher,
    "PublishingDate": lambda reader, parent: _only(reader.dates(parent, "PublishingDate")),
    "SalesRights": lambda reader, parent: reader.sales_rights(parent.children[0]),
    "SalesRestriction": lambda reader, parent: reader.restrictions(parent)[0],
    "Market": lambda reader, parent: reader.market(parent.children[0]),
    "MarketPublishingDetail": Reader.market_status,
    "Supplier": Reader.supplier,
    "SupplyDate": lambda reader, parent: _only(reader.dates(parent, "SupplyDate")),
    "Price": lambda reader, parent: reader.price(parent.children[0]),
}
"""How composites are read from an element that holds nothing else."""


def _derived_reference(identifiers: Sequence[ProductIdentifier]) -> str | None:
    """`15:9780306406157`: the best identifier with its type (list 5), its hyphens taken out where it is a number."""
    for wanted in _REFERENCE_TYPES:
        for identifier in identifiers:
            if identifier.type == wanted:
                from stdnum import isbn

                is_number = wanted in _NUMBERED_TYPES
                return f"{wanted.value}:{isbn.compact(identifier.value) if is_number else identifier.value}"
    return None


def _words(element: Element, name: str) -> str | None:
    """A text for people, on one line."""
    found = element.child(name)
    if found is None:
        return None
    text = " ".join(found.content().split())
    return (text if text.isascii() else strip_blanks(text)) or None


def _own_title(element: Element) -> str | None:
    """`TitleText`, or prefix and rest, and the subtitle after a colon."""
    title = _words(element, "TitleText")
    if title is None:
        prefix, rest = _words(element, "TitlePrefix"), _words(element, "TitleWithoutPrefix")
        glue = "" if prefix and prefix.endswith(("'", "\u2019", "-")) else " "
        title = glue.join(filter(None, (prefix, rest))) or None
    return ": ".join(filter(None, (title, _words(element, "Subtitle")))) or None
