"""Makes ONIX feeds of any size for the benchmark: the same seed gives the same bytes, and a later edition of them.

A record looks like what e-book hubs send: several contributors and subjects, marked-up descriptions (some in CDATA),
comments here and there, a price for each of several markets. Some comments and CDATA sections hold what looks like an end
tag, so that a reader that cuts corners counts wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from stdnum import ean

MARKETS = (("CA", "CAD"), ("US", "USD"), ("FR", "EUR"), ("BE", "EUR"), ("CH", "CHF"), ("GB", "GBP"))
_TEXT = (
    "la mer est calme ce soir et rien ne bouge sous les étoiles un homme marche vers le phare sans se retourner "
    "the house stood empty for years until a letter came from an uncle nobody remembered and the door was opened "
    "det var en gang en øy langt mot nord der vinden aldri hvilte over het water hing een dunne mist toen zij "
    "een brief vond naïve café déjà façade œuvre garçon Zürich straße fjord háček piñata señor łódź"
)
WORDS = _TEXT.split()
_RECORDS_A_WRITE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed on disk: how many records it holds and how many of them differ from the first edition of the same seed."""

    path: Path
    records: int
    bytes: int
    changed: int


def write_feed(path: Path, *, records: int, seed: int, changed_share: float = 0.0) -> Feed:
    """Write a message of so many records, in constant memory.

    `changed_share` (0 to 1) of its records differ from the first edition: a third each in a price and in the availability,
    at the same length, and a third in a longer description. The header differs, too, as it does from day to day.
    """
    random = Random(f"{seed} text")  # noqa: S311 - the same feed again matters here, not secrecy
    changed = changed_records(records, seed, changed_share)
    paragraphs = [_paragraph(random) for _ in range(400)]
    numbers = iter(range(records))
    with path.open("wb") as file:
        file.write(_opening(edition=1 if changed else 0))
        while batch := list(islice(numbers, _RECORDS_A_WRITE)):
            file.writelines(_record(number, seed, paragraphs, is_changed=number in changed) for number in batch)
        file.write(b"</ONIXMessage>\n")
        size = file.tell()
    return Feed(path=path, records=records, bytes=size, changed=len(changed))


def changed_records(records: int, seed: int, share: float) -> frozenset[int]:
    """The numbers of the records that differ in a later edition; exactly the share, rounded."""
    random = Random(f"{seed} changed")  # noqa: S311 - as above
    return frozenset(random.sample(range(records), round(records * share)))


def reference(number: int) -> str:
    """The RecordReference of the record with this number."""
    return f"com.example.bench.{number:09d}"


def _opening(edition: int) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">
  <Header>
    <Sender>
      <SenderName>Bench</SenderName>
    </Sender>
    <MessageNumber>{1 + edition}</MessageNumber>
    <SentDateTime>202611{20 + edition}T0300Z</SentDateTime>
    <DefaultLanguageOfText>fre</DefaultLanguageOfText>
  </Header>
""".encode()


def _paragraph(random: Random) -> str:
    sentences = (" ".join(random.choices(WORDS, k=random.randint(6, 18))).capitalize() + "." for _ in range(5))
    return " ".join(sentences)


def _record(number: int, seed: int, paragraphs: list[str], *, is_changed: bool) -> bytes:
    random = Random(seed * 1_000_003 + number)  # noqa: S311 - as above
    has_new_price = is_changed and number % 3 == 0
    is_unavailable = is_changed and number % 3 == 1
    has_new_text = is_changed and number % 3 == 2
    comment = "    <!-- relu; </Product> manque ailleurs -->\n" if random.random() < 0.1 else ""
    return f"""  <Product datestamp="20261101">
    <RecordReference>{reference(number)}</RecordReference>
    <NotificationType>03</NotificationType>
{comment}{_identifiers(number)}    <DescriptiveDetail>
      <ProductComposition>00</ProductComposition>
      <ProductForm>ED</ProductForm>
      <ProductFormDetail>{random.choice(("E101", "E107"))}</ProductFormDetail>
      <EpubTechnicalProtection>{random.choice(("00", "02", "03"))}</EpubTechnicalProtection>
      <TitleDetail>
        <TitleType>01</TitleType>
        <TitleElement>
          <TitleElementLevel>01</TitleElementLevel>
          <TitleText>{" ".join(random.choices(WORDS, k=5)).capitalize()}</TitleText>
        </TitleElement>
      </TitleDetail>
{_contributors(random)}      <Language>
        <LanguageRole>01</LanguageRole>
        <LanguageCode>{random.choice(("fre", "eng", "nor", "dut"))}</LanguageCode>
      </Language>
      <Extent>
        <ExtentType>00</ExtentType>
        <ExtentValue>{random.randint(60, 900)}</ExtentValue>
        <ExtentUnit>03</ExtentUnit>
      </Extent>
{_subjects(random)}    </DescriptiveDetail>
    <CollateralDetail>
{_texts(random, paragraphs, extra=" Édition revue." if has_new_text else "")}    </CollateralDetail>
    <PublishingDetail>
      <Imprint>
        <ImprintName>{random.choice(WORDS).capitalize()} &amp; Cie</ImprintName>
      </Imprint>
      <Publisher>
        <PublishingRole>01</PublishingRole>
        <PublisherName>{random.choice(WORDS).capitalize()}</PublisherName>
      </Publisher>
      <PublishingStatus>04</PublishingStatus>
      <PublishingDate>
        <PublishingDateRole>01</PublishingDateRole>
        <Date dateformat="00">20{random.randint(10, 26)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}</Date>
      </PublishingDate>
      <SalesRights>
        <SalesRightsType>01</SalesRightsType>
        <Territory>
          <RegionsIncluded>WORLD</RegionsIncluded>
        </Territory>
      </SalesRights>
    </PublishingDetail>
{_supply(random, "40" if is_unavailable else "20", 1 if has_new_price else 0)}  </Product>
""".encode()


def _identifiers(number: int) -> str:
    stem = f"978{number % 1_000_000_000:09d}"
    return f"""    <ProductIdentifier>
      <ProductIDType>01</ProductIDType>
      <IDTypeName>bench</IDTypeName>
      <IDValue>{number}</IDValue>
    </ProductIdentifier>
    <ProductIdentifier>
      <ProductIDType>15</ProductIDType>
      <IDValue>{stem}{ean.calc_check_digit(stem)}</IDValue>
    </ProductIdentifier>
"""


def _contributors(random: Random) -> str:
    return "".join(
        f"""      <Contributor>
        <SequenceNumber>{place}</SequenceNumber>
        <ContributorRole>{"A01" if place == 1 else "B06"}</ContributorRole>
        <NamesBeforeKey>{random.choice(WORDS).capitalize()}</NamesBeforeKey>
        <KeyNames>{random.choice(WORDS).capitalize()}</KeyNames>
        <BiographicalNote textformat="06">{" ".join(random.choices(WORDS, k=30)).capitalize()}.</BiographicalNote>
      </Contributor>
"""
        for place in range(1, random.randint(2, 4))
    )


def _subjects(random: Random) -> str:
    return "".join(
        f"""      <Subject>
        <SubjectSchemeIdentifier>{random.choice(("10", "29", "93"))}</SubjectSchemeIdentifier>
        <SubjectCode>FIC{random.randint(0, 99):02d}0000</SubjectCode>
        <SubjectHeadingText>{random.choice(WORDS)} / {random.choice(WORDS)}</SubjectHeadingText>
      </Subject>
"""
        for _ in range(random.randint(3, 7))
    )


def _texts(random: Random, paragraphs: list[str], extra: str) -> str:
    shown = [random.choice(paragraphs) + extra, random.choice(paragraphs)]
    style = random.random()
    if style < 0.3:
        content = f"<![CDATA[<p>{'</p><p>'.join(shown)}</p>{'</Product>' if style < 0.03 else ''}]]>"
        kind = "02"
    elif style < 0.6:
        content, kind = "".join(f"<p>{paragraph}</p>" for paragraph in shown), "05"
    else:
        content, kind = "\n\n".join(shown), "06"
    return f"""      <TextContent>
        <TextType>03</TextType>
        <ContentAudience>00</ContentAudience>
        <Text textformat="{kind}">{content}</Text>
      </TextContent>
      <SupportingResource>
        <ResourceContentType>01</ResourceContentType>
        <ContentAudience>00</ContentAudience>
        <ResourceMode>03</ResourceMode>
        <ResourceVersion>
          <ResourceForm>02</ResourceForm>
          <ResourceLink>https://covers.example/{random.randrange(10**9):09d}.jpg</ResourceLink>
        </ResourceVersion>
      </SupportingResource>
"""


def _supply(random: Random, availability: str, raised: int) -> str:
    prices = "".join(
        f"""        <Price>
          <PriceType>{price_type}</PriceType>
          <PriceAmount>{random.randint(10, 80) + raised}.{random.choice(("00", "49", "99"))}</PriceAmount>
          <CurrencyCode>{currency}</CurrencyCode>
          <Territory>
            <CountriesIncluded>{country}</CountriesIncluded>
          </Territory>
        </Price>
"""
        for country, currency in MARKETS
        for price_type in ("01", "41")
    )
    return f"""    <ProductSupply>
      <SupplyDetail>
        <Supplier>
          <SupplierRole>03</SupplierRole>
          <SupplierName>Bench</SupplierName>
        </Supplier>
        <ProductAvailability>{availability}</ProductAvailability>
{prices}      </SupplyDetail>
    </ProductSupply>
"""
