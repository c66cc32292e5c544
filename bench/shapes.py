"""The records of a feed as text: for each shape a template, and the variants of what differs from record to record.

A template is ONIX with reference names and slots like `@title@`. The variants of a slot are made once and shared by all
records, so that writing a record is no more than joining parts. Some comments and CDATA sections hold what looks like an end tag, so that a
reader that cuts corners counts wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from bench.plan import FeedPlan, Shape
from bench.variants import (
    MARKETS,
    Priced,
    Supply,
    contributors,
    one_price,
    one_supply,
    subjects,
    supply_by_market,
    text,
    vocabulary,
)

_NAMESPACES = {Shape.BOKBASEN: "http://ns.editeur.org/onix/3.1/reference"}
_NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
_SMALL = 4_000
"""Below this many bytes a record has fewer contributors, subjects and prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that the records of a plan are joined from.

    `raised` stands beside `prices`, variant by variant, with every amount changed and its length kept.
    """

    header: str
    template: str
    notice: str
    availabilities: tuple[str, str]
    variants: Mapping[str, tuple[str, ...]]
    prices: tuple[Priced, ...]
    raised: tuple[Priced, ...]
    texts: tuple[str, ...]
    extra_text: str


def parts_of(plan: FeedPlan) -> Parts:
    """The same for all editions of a catalogue."""
    return _parts(plan.shape, plan.seed, plan.record_bytes)


@lru_cache(maxsize=4)
def _parts(shape: Shape, seed: int, record_bytes: int) -> Parts:
    random = Random(f"{seed} parts")  # noqa: S311 - the same feed again matters here, not secrecy
    words = vocabulary(random)
    scale = min(1.0, record_bytes / _SMALL)
    markets = MARKETS[: max(1, round(len(MARKETS) * scale))]
    cents = [[random.randint(1_000, 7_999) for _ in range(2 * len(markets))] for _ in range(499)]
    supply = _SUPPLIES[shape]
    return Parts(
        header=_header(shape),
        template=_TEMPLATES[shape],
        notice=_NOTICE.replace("@identifiers@", _IDENTIFIERS[shape]),
        availabilities=("21", "40") if shape is Shape.BOKBASEN else ("20", "40"),
        variants={
            "title": tuple(" ".join(random.choices(words, k=4)).capitalize() for _ in range(2_003)),
            "contributors": tuple(contributors(random, words, scale) for _ in range(1_009)),
            "subjects": tuple(subjects(random, words, scale) for _ in range(509)),
            "publisher": tuple(f"{random.choice(words).capitalize()} &amp; Cie" for _ in range(211)),
            "date": tuple(
                f"20{random.randint(10, 26)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}" for _ in range(307)
            ),
            "pages": tuple(str(random.randint(60, 900)) for _ in range(101)),
            "language": ("fre", "eng", "nob", "dut"),
            "form": ("E101", "E107"),
            "protection": ("00", "02", "03"),
            "comment": ("",) * 9 + ("\n    <!-- relu; </Product> manque ailleurs -->",),
        },
        prices=tuple(supply(markets, amounts) for amounts in cents),
        raised=tuple(supply(markets, [amount + 100 for amount in amounts]) for amounts in cents),
        texts=tuple(text(random, words, number) for number in range(4_001)),
        extra_text=text(random, words, 2),
    )


def opening(plan: FeedPlan, header: str) -> str:
    """What stands before the records; `@edition@` in it is the number of the message."""
    root = f'<ONIXMessage xmlns="{_NAMESPACES.get(plan.shape, _NAMESPACE)}" release="{_release(plan.shape)}">'
    return f'<?xml version="1.0" encoding="{plan.encoding}"?>\n{root}\n{header}\n'


def _release(shape: Shape) -> str:
    return "3.1" if shape is Shape.BOKBASEN else "3.0"


def _header(shape: Shape) -> str:
    sender, time, defaults = _HEADERS[shape]
    return f"""  <Header>
    <Sender>{sender}</Sender>
    <MessageNumber>@edition@</MessageNumber>
    <SentDateTime>202611@day@{time}</SentDateTime>{defaults}
  </Header>"""


_SENDER = "<SenderIdentifier><SenderIDType>{0}</SenderIDType>{1}<IDValue>{2}</IDValue></SenderIdentifier>"
_FRENCH = "\n    <DefaultLanguageOfText>fre</DefaultLanguageOfText>"
_HEADERS = {
    Shape.HUB: ("<SenderName>Bench</SenderName>", "T0300Z", _FRENCH),
    Shape.DEMARQUE: (
        _SENDER.format("06", "<IDTypeName>DEMARQUE_ID</IDTypeName>", "BENC1") + "<SenderName>BENC</SenderName>",
        "T030000Z",
        _FRENCH + "\n    <DefaultCurrencyCode>EUR</DefaultCurrencyCode>",
    ),
    Shape.CB: (_SENDER.format("10", "", "1234567"), "T0350", ""),
    Shape.BOKBASEN: (
        _SENDER.format("01", "<IDTypeName>Bench</IDTypeName>", "902001") + "<SenderName>Bench AS</SenderName>",
        "T0300Z",
        "",
    ),
}


# --- the shapes


_IDENTIFIER = """
    <ProductIdentifier>
      <ProductIDType>{kind}</ProductIDType>{name}
      <IDValue>{value}</IDValue>
    </ProductIdentifier>"""


def _identifiers(*kinds: str, own: str = "") -> str:
    """EAN (03) or ISBN (15), and the sender's own number under a name."""
    numbered = [_IDENTIFIER.format(kind=kind, name="", value="@isbn@") for kind in kinds]
    if own:
        numbered.append(_IDENTIFIER.format(kind="01", name=f"\n      <IDTypeName>{own}</IDTypeName>", value="@number@"))
    return "".join(numbered)


_IDENTIFIERS = {
    Shape.HUB: _identifiers("15", own="bench"),
    Shape.DEMARQUE: _identifiers("15", "03", own="BENC"),
    Shape.CB: _identifiers("03"),
    Shape.BOKBASEN: _identifiers("03", "15", own="Bench_ProprietaryID"),
}

_NOTICE = """<Product>
    <RecordReference>@reference@</RecordReference>
    <NotificationType>05</NotificationType>@identifiers@
  </Product>"""

_RECORD = """<Product datestamp="20261101">
    <RecordReference>@reference@</RecordReference>
    <NotificationType>{notification}</NotificationType>@touch@@comment@{identifiers}
    <DescriptiveDetail>
      <ProductComposition>00</ProductComposition>
      <ProductForm>{form}</ProductForm>
      <ProductFormDetail>@form@</ProductFormDetail>
      <EpubTechnicalProtection>@protection@</EpubTechnicalProtection>
      <TitleDetail>
        <TitleType>01</TitleType>
        <TitleElement>
          <TitleElementLevel>01</TitleElementLevel>
          <TitleText>@title@</TitleText>
        </TitleElement>
      </TitleDetail>@contributors@
      <Language>
        <LanguageRole>01</LanguageRole>
        <LanguageCode>@language@</LanguageCode>
      </Language>
      <Extent>
        <ExtentType>00</ExtentType>
        <ExtentValue>@pages@</ExtentValue>
        <ExtentUnit>03</ExtentUnit>
      </Extent>@subjects@
    </DescriptiveDetail>
    <CollateralDetail>@texts@
      <SupportingResource>
        <ResourceContentType>01</ResourceContentType>
        <ContentAudience>00</ContentAudience>
        <ResourceMode>03</ResourceMode>
        <ResourceVersion>
          <ResourceForm>02</ResourceForm>
          <ResourceLink>https://covers.example/@isbn@.jpg</ResourceLink>
        </ResourceVersion>
      </SupportingResource>
    </CollateralDetail>{publishing}@supplies@
  </Product>"""

_PUBLISHING = """
    <PublishingDetail>
      <Imprint>
        <ImprintName>@publisher@</ImprintName>
      </Imprint>
      <Publisher>
        <PublishingRole>01</PublishingRole>
        <PublisherName>@publisher@</PublisherName>
      </Publisher>
      <PublishingStatus>04</PublishingStatus>
      <PublishingDate>
        <PublishingDateRole>{role}</PublishingDateRole>
        <Date dateformat="00">@date@</Date>
      </PublishingDate>
      <SalesRights>
        <SalesRightsType>01</SalesRightsType>
        <Territory>
          {territory}
        </Territory>
      </SalesRights>
    </PublishingDetail>"""


def _record(shape: Shape, *, notification: str, form: str, role: str, territory: str) -> str:
    publishing = _PUBLISHING.format(role=role, territory=territory)
    return _RECORD.format(notification=notification, form=form, identifiers=_IDENTIFIERS[shape], publishing=publishing)


_WORLD = "<RegionsIncluded>WORLD</RegionsIncluded>"
_COUNTRIES = f"<CountriesIncluded>{' '.join(country for country, _ in MARKETS)}</CountriesIncluded>"

_TEMPLATES = {
    Shape.HUB: _record(Shape.HUB, notification="03", form="ED", role="01", territory=_WORLD),
    Shape.DEMARQUE: _record(Shape.DEMARQUE, notification="03", form="EA", role="02", territory=_COUNTRIES),
    Shape.CB: _record(Shape.CB, notification="04", form="ED", role="01", territory=_WORLD),
    Shape.BOKBASEN: _record(Shape.BOKBASEN, notification="03", form="ED", role="11", territory=_WORLD),
}

_ON_SALE = "<MarketPublishingStatus>04</MarketPublishingStatus>"
_GREEN = "<MarketPublishingStatusNote>Grønn</MarketPublishingStatusNote>"

_SUPPLIES: Mapping[Shape, Supply] = {
    Shape.HUB: one_supply,
    Shape.DEMARQUE: supply_by_market,
    Shape.CB: one_price("02", "EUR", "NL", "CB", _ON_SALE),
    Shape.BOKBASEN: one_price("02", "NOK", "NO", "DDS", f"{_ON_SALE}\n        {_GREEN}"),
}
