"""Writes the CB stub's records: audiobooks as Luisterhuis' feed has them (contract 4), e-books as the file feed does (contract 10)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from xml.sax.saxutils import escape

from adapters.distributors.cb.sandbox_titles import CB_NAME, ZONE, Charge, Title
from adapters.sandbox.catalogue import BookMaker, Person, amount_text

NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
RELATION_ID = "7414440"
_PREFIXES = ("van der ", "van den ", "van ", "de ", "von ")


class RecordWriter:
    """Writes records; a record's bytes change only when its title does."""

    def __init__(self, maker: BookMaker) -> None:
        self._maker = maker

    def record(self, title: Title, at: datetime) -> bytes:
        """One `Product` as it is at that instant. The supply comes before the publishing details, as the manual has it."""
        notification = "05" if title.is_deleted else "04"
        parts = [_opening(title, notification)]
        if not title.is_deleted:
            parts += [self._descriptive(title), self._collateral(title), _supply(title, at), _publishing(title, at)]
        return f"<Product{title.datestamp}>\n{''.join(parts)}</Product>\n".encode()

    def _descriptive(self, title: Title) -> str:
        book = title.book
        if title.is_audio:
            form = "<ProductForm>AJ</ProductForm><ProductFormDetail>A103</ProductFormDetail>"
            content = "<PrimaryContentType>01</PrimaryContentType>"
        else:
            form = "<ProductForm>EA</ProductForm><ProductFormDetail>E101</ProductFormDetail>"
            content = "<EpubTechnicalProtection>02</EpubTechnicalProtection>"
        people = "".join(_contributor(place, person) for place, person in enumerate(book.people, 1))
        edition = "<EditionType>UBR</EditionType>" if title.is_audio else "<NoEdition/>"
        spoken = f"<Language><LanguageRole>08</LanguageRole><LanguageCode>{book.language}</LanguageCode></Language>"
        return (
            "<DescriptiveDetail>\n<ProductComposition>00</ProductComposition>"
            f"{form}{content}\n{_collection(title)}"
            "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
            f"<TitleText>{escape(title.name or book.title)}</TitleText></TitleElement></TitleDetail>\n"
            f"{people}{edition}"
            f"<Language><LanguageRole>01</LanguageRole><LanguageCode>{book.language}</LanguageCode></Language>"
            f"{spoken if title.is_audio else ''}\n</DescriptiveDetail>\n"
        )

    def _collateral(self, title: Title) -> str:
        long = self._maker.description(title.book)
        short = escape(title.book.keywords[0])[:200]
        sample = ""
        if title.is_audio:
            sample = (
                "<SupportingResource><ResourceContentType>15</ResourceContentType><ContentAudience>00</ContentAudience>"
                "<ResourceMode>02</ResourceMode><ResourceVersion><ResourceForm>02</ResourceForm>"
                "<ResourceVersionFeature><ResourceVersionFeatureType>01</ResourceVersionFeatureType>"
                "<FeatureValue>A103</FeatureValue></ResourceVersionFeature>"
                f"<ResourceLink>https://assets.luisterhuis.example/sample/{title.isbn}</ResourceLink>"
                "</ResourceVersion></SupportingResource>\n"
            )
        return (
            "<CollateralDetail>\n"
            f"<TextContent><TextType>02</TextType><ContentAudience>00</ContentAudience><Text>{short}</Text></TextContent>\n"
            "<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience>"
            f'<Text textformat="02"><![CDATA[{long}]]></Text></TextContent>\n{sample}</CollateralDetail>\n'
        )


def message(records: Iterable[bytes], *, number: int, sent_at: datetime) -> bytes:
    """An ONIX message; one without records says so (contract 10)."""
    body = b"".join(records) or b"<NoProduct/>\n"
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ONIXMessage release="3.0" xmlns="{NAMESPACE}">\n<Header>\n'
        f"<Sender><SenderIdentifier><SenderIDType>10</SenderIDType><IDValue>{RELATION_ID}</IDValue></SenderIdentifier>"
        f"<SenderName>{CB_NAME}</SenderName></Sender>\n<MessageNumber>{number}</MessageNumber>"
        f"<SentDateTime>{sent_at.astimezone(ZONE):%Y%m%dT%H%M%S}</SentDateTime>\n</Header>\n"
    )
    return head.encode() + body + b"</ONIXMessage>\n"


def _opening(title: Title, notification: str) -> str:
    kinds = ("15", "03") if title.is_audio else ("03",)
    identifiers = "".join(
        f"<ProductIdentifier><ProductIDType>{kind}</ProductIDType><IDValue>{title.isbn}</IDValue></ProductIdentifier>\n"
        for kind in kinds
    )
    return (
        f"<RecordReference>{title.isbn}</RecordReference>\n<NotificationType>{notification}</NotificationType>\n"
        f"{identifiers}"
    )


def _contributor(place: int, person: Person) -> str:
    prefix = next((prefix for prefix in _PREFIXES if person.last.lower().startswith(prefix)), "")
    named = f"<PrefixToKey>{escape(prefix.strip())}</PrefixToKey>" if prefix else ""
    return (
        f"<Contributor><SequenceNumber>{place}</SequenceNumber><ContributorRole>{person.role}</ContributorRole>"
        f"<NamesBeforeKey>{escape(person.first)}</NamesBeforeKey>{named}"
        f"<KeyNames>{escape(person.last[len(prefix) :])}</KeyNames></Contributor>\n"
    )


def _collection(title: Title) -> str:
    if not title.book.series:
        return "<NoCollection/>\n"
    return (
        "<Collection><CollectionType>10</CollectionType><TitleDetail><TitleType>01</TitleType><TitleElement>"
        "<TitleElementLevel>02</TitleElementLevel><PartNumber>1</PartNumber>"
        f"<TitleText>{escape(title.book.series)}</TitleText></TitleElement></TitleDetail></Collection>\n"
    )


def _supply(title: Title, at: datetime) -> str:
    own = title.availability_at(at)
    details = [] if own is None else [_detail(title, CB_NAME, own)]
    details += [_detail(title, name, availability) for name, availability in title.others]
    return f"<ProductSupply>\n{''.join(details)}</ProductSupply>\n" if details else ""


def _detail(title: Title, supplier: str, availability: str) -> str:
    supplied = ""
    if title.supplied:
        day = _day(title, title.supplied)
        supplied = f"<SupplyDate><SupplyDateRole>08</SupplyDateRole>{day}</SupplyDate>"
    prices = "".join(_price(title, charge) for charge in title.charges) or "<UnpricedItemType>02</UnpricedItemType>"
    return (
        f"<SupplyDetail><Supplier><SupplierRole>03</SupplierRole><SupplierName>{escape(supplier)}</SupplierName></Supplier>"
        f"<ProductAvailability>{availability}</ProductAvailability>{supplied}\n{prices}</SupplyDetail>\n"
    )


def _price(title: Title, charge: Charge) -> str:
    dates = "".join(
        f"<PriceDate><PriceDateRole>{role}</PriceDateRole>{_day(title, day)}</PriceDate>"
        for role, day in (("14", charge.since), ("15", charge.until))
        if day is not None
    )
    tax = (
        ""
        if charge.tax is None
        else (
            f"<Tax><TaxType>01</TaxType><TaxRateCode>R</TaxRateCode><TaxRatePercent>{charge.tax}</TaxRatePercent></Tax>"
        )
    )
    return (
        f"<Price><PriceType>{charge.type}</PriceType><PriceAmount>{amount_text(charge.amount)}</PriceAmount>"
        f"{tax}<CurrencyCode>{charge.currency}</CurrencyCode>{dates}</Price>\n"
    )


def _publishing(title: Title, at: datetime) -> str:
    published = ""
    if on := title.published_at(at):
        day = _day(title, on)
        published = f"<PublishingDate><PublishingDateRole>01</PublishingDateRole>{day}</PublishingDate>"
    return (
        "<PublishingDetail><Publisher><PublishingRole>01</PublishingRole>"
        f"<PublisherName>{escape(title.book.publisher.name)}</PublisherName></Publisher>"
        f"<PublishingStatus>{title.status_at(at)}</PublishingStatus>{published}</PublishingDetail>\n"
    )


def _day(title: Title, day: date) -> str:
    """Luisterhuis names the format in an attribute, the file feed in an element of its own (contract 4)."""
    text = f"{day:%Y%m%d}"
    if title.is_audio:
        return f'<Date dateformat="00">{text}</Date>'
    return f"<DateFormat>00</DateFormat><Date>{text}</Date>"
