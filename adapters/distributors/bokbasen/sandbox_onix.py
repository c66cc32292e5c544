"""Writes the stub's ONIX export: titles as records in the shape of contract 9.2, messages, and the noise of a whole book trade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from xml.sax.saxutils import escape

from adapters.distributors.bokbasen.sandbox_titles import Charge, Plan, Restriction, Title
from adapters.sandbox.catalogue import BookMaker, Person, amount_text

NAMESPACES: Mapping[str, str] = {
    "3.0": "http://ns.editeur.org/onix/3.0/reference",
    "3.1": "http://ns.editeur.org/onix/3.1/reference",
}
SENDER = "902000"

_FORMS: Mapping[str, tuple[str, str]] = {
    "epub": ("ED", "E101"),
    "pdf": ("ED", "E107"),
    "ebp": ("EB", "E144"),
    "audio": ("AJ", "A103"),
    "hardback": ("BB", "B402"),
    "paperback": ("BC", ""),
    "workbook": ("PI", ""),
}
"""ProductForm and ProductFormDetail; the last three are the noise of the trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codes:
    """How a plan is spelled: ProductAvailability, MarketPublishingStatus, traffic light, the warehouse's own status."""

    availability: str
    status: str
    note: str
    own: str


_CODES: Mapping[Plan, _Codes] = {
    Plan.FORTHCOMING: _Codes(availability="10", status="02", note="Gul", own="DDS_N"),
    Plan.ON_SALE: _Codes(availability="21", status="04", note="Grønn", own="DDS_P"),
    Plan.TEMPORARILY_OFF: _Codes(availability="31", status="06", note="Gul", own="DDS_N"),
    Plan.SOLD_OUT: _Codes(availability="40", status="07", note="Rød", own="DDS_N"),
    Plan.CANCELLED: _Codes(availability="01", status="01", note="Rød", own="DDS_N"),
    Plan.POSTPONED: _Codes(availability="09", status="03", note="Gul", own="DDS_N"),
    Plan.UNSAID: _Codes(availability="99", status="09", note="Gul", own="DDS_N"),
    Plan.CONTRADICTORY: _Codes(availability="21", status="02", note="Grønn", own="DDS_P"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWriter:
    """Writes records from one maker of books."""

    maker: BookMaker

    def reference(self, title: Title) -> str:
        """The RecordReference."""
        return f"no.bokbasen.{title.number}"

    def record(self, title: Title, changed_at: datetime, *, version: str) -> bytes:
        """One `Product` as it is since it changed at that instant; v3 names restrictions by outlet codes (contract 9.2)."""
        if title.removed:
            return f"<Product>\n{self._opening(title, '05')}</Product>\n".encode()
        notification = "02" if title.plan is Plan.FORTHCOMING else "03"
        parts = [
            self._opening(title, notification),
            self._descriptive(title),
            self._collateral(title, changed_at),
            self._publishing(title),
            *(self._supply(title, restriction, version=version) for restriction in _channels(title)),
        ]
        return ("<Product>\n" + "".join(parts) + "</Product>\n").encode()

    def _opening(self, title: Title, notification: str) -> str:
        identifiers = (
            ("03", "", title.isbn),
            ("15", "", title.isbn),
            ("01", "Bokbasen_ProprietaryID", f"B{title.number}"),
        )
        written = "".join(
            f"<ProductIdentifier><ProductIDType>{kind}</ProductIDType>{_name('IDTypeName', name)}"
            f"<IDValue>{value}</IDValue></ProductIdentifier>\n"
            for kind, name, value in identifiers
        )
        return (
            f"<RecordReference>{self.reference(title)}</RecordReference>\n<NotificationType>{notification}</NotificationType>\n"
            "<RecordSourceType>04</RecordSourceType>\n<RecordSourceName>Bokbasen AS</RecordSourceName>\n"
            f"{written}"
        )

    def _descriptive(self, title: Title) -> str:
        book = title.book
        form, detail = _FORMS[title.format]
        is_digital = form in {"ED", "EB", "AJ"}
        lock = f"<EpubTechnicalProtection>{title.protection}</EpubTechnicalProtection>\n" if is_digital else ""
        international = (
            "<ProductClassification><ProductClassificationType>07</ProductClassificationType>"
            "<ProductClassificationCode>INT_BOOK</ProductClassificationCode></ProductClassification>\n"
            if title.is_international
            else ""
        )
        people = "".join(_contributor(place, person) for place, person in enumerate(book.people, start=1))
        subtitle = f"<Subtitle>{escape(book.subtitle)}</Subtitle>" if book.subtitle else ""
        return (
            "<DescriptiveDetail>\n<ProductComposition>00</ProductComposition>\n"
            f"<ProductForm>{form}</ProductForm>\n{_name('ProductFormDetail', detail)}{lock}{international}"
            "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
            f"<TitleText>{escape(title.name or book.title)}</TitleText>{subtitle}</TitleElement></TitleDetail>\n"
            f"{people}<Language><LanguageRole>01</LanguageRole><LanguageCode>nob</LanguageCode></Language>\n"
            f"<Extent><ExtentType>00</ExtentType><ExtentValue>{book.pages}</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>\n"
            f"<Subject><SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>{book.subject.thema}</SubjectCode></Subject>\n"
            "</DescriptiveDetail>\n"
        )

    def _collateral(self, title: Title, changed_at: datetime) -> str:
        base = f"https://covers.bokbasen.example/{title.isbn}"
        covers = "".join(
            "<SupportingResource><ResourceContentType>01</ResourceContentType><ContentAudience>00</ContentAudience>"
            "<ResourceMode>03</ResourceMode><ResourceVersion><ResourceForm>02</ResourceForm>"
            "<ResourceVersionFeature><ResourceVersionFeatureType>01</ResourceVersionFeatureType><FeatureValue>D502</FeatureValue>"
            f"<FeatureNote>{name}.jpg</FeatureNote></ResourceVersionFeature><ResourceLink>{base}/{name}.jpg</ResourceLink>"
            "<ContentDate><ContentDateRole>17</ContentDateRole>"
            f'<Date dateformat="00">{changed_at:%Y%m%d}</Date></ContentDate></ResourceVersion></SupportingResource>\n'
            for name in ("ol", "os", "org")
        )
        return (
            "<CollateralDetail>\n<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience>"
            f"<Text><![CDATA[{self.maker.description(title.book)}]]></Text></TextContent>\n{covers}</CollateralDetail>\n"
        )

    def _publishing(self, title: Title) -> str:
        publisher = title.book.publisher
        dates: list[tuple[str, str, str]] = []
        if title.year is not None:
            dates.append(("01", "05", str(title.year)))
        if title.first_published is not None:
            dates.append(("11", "00", _day(title.first_published)))
        if title.embargo is not None:
            dates.append(("02", "00", _day(title.embargo)))
        written = "".join(
            f'<PublishingDate><PublishingDateRole>{role}</PublishingDateRole><Date dateformat="{form}">{text}</Date></PublishingDate>\n'
            for role, form, text in dates
        )
        return (
            f"<PublishingDetail>\n<Imprint><ImprintName>{escape(title.book.imprint)}</ImprintName></Imprint>\n"
            "<Publisher><PublishingRole>01</PublishingRole><PublisherIdentifier><PublisherIDType>01</PublisherIDType>"
            f"<IDTypeName>Bokbasen_Kundenummer</IDTypeName><IDValue>{1000 + publisher.number}</IDValue></PublisherIdentifier>"
            f"<PublisherName>{escape(publisher.name)}</PublisherName></Publisher>\n{written}"
            "<SalesRights><SalesRightsType>01</SalesRightsType><Territory>"
            f"<CountriesIncluded>{title.territory}</CountriesIncluded></Territory></SalesRights>\n</PublishingDetail>\n"
        )

    def _supply(self, title: Title, restriction: Restriction | None, *, version: str) -> str:
        codes = _CODES[title.plan]
        market_date = (
            f'<MarketDate><MarketDateRole>01</MarketDateRole><Date dateformat="00">{_day(title.expected)}</Date></MarketDate>'
            if title.expected
            else ""
        )
        prices = "".join(map(_price, title.charges))
        return (
            f"<ProductSupply>\n<Market><Territory><CountriesIncluded>{title.territory}</CountriesIncluded></Territory>"
            f"{_restriction(restriction, version)}</Market>\n<MarketPublishingDetail>"
            f"<MarketPublishingStatus>{codes.status}</MarketPublishingStatus>"
            f"<MarketPublishingStatusNote>{codes.note}</MarketPublishingStatusNote>{market_date}</MarketPublishingDetail>\n"
            "<SupplyDetail><Supplier><SupplierRole>00</SupplierRole>"
            f"<SupplierName>{escape(title.supplier)}</SupplierName></Supplier>"
            "<SupplierOwnCoding><SupplierCodeType>02</SupplierCodeType>"
            "<SupplierCodeTypeName>Bokbasen_DDSstatus</SupplierCodeTypeName>"
            f"<SupplierCodeValue>{codes.own}</SupplierCodeValue></SupplierOwnCoding>"
            f"<ProductAvailability>{codes.availability}</ProductAvailability>\n"
            f"{prices or '<UnpricedItemType>02</UnpricedItemType>'}</SupplyDetail>\n</ProductSupply>\n"
        )


def message(records: Iterable[bytes], *, version: str, sent_at: datetime) -> bytes:
    """A whole ONIXMessage around records; `version` is the ONIX release."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ONIXMessage release="{version}" xmlns="{NAMESPACES[version]}">\n<Header>\n<Sender><SenderIdentifier>'
        "<SenderIDType>01</SenderIDType><IDTypeName>Bokbasen_Kundenummer</IDTypeName>"
        f"<IDValue>{SENDER}</IDValue></SenderIdentifier><SenderName>Bokbasen AS</SenderName></Sender>\n"
        f"<SentDateTime>{sent_at.astimezone(UTC):%Y%m%dT%H%M%SZ}</SentDateTime>\n</Header>\n"
    )
    return b"".join([head.encode(), *records, b"</ONIXMessage>\n"])


def _channels(title: Title) -> Iterable[Restriction | None]:
    """A market for each restriction (contract 9.2: one outlet a market), or one without any."""
    return title.restrictions or (None,)


def _restriction(restriction: Restriction | None, version: str) -> str:
    if restriction is None:
        return ""
    kind = "03" if version == "v3" else "01"
    name = "" if kind == "03" else "<IDTypeName>Bokbasen_Kundenummer</IDTypeName>"
    outlets = "".join(
        f"<SalesOutlet><SalesOutletIdentifier><SalesOutletIDType>{kind}</SalesOutletIDType>{name}"
        f"<IDValue>{outlet}</IDValue></SalesOutletIdentifier></SalesOutlet>"
        for outlet in restriction.outlets
    )
    note = _name("SalesRestrictionNote", restriction.note or "")
    return f"<SalesRestriction><SalesRestrictionType>{restriction.code}</SalesRestrictionType>{outlets}{note}</SalesRestriction>"


def _contributor(place: int, person: Person) -> str:
    return (
        f"<Contributor><SequenceNumber>{place}</SequenceNumber><ContributorRole>{person.role}</ContributorRole>"
        f"<PersonName>{escape(person.first)} {escape(person.last)}</PersonName></Contributor>\n"
    )


def _price(charge: Charge) -> str:
    until = (
        f'<PriceDate><PriceDateRole>15</PriceDateRole><Date dateformat="00">{_day(charge.until)}</Date></PriceDate>'
        if charge.until
        else ""
    )
    return (
        f"<Price><PriceType>{charge.type}</PriceType><PriceQualifier>{charge.qualifier}</PriceQualifier>"
        f"<PriceAmount>{amount_text(charge.amount)}</PriceAmount><Tax><TaxType>01</TaxType><TaxRateCode>Z</TaxRateCode>"
        f"<TaxRatePercent>0</TaxRatePercent></Tax><CurrencyCode>{charge.currency}</CurrencyCode>{until}</Price>\n"
    )


def _name(element: str, text: str) -> str:
    return f"<{element}>{escape(text)}</{element}>" if text else ""


def _day(day: date | None) -> str:
    return f"{day:%Y%m%d}" if day else ""
