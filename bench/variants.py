"""What differs from record to record of a feed: contributors, subjects, texts, and supplies with their prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Markets = tuple[tuple[str, str], ...]
MARKETS = (("CA", "CAD"), ("US", "USD"), ("FR", "EUR"), ("BE", "EUR"), ("CH", "CHF"), ("GB", "GBP"))
_TEXT = (
    "la mer est calme ce soir et rien ne bouge sous les étoiles un homme marche vers le phare sans se retourner "
    "the house stood empty for years until a letter came from an uncle nobody remembered and the door was opened "
    "det var en gang en øy langt mot nord der vinden aldri hvilte over het water hing een dunne mist toen zij "
    "een brief vond naïve café déjà façade garçon Zürich straße piñata señor århus"
)
_SYLLABLES = "ba ce di fo gu la me ni ro su ta ve xi zo ël né på tür ken sol mar vin den ter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One variant of the prices or supplies: the text, and the amounts it states as (type, amount, currency)."""

    text: str
    amounts: tuple[tuple[str, str, str], ...]


Supply = Callable[[Markets, list[int]], Priced]
"""Makes the supplies of a record for these markets from two amounts in cents for each."""


def vocabulary(random: Random) -> list[str]:
    """Words with letters of several languages, all of them in ISO-8859-1; enough for texts to pack about as well as real ones."""
    syllables = _SYLLABLES.split()
    return _TEXT.split() + ["".join(random.choices(syllables, k=random.randint(2, 4))) for _ in range(3_000)]


def _sentences(random: Random, words: list[str], count: int) -> str:
    return " ".join(" ".join(random.choices(words, k=random.randint(6, 18))).capitalize() + "." for _ in range(count))


def contributors(random: Random, words: list[str], scale: float) -> str:
    """One to three of them; with a biography each in a record of full size."""
    count = random.randint(1, max(1, round(3 * scale)))
    return "".join(
        f"""
      <Contributor>
        <SequenceNumber>{place}</SequenceNumber>
        <ContributorRole>{"A01" if place == 1 else "B06"}</ContributorRole>
        <NamesBeforeKey>{random.choice(words).capitalize()}</NamesBeforeKey>
        <KeyNames>{random.choice(words).capitalize()}</KeyNames>{_biography(random, words) if scale == 1 else ""}
      </Contributor>"""
        for place in range(1, count + 1)
    )


def _biography(random: Random, words: list[str]) -> str:
    return f'\n        <BiographicalNote textformat="06">{_sentences(random, words, 3)}</BiographicalNote>'


def subjects(random: Random, words: list[str], scale: float) -> str:
    """One to six of them."""
    return "".join(
        f"""
      <Subject>
        <SubjectSchemeIdentifier>{random.choice(("10", "29", "93"))}</SubjectSchemeIdentifier>
        <SubjectCode>FIC{random.randint(0, 99):02d}0000</SubjectCode>
        <SubjectHeadingText>{random.choice(words)} / {random.choice(words)}</SubjectHeadingText>
      </Subject>"""
        for _ in range(random.randint(1, max(1, round(6 * scale))))
    )


def text(random: Random, words: list[str], number: int) -> str:
    """About 900 bytes; of ten, three are marked up in CDATA, three in XHTML, and four are plain with a letter outside ISO-8859-1."""
    shown = [_sentences(random, words, random.randint(2, 6)) for _ in range(2)]
    match number % 10:
        case 0 | 1 | 2:
            trap = "</Product>" if number % 100 == 0 else ""
            kind, content = "02", f"<![CDATA[<p>{'</p><p>'.join(shown)}</p>{trap}]]>"
        case 3 | 4 | 5:
            kind, content = "05", "".join(f"<p>{paragraph}</p>" for paragraph in shown)
        case _:
            kind, content = "06", " … ".join(shown)
    return f"""
      <TextContent>
        <TextType>{("03", "02", "12", "06")[number % 4]}</TextType>
        <ContentAudience>00</ContentAudience>
        <Text textformat="{kind}">{content}</Text>
      </TextContent>"""


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def one_supply(markets: Markets, cents: list[int]) -> Priced:
    """A price of each type for every market, in one supply."""
    rows = [(kind, country, currency) for country, currency in markets for kind in ("01", "41")]
    prices = "".join(
        f"""
        <Price>
          <PriceType>{kind}</PriceType>
          <PriceAmount>{_amount(amount)}</PriceAmount>
          <CurrencyCode>{currency}</CurrencyCode>
          <Territory>
            <CountriesIncluded>{country}</CountriesIncluded>
          </Territory>
        </Price>"""
        for (kind, country, currency), amount in zip(rows, cents, strict=True)
    )
    return Priced(
        text=f"""
    <ProductSupply>
      <SupplyDetail>
        <Supplier>
          <SupplierRole>03</SupplierRole>
          <SupplierName>Bench</SupplierName>
        </Supplier>
        <ProductAvailability>@availability@</ProductAvailability>{prices}
      </SupplyDetail>
    </ProductSupply>""",
        amounts=tuple(
            (kind, _amount(amount), currency) for (kind, _, currency), amount in zip(rows, cents, strict=True)
        ),
    )


def supply_by_market(markets: Markets, cents: list[int]) -> Priced:
    """A supply for every market, with its status, its dates and two prices."""
    amounts = [
        (kind, _amount(cents[2 * place + offset]), currency)
        for place, (_, currency) in enumerate(markets)
        for offset, kind in enumerate(("01", "41"))
    ]
    return Priced(
        text="".join(
            f"""
    <ProductSupply>
      <Market><Territory><CountriesIncluded>{country}</CountriesIncluded></Territory></Market>
      <MarketPublishingDetail>
        <PublisherRepresentative><AgentRole>08</AgentRole><AgentName>Bench</AgentName></PublisherRepresentative>
        <MarketPublishingStatus>04</MarketPublishingStatus>
        <MarketDate><MarketDateRole>01</MarketDateRole><Date dateformat="00">20200101</Date></MarketDate>
      </MarketPublishingDetail>
      <SupplyDetail>
        <Supplier><SupplierRole>03</SupplierRole><SupplierName>Bench</SupplierName></Supplier>
        <ProductAvailability>@availability@</ProductAvailability>
        <SupplyDate><SupplyDateRole>08</SupplyDateRole><Date dateformat="00">20200101</Date></SupplyDate>{
                "".join(_consumer_price(*price, country) for price in amounts[2 * place : 2 * place + 2])
            }
      </SupplyDetail>
    </ProductSupply>"""
            for place, (country, _) in enumerate(markets)
        ),
        amounts=tuple(amounts),
    )


def _consumer_price(kind: str, amount: str, currency: str, country: str) -> str:
    return f"""
        <Price>
          <PriceType>{kind}</PriceType>
          <PriceQualifier>05</PriceQualifier>
          <PriceStatus>02</PriceStatus>
          <PriceAmount>{amount}</PriceAmount>
          <CurrencyCode>{currency}</CurrencyCode>
          <Territory><CountriesIncluded>{country}</CountriesIncluded></Territory>
        </Price>"""


def one_price(kind: str, currency: str, country: str, supplier: str, status: str) -> Supply:
    """A single price in a single market, whatever the markets of the plan; `status` is the inside of the market's detail."""

    def supply(markets: Markets, cents: list[int]) -> Priced:
        del markets
        amount = _amount(cents[0])
        return Priced(
            text=f"""
    <ProductSupply>
      <Market><Territory><CountriesIncluded>{country}</CountriesIncluded></Territory></Market>
      <MarketPublishingDetail>
        {status}
      </MarketPublishingDetail>
      <SupplyDetail>
        <Supplier><SupplierRole>09</SupplierRole><SupplierName>{supplier}</SupplierName></Supplier>
        <ProductAvailability>@availability@</ProductAvailability>
        <Price>
          <PriceType>{kind}</PriceType>
          <PriceAmount>{amount}</PriceAmount>
          <Tax><TaxType>01</TaxType><TaxRateCode>Z</TaxRateCode><TaxRatePercent>0</TaxRatePercent></Tax>
          <CurrencyCode>{currency}</CurrencyCode>
        </Price>
      </SupplyDetail>
    </ProductSupply>""",
            amounts=((kind, amount, currency),),
        )

    return supply
