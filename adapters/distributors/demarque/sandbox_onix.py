"""Writes the stub's feed: titles as ONIX 3.0 records in the shape of contract section 8, and messages around them.

A record is written for the instant it last changed (`Title.changed_at`), so that its bytes stay the same until it changes
again: time alone re-sends nothing in the NEW convention (9.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.sandbox_titles import Charge, Convention, Kind, Line, LineStatus, Title
from adapters.sandbox.catalogue import Book, BookMaker, Moment, Person, Publisher, amount_text
from adapters.sandbox.words import DISTRIBUTORS

NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
OLD_NAMESPACE = "http://www.editeur.org/onix/3.0/reference"
"""As records of 2015 carry it that had passed through another hub."""

_FORMS = {"epub": "EA", "pdf": "EA", "mobi": "EA", "audio": "AJ"}
_DETAILS = {"epub": ("E101", "E200"), "pdf": ("E107",), "mobi": ("E127",), "audio": ("A103",)}
_MARKET_STATUS = {
    LineStatus.LIVE: "04",
    LineStatus.UNAVAILABLE: "04",
    LineStatus.INACTIVE: "08",
    LineStatus.WITHDRAWN: "11",
}
_WITHDRAWN = LineStatus.WITHDRAWN
_LIBRARY_LICENCES = ("SOGANEL", "Dimedia", "PNB", "Licence maison du Fleuve")
_COVER_SIZES = (("small", 65), ("medium", 200), ("large", 1000))
_HUB_GLN = "3012600500008"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What is the same for every record of a platform: its prefix, its civil time, and whether the shop may see LCP (5.1)."""

    prefix: str
    zone: ZoneInfo
    lcp: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWriter:
    """Writes records of one platform from one maker of books."""

    platform: Platform
    maker: BookMaker

    def reference(self, title: Title) -> str:
        """The RecordReference: prefix, publication number, nature; library records end in -LIBRARIES."""
        ending = "-LIBRARIES" if title.kind is Kind.LIBRARY else ""
        return f"{self.platform.prefix}{title.number}-{title.format}{ending}"

    def record(self, title: Title, at: datetime) -> bytes:
        """One `Product`, as it is written when the record changes at that instant."""
        if title.deleted:
            parts = [self._opening(title, "05"), self._descriptive(title)]
        else:
            parts = [
                self._opening(title, "03"),
                self._descriptive(title),
                self._collateral(title),
                self._publishing(title, at),
                self._related(title),
                *self._supplies(title, at),
            ]
        return ("<Product>\n" + "".join(parts) + "</Product>\n").encode()

    # --- what it is

    def _opening(self, title: Title, notification: str) -> str:
        identifiers = [("15", title.isbn), ("03", title.isbn)] if title.isbn else []
        written = "".join(
            f"<ProductIdentifier><ProductIDType>{kind}</ProductIDType><IDValue>{value}</IDValue></ProductIdentifier>\n"
            for kind, value in identifiers
        )
        key = f"{self.platform.prefix}{title.number}"
        return (
            f"<RecordReference>{self.reference(title)}</RecordReference>\n"
            f"<NotificationType>{notification}</NotificationType>\n"
            f"{written}"
            "<ProductIdentifier><ProductIDType>01</ProductIDType><IDTypeName>internal_key</IDTypeName>"
            f"<IDValue>{key}</IDValue></ProductIdentifier>\n"
        )

    def _descriptive(self, title: Title) -> str:
        book = title.book
        form = "EB" if title.kind is Kind.LIBRARY else _FORMS[title.format]
        details = "".join(f"<ProductFormDetail>{code}</ProductFormDetail>\n" for code in _DETAILS[title.format])
        protections = [code for code in title.protections if code != "06" or self.platform.lcp] or ["03"]
        locks = "".join(f"<EpubTechnicalProtection>{code}</EpubTechnicalProtection>\n" for code in protections)
        people = "".join(self._contributor(book, place, person) for place, person in enumerate(book.people, start=1))
        return (
            "<DescriptiveDetail>\n<ProductComposition>00</ProductComposition>\n"
            f"<ProductForm>{form}</ProductForm>\n{details}{_licence(title)}{locks}{_usage(protections)}"
            f"{_collection(book)}{_title(title)}{people}"
            "<NoEdition/>\n"
            f"<Language><LanguageRole>01</LanguageRole><LanguageCode>{book.language}</LanguageCode></Language>\n"
            f"{_extents(title)}{_subjects(book)}"
            "<Audience><AudienceCodeType>01</AudienceCodeType><AudienceCodeValue>01</AudienceCodeValue></Audience>\n"
            "</DescriptiveDetail>\n"
        )

    def _contributor(self, book: Book, place: int, person: Person) -> str:
        first, last = escape(person.first), escape(person.last)
        return (
            f"<Contributor>\n<SequenceNumber>{place}</SequenceNumber>\n<ContributorRole>{person.role}</ContributorRole>\n"
            f"<PersonName>{first} {last}</PersonName>\n<PersonNameInverted>{last}, {first}</PersonNameInverted>\n"
            f"<NamesBeforeKey>{first}</NamesBeforeKey>\n<KeyNames>{last}</KeyNames>\n"
            f"<BiographicalNote><![CDATA[{self.maker.biography(book, person)}]]></BiographicalNote>\n</Contributor>\n"
        )

    def _collateral(self, title: Title) -> str:
        description = self.maker.description(title.book)
        if title.tricky_text:
            description += "<p>Un fichier ONIX se termine par </Product></ONIXMessage>, dit-on ; pas celui-ci.</p>"
        note = "<!-- relu : </Product> ne finit rien ici -->\n" if title.tricky_text else ""
        base = f"https://assets-{self.platform.prefix.lower()}.example/medias/{title.number}"
        return (
            f"<CollateralDetail>\n{note}"
            "<TextContent>\n<TextType>03</TextType>\n<ContentAudience>00</ContentAudience>\n"
            f"<Text><![CDATA[{description}]]></Text>\n</TextContent>\n"
            f"{self._cover(title, base, 'original', None)}"
            f"{''.join(self._cover(title, base, name, width) for name, width in _COVER_SIZES)}"
            f"{self._excerpt(title, base)}"
            "</CollateralDetail>\n"
        )

    def _cover(self, title: Title, base: str, name: str, width: int | None) -> str:
        query = "" if width is None else f"?h=-&amp;w={width}"
        size = "" if width is None else _version_feature("03", str(width))
        return (
            "<SupportingResource>\n<ResourceContentType>01</ResourceContentType>\n<ContentAudience>00</ContentAudience>\n"
            "<ResourceMode>03</ResourceMode>\n<ResourceFeature><ResourceFeatureType>02</ResourceFeatureType>"
            f"<FeatureValue>front_cover_{name}</FeatureValue></ResourceFeature>\n"
            "<ResourceVersion>\n<ResourceForm>02</ResourceForm>\n"
            f"{_version_feature('01', 'D502')}{size}"
            f"<ResourceLink>{base}/front_cover.jpg{query}</ResourceLink>\n"
            f"{self._dated('ContentDate', 'ContentDateRole', '17', title.published, title)}"
            "</ResourceVersion>\n</SupportingResource>\n"
        )

    def _excerpt(self, title: Title, base: str) -> str:
        return (
            "<SupportingResource>\n<ResourceContentType>15</ResourceContentType>\n<ContentAudience>00</ContentAudience>\n"
            "<ResourceMode>04</ResourceMode>\n<ResourceVersion>\n<ResourceForm>02</ResourceForm>\n"
            f"{_version_feature('01', 'D401')}<ResourceLink>{base}/excerpt.pdf</ResourceLink>\n"
            f"{self._dated('ContentDate', 'ContentDateRole', '17', title.published, title)}"
            "</ResourceVersion>\n</SupportingResource>\n"
        )

    # --- what may be done with it

    def _publishing(self, title: Title, at: datetime) -> str:
        publisher = title.book.publisher
        return (
            "<PublishingDetail>\n"
            f"<Imprint><ImprintName>{escape(title.book.imprint)}</ImprintName></Imprint>\n"
            "<Publisher>\n<PublishingRole>01</PublishingRole>\n"
            f"{self._publisher_identifiers(publisher)}<PublisherName>{escape(publisher.name)}</PublisherName>\n</Publisher>\n"
            f"<PublishingStatus>{publishing_status(title, at)}</PublishingStatus>\n"
            f"{self._publishing_dates(title)}{_rights(title, at)}{_restriction(title)}"
            "</PublishingDetail>\n"
        )

    def _publisher_identifiers(self, publisher: Publisher) -> str:
        """The DM_GLOBAL_ID and GLN by which publishers.json names the house (contract 6.1)."""
        return (
            "<PublisherIdentifier><PublisherIDType>01</PublisherIDType><IDTypeName>DM_GLOBAL_ID</IDTypeName>"
            f"<IDValue>{self.platform.prefix}{publisher.number}</IDValue></PublisherIdentifier>\n"
            "<PublisherIdentifier><PublisherIDType>06</PublisherIDType>"
            f"<IDValue>{publisher.gln}</IDValue></PublisherIdentifier>\n"
        )

    def _publishing_dates(self, title: Title) -> str:
        dates: list[tuple[str, Moment]] = [("01", title.published)]
        if title.convention is Convention.NEW and (start := _global_start(title)) is not None:
            dates.append(("02", start))
        if title.preorder_at is not None:
            dates.append(("09", title.preorder_at))
        dates.append(("19", title.published))
        return "".join(
            self._dated("PublishingDate", "PublishingDateRole", role, moment, title) for role, moment in dates
        )

    def _related(self, title: Title) -> str:
        paper = self.maker.isbn(5_000_000 + title.number, language=title.book.language)
        return (
            "<RelatedMaterial>\n<RelatedProduct><ProductRelationCode>13</ProductRelationCode>"
            f"<ProductIdentifier><ProductIDType>03</ProductIDType><IDValue>{paper}</IDValue></ProductIdentifier>"
            "</RelatedProduct>\n</RelatedMaterial>\n"
        )

    def _supplies(self, title: Title, at: datetime) -> Iterable[str]:
        blocks = _blocks(title)
        named = title.convention is Convention.NEW or len(blocks) > 1
        for status, release, lines in blocks:
            yield self._supply(
                title, status, release, lines, at, market=_market(lines) if named or status is _WITHDRAWN else ""
            )

    def _supply(
        self,
        title: Title,
        status: LineStatus,
        release: Moment | None,
        lines: Sequence[Line],
        at: datetime,
        *,
        market: str,
    ) -> str:
        dated = title.convention is Convention.NEW and release is not None
        market_date = self._dated("MarketDate", "MarketDateRole", "01", release, title) if dated and release else ""
        market_status = "11" if title.withdrawn else _market_status(title, status, at)
        supply_date = (
            self._dated("SupplyDate", "SupplyDateRole", title.supply_role, release, title)
            if release is not None
            else ""
        )
        prices = "".join(self._prices(title, line, at) for line in lines)
        return (
            f"<ProductSupply>\n{market}<MarketPublishingDetail>\n{self._representative(title.book.publisher)}"
            f"<MarketPublishingStatus>{market_status}</MarketPublishingStatus>\n{market_date}</MarketPublishingDetail>\n"
            "<SupplyDetail>\n<Supplier>\n<SupplierRole>06</SupplierRole>\n"
            f"<SupplierIdentifier><SupplierIDType>06</SupplierIDType><IDValue>{_HUB_GLN}</IDValue></SupplierIdentifier>\n"
            f"<SupplierName>{self.platform.prefix}</SupplierName>\n</Supplier>\n"
            f"<ProductAvailability>{_availability(title, status, at)}</ProductAvailability>\n{supply_date}"
            f"{prices or '<UnpricedItemType>02</UnpricedItemType>' + chr(10)}"
            "</SupplyDetail>\n</ProductSupply>\n"
        )

    def _representative(self, publisher: Publisher) -> str:
        if publisher.distributor is None:
            return ""
        _, name, gln = DISTRIBUTORS[publisher.distributor - 1]
        return (
            "<PublisherRepresentative>\n<AgentRole>08</AgentRole>\n"
            f"<AgentIdentifier><AgentIDType>06</AgentIDType><IDValue>{gln}</IDValue></AgentIdentifier>\n"
            f"<AgentName>{escape(name)}</AgentName>\n</PublisherRepresentative>\n"
        )

    def _prices(self, title: Title, line: Line, at: datetime) -> str:
        territory = " ".join(line.countries)
        return "".join(
            f"<Price>\n<PriceType>{charge.type}</PriceType>\n<PriceQualifier>05</PriceQualifier>\n"
            f"<PriceStatus>02</PriceStatus>\n<PriceAmount>{amount_text(charge.amount)}</PriceAmount>\n{_tax(charge)}"
            f"<CurrencyCode>{line.currency}</CurrencyCode>\n"
            f"<Territory><CountriesIncluded>{territory}</CountriesIncluded></Territory>\n"
            f"{self._price_dates(title, charge, at)}</Price>\n"
            for charge in line.charges
        )

    def _price_dates(self, title: Title, charge: Charge, at: datetime) -> str:
        """Roles 14 and 15: the NEW convention leaves out the start of the price in force, the OLD one the end (section 10)."""
        dates = []
        new = title.convention is Convention.NEW
        since = charge.since if new else charge.since or _old_price_start(title, at)
        if since is not None and not (new and since.passed(at)):
            dates.append(("14", since))
        if charge.until is not None and new:
            until = charge.until
            if charge.closed:
                until = Moment(at=until.at - timedelta(hours=12), timed=False)
            dates.append(("15", until))
        return "".join(self._dated("PriceDate", "PriceDateRole", role, moment, title) for role, moment in dates)

    def _dated(self, element: str, role_element: str, role: str, moment: Moment, title: Title) -> str:
        form, text = self.date_text(moment, extended=title.extended_dates)
        return (
            f"<{element}><{role_element}>{role}</{role_element}><DateFormat>{form}</DateFormat>"
            f"<Date>{text}</Date></{element}>\n"
        )

    def date_text(self, moment: Moment, *, extended: bool = False) -> tuple[str, str]:
        """The code of list 55 and the text: an instant in the platform's civil time, or its day there (contract 8.1)."""
        local = moment.at.astimezone(self.platform.zone)
        if extended:
            return "14", local.isoformat(timespec="seconds")
        if moment.timed:
            return "14", local.strftime("%Y%m%dT%H%M%S%z")
        return "00", local.strftime("%Y%m%d")


def message(records: Iterable[bytes], *, platform: Platform, namespace: str, number: int, sent_at: datetime) -> bytes:
    """A whole ONIXMessage around records."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ONIXMessage xmlns="{namespace}" release="3.0">\n<Header>\n<Sender>\n<SenderIdentifier>'
        "<SenderIDType>06</SenderIDType><IDTypeName>DEMARQUE_ID</IDTypeName>"
        f"<IDValue>{platform.prefix}</IDValue></SenderIdentifier>\n<SenderName>{platform.prefix}</SenderName>\n</Sender>\n"
        f"<MessageNumber>{number}</MessageNumber>\n"
        f"<SentDateTime>{sent_at.astimezone(UTC):%Y%m%dT%H%M%SZ}</SentDateTime>\n"
        "<DefaultLanguageOfText>fre</DefaultLanguageOfText>\n<DefaultCurrencyCode>CAD</DefaultCurrencyCode>\n</Header>\n"
    )
    return b"".join([head.encode(), *records, b"</ONIXMessage>\n"])


# --- indicators ---------------------------------------------------------------------------------------------------------


def _is_positive(title: Title, at: datetime) -> bool:
    """Whether the record's indicators say that it is sold: NEW from the start of the preorder on, OLD from the release on."""
    if not title.active or title.withdrawn:
        return False
    return title.convention is Convention.NEW or title.premature or title.released(at)


def publishing_status(title: Title, at: datetime) -> str:
    """List 64: 04, 08 or 11."""
    if title.withdrawn:
        return "11"
    return "04" if _is_positive(title, at) else "08"


def _rights(title: Title, at: datetime) -> str:
    countries = sorted({c for line in title.lines for c in line.countries if title.has_rights(c)})
    if not _is_positive(title, at) or not countries:
        return (
            "<SalesRights>\n<SalesRightsType>03</SalesRightsType>\n"
            "<Territory><RegionsIncluded>WORLD</RegionsIncluded></Territory>\n</SalesRights>\n"
        )
    return (
        "<SalesRights>\n<SalesRightsType>01</SalesRightsType>\n"
        f"<Territory><CountriesIncluded>{' '.join(countries)}</CountriesIncluded></Territory>\n</SalesRights>\n"
    )


def _restriction(title: Title) -> str:
    if title.kind is not Kind.LIBRARY:
        return ""
    return "<SalesRestriction><SalesRestrictionType>06</SalesRestrictionType></SalesRestriction>\n"


def _market_status(title: Title, status: LineStatus, at: datetime) -> str:
    if status is LineStatus.LIVE and not _is_positive(title, at):
        return "08"
    return _MARKET_STATUS[status]


def _availability(title: Title, status: LineStatus, at: datetime) -> str:
    return "20" if status is LineStatus.LIVE and _is_positive(title, at) else "40"


def _global_start(title: Title) -> Moment | None:
    """PublishingDate 02: the earliest start of any live market, none where one has no start at all (9, step 2)."""
    releases = [line.release for line in title.lines if line.status not in {LineStatus.GONE, LineStatus.OUTSIDE}]
    if not releases or any(release is None for release in releases):
        return None
    return min(release for release in releases if release is not None)


def _blocks(title: Title) -> list[tuple[LineStatus, Moment | None, list[Line]]]:
    """Lines that share status and start stand in one ProductSupply, whose prices carry their own territories."""
    blocks: dict[tuple[LineStatus, Moment | None], list[Line]] = {}
    for line in title.lines:
        if line.status not in {LineStatus.GONE, LineStatus.OUTSIDE}:
            blocks.setdefault((line.status, title.release_of(line)), []).append(line)
    return [(status, release, lines) for (status, release), lines in blocks.items()]


def _old_price_start(title: Title, at: datetime) -> Moment | None:
    """The OLD convention names the start even of a price that holds already: a day that surely has passed."""
    return next((m for m in (title.published, title.preorder_at) if m is not None and m.passed(at)), None)


def _market(lines: Sequence[Line]) -> str:
    countries = " ".join(sorted({country for line in lines for country in line.countries}))
    return f"<Market>\n<Territory><CountriesIncluded>{countries}</CountriesIncluded></Territory>\n</Market>\n"


# --- small pieces -------------------------------------------------------------------------------------------------------


def _licence(title: Title) -> str:
    if title.kind is not Kind.LIBRARY:
        return ""
    name = _LIBRARY_LICENCES[title.number % len(_LIBRARY_LICENCES)]
    return (
        "<ProductFormFeature><ProductFormFeatureType>07</ProductFormFeatureType>"
        f"<ProductFormFeatureDescription>{name}</ProductFormFeatureDescription></ProductFormFeature>\n"
    )


def _usage(protections: Sequence[str]) -> str:
    """Usage rights of a retail record: print, copy, share; devices as limit unit 06 (contract 5.1)."""
    if "03" not in protections and "06" not in protections:
        return ""
    limited = (
        "<EpubUsageConstraint><EpubUsageType>{type}</EpubUsageType><EpubUsageStatus>02</EpubUsageStatus>"
        "<EpubUsageLimit><Quantity>{quantity}</Quantity><EpubUsageUnit>{unit}</EpubUsageUnit></EpubUsageLimit>"
        "</EpubUsageConstraint>\n"
    )
    return (
        limited.format(type="02", quantity=20, unit="05")
        + limited.format(type="03", quantity=20, unit="05")
        + limited.format(type="04", quantity=6, unit="06")
    )


def _collection(book: Book) -> str:
    if book.series is None:
        return ""
    return (
        "<Collection><CollectionType>10</CollectionType><TitleDetail><TitleType>01</TitleType><TitleElement>"
        f"<TitleElementLevel>02</TitleElementLevel><TitleText>{escape(book.series)}</TitleText></TitleElement>"
        "</TitleDetail></Collection>\n"
    )


def _title(title: Title) -> str:
    subtitle = f"<Subtitle>{escape(title.book.subtitle)}</Subtitle>\n" if title.book.subtitle else ""
    return (
        "<TitleDetail>\n<TitleType>01</TitleType>\n<TitleElement>\n<TitleElementLevel>01</TitleElementLevel>\n"
        f"<TitleText>{escape(title.name or title.book.title)}</TitleText>\n{subtitle}</TitleElement>\n</TitleDetail>\n"
    )


def _extents(title: Title) -> str:
    if title.format == "audio":
        return (
            f"<Extent><ExtentType>09</ExtentType><ExtentValue>{title.book.pages * 2}</ExtentValue>"
            "<ExtentUnit>05</ExtentUnit></Extent>\n"
        )
    return (
        f"<Extent><ExtentType>22</ExtentType><ExtentValue>{title.book.pages / 100:.2f}</ExtentValue>"
        "<ExtentUnit>19</ExtentUnit></Extent>\n"
        f"<Extent><ExtentType>00</ExtentType><ExtentValue>{title.book.pages}</ExtentValue>"
        "<ExtentUnit>03</ExtentUnit></Extent>\n"
    )


def _subjects(book: Book) -> str:
    subject = book.subject
    coded = "".join(
        f"<Subject>{main}<SubjectSchemeIdentifier>{scheme}</SubjectSchemeIdentifier>"
        f"<SubjectCode>{code}</SubjectCode><SubjectHeadingText>{escape(subject.heading)}</SubjectHeadingText></Subject>\n"
        for main, scheme, code in (
            ("<MainSubject/>", "10", subject.bisac),
            ("", "93", subject.thema),
            ("", "29", subject.clil),
        )
    )
    keywords = escape("; ".join(book.keywords))
    return (
        f"{coded}<Subject><SubjectSchemeIdentifier>20</SubjectSchemeIdentifier>"
        f"<SubjectHeadingText>{keywords}</SubjectHeadingText></Subject>\n"
    )


def _version_feature(kind: str, value: str) -> str:
    return (
        f"<ResourceVersionFeature><ResourceVersionFeatureType>{kind}</ResourceVersionFeatureType>"
        f"<FeatureValue>{value}</FeatureValue></ResourceVersionFeature>\n"
    )


def _tax(charge: Charge) -> str:
    if charge.tax_percent is None:
        return ""
    if charge.type in {"02", "04", "42"}:
        rate = charge.tax_percent.normalize()
        return (
            f"<Tax><TaxType>01</TaxType><TaxRateCode>R</TaxRateCode><TaxRatePercent>{rate:f}</TaxRatePercent></Tax>\n"
        )
    tax = charge.gross - charge.amount
    return (
        "<Tax><TaxType>01</TaxType><TaxRateCode>R</TaxRateCode>"
        f"<TaxRatePercent>{charge.tax_percent.normalize():f}</TaxRatePercent>"
        f"<TaxableAmount>{amount_text(charge.amount)}</TaxableAmount><TaxAmount>{amount_text(tax)}</TaxAmount></Tax>\n"
    )
