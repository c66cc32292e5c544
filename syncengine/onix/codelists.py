"""ONIX code lists: what a code is called, and whether it is known at all.

The lists are data (`codelists.json`), so that a new issue needs no code. The names are EDItEUR's, taken without the notes from
the code-list schema that EDItEUR publishes every quarter (https://www.editeur.org/14/Code-Lists/) under its own terms of use;
`convert` makes the same file of any other issue, and `[service] code_lists` puts it in the shipped one's place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from lxml import etree

from syncengine.errors import InputUnreadable, SettingsInvalid, UsageInvalid

_SHIPPED: Final = "codelists.json"
_SOURCE: Final = (
    "Names of codes by EDItEUR, from ONIX_BookProduct_CodeLists.xsd; see https://www.editeur.org/14/Code-Lists/"
)
_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_LIST_NAME: Final = re.compile(r"List([0-9]{1,3})")
_ISSUE: Final = re.compile(rb"\bISSUE:\s*([0-9]{1,4})\b", re.IGNORECASE)
_RELEASED: Final = re.compile(rb"\bRelease date:\s*([0-9]{4}-[0-9]{2}-[0-9]{2})\b", re.IGNORECASE)

# The type of each coded element in the schemas of ONIX 3.0 revision 8 and 3.1 revision 3.
_RELEASE_3: Final = """
AVItemIDType=241 AVItemType=240 AddresseeIDType=44 AffiliationIDType=44 AgentIDType=92 AgentRole=69
AncillaryContentType=25 AudienceCode=28 AudienceCodeType=29 AudienceRangePrecision=31 AudienceRangeQualifier=30
BarcodeType=141 BibleContents=82 BiblePurpose=85 BibleReferenceLocation=87 BibleTextFeature=97
BibleTextOrganization=86 BibleVersion=83 CitedContentType=156 CollectionElementLevel=149 CollectionFrequency=259
CollectionIDType=13 CollectionSequenceType=197 CollectionType=148 ComplexitySchemeIdentifier=32 ConferenceRole=20
ConferenceSponsorIDType=44 ContentAudience=154 ContentDateRole=155 ContributorDateRole=177 ContributorPlaceRelator=151
ContributorRole=17 CopyrightOwnerIDType=44 CopyrightType=219 CountriesExcluded=91 CountriesIncluded=91 CountryCode=91
CountryOfManufacture=91 CountryOfPublication=91 CurrencyCode=96 CurrencyZone=172 DateFormat=55 DefaultCurrencyCode=96
DefaultLanguageOfText=74 DefaultPriceType=58 DiscountCodeType=100 DiscountType=170 EditionType=21
EpubLicenseDateRole=260 EpubLicenseExpressionType=218 EpubTechnicalProtection=144 EpubUsageStatus=146
EpubUsageType=145 EpubUsageUnit=147 EventIDType=244 EventRole=20 EventSponsorIDType=44 EventStatus=246 EventType=245
ExtentType=23 ExtentUnit=24 FromLanguage=74 FundingIDType=228 Gender=229 Illustrated=152 ImprintIDType=44
InsertPointType=255 LanguageCode=74 LanguageRole=22 LocationIDType=92 MarketDateRole=163 MarketPublishingStatus=68
MeasureType=48 MeasureUnitCode=50 NameIDType=44 NameType=18 NotificationType=1 OccurrenceDateRole=247
PositionOnProduct=142 PriceCodeType=179 PriceConditionQuantityType=168 PriceConditionType=167
PriceConstraintStatus=146 PriceConstraintType=230 PriceConstraintUnit=147 PriceDateRole=173 PriceIDType=217
PricePer=60 PriceQualifier=59 PriceStatus=61 PriceType=58 PrimaryContentType=81 PrintedOnProduct=174 PrizeCode=41
PrizeCountry=91 PrizeIDType=263 PrizeRegion=49 ProductAvailability=65 ProductClassificationType=9 ProductComposition=2
ProductContactIDType=44 ProductContactRole=198 ProductContentType=81 ProductForm=150 ProductFormDetail=175
ProductFormFeatureType=79 ProductIDType=5 ProductPackaging=80 ProductRelationCode=51 Proximity=215 PublisherIDType=44
PublishingDateRole=163 PublishingRole=45 PublishingStatus=64 QuantityUnit=169 ROWSalesRightsType=46
RecordSourceIDType=44 RecordSourceType=3 RegionCode=49 RegionsExcluded=49 RegionsIncluded=49
ReligiousTextFeatureCode=90 ReligiousTextFeatureType=89 ReligiousTextIdentifier=88 ResourceContentType=158
ResourceFeatureType=160 ResourceFileDateRole=254 ResourceFileDetail=252 ResourceFileFeatureType=253 ResourceForm=161
ResourceIDType=250 ResourceMode=159 ResourceRole=251 ResourceVersionFeatureType=162 ReturnsCodeType=53
SalesOutletIDType=102 SalesRestrictionType=71 SalesRightsType=46 ScriptCode=121 SenderIDType=44 SourceType=157
SpecificationDetail=248 SpecificationFeatureType=249 StockQuantityCodeType=70 StudyBibleType=84 SubjectDateRole=177
SubjectSchemeIdentifier=27 SupplierCodeType=165 SupplierIDType=92 SupplierRole=93 SupplyContactIDType=44
SupplyContactRole=239 SupplyDateRole=166 TaxRateCode=62 TaxType=171 TextItemIDType=43 TextItemType=42 TextType=153
ThesisType=72 TitleElementLevel=149 TitleType=15 ToLanguage=74 TradeCategory=12 UnnamedPersons=19 UnpricedItemType=57
VelocityMetric=216 WebsiteRole=73 WorkIDType=16 WorkRelationCode=164
"""

# The same of ONIX 2.1, for elements that 3.x no longer has.
_RELEASE_2: Final = """
AudienceRestrictionFlag=56 AvailabilityCode=54 BookFormDetail=8 CoverImageFormatCode=36 CoverImageLinkTypeCode=37
DefaultLinearUnit=94 DefaultPriceTypeCode=58 DefaultWeightUnit=95 EditionTypeCode=21 EpubFormat=11 EpubSource=11
EpubType=10 IllustrationType=25 IntermediaryAvailabilityCode=63 LanguageOfText=74 MainSubjectSchemeIdentifier=26
MeasureTypeCode=48 MediaFileFormatCode=39 MediaFileLinkTypeCode=40 MediaFileTypeCode=38 NameCodeType=44
OriginalLanguage=74 PersonDateRole=75 PersonNameIDType=101 PersonNameType=18 PriceTypeCode=58
RecordSourceIdentifierType=44 RelationCode=51 ReligiousTextID=88 RightsRegion=47 SeriesIDType=13 SupplyToRegion=52
TaxRateCode1=62 TaxRateCode2=62 TextCaseFlag=14 TextFormat=34 TextLinkType=35 TextTypeCode=33
"""


def _pairs(table: str) -> Iterator[tuple[str, int]]:
    for pair in table.split():
        element, _, number = pair.partition("=")
        yield element, int(number)


LIST_OF_ELEMENT: Final[Mapping[str, int]] = {**dict(_pairs(_RELEASE_2)), **dict(_pairs(_RELEASE_3))}
"""The number of the list that an element's codes are of, by its reference name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """One list: its name, and the names of its codes. `issue` is the last that had the list, where a later one has it not."""

    name: str
    codes: Mapping[str, str]
    issue: Annotated[int, msgspec.Meta(ge=1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodeLists:
    """All lists of one issue, by number, with those of older issues that it no longer has; `released` is its day."""

    issue: Annotated[int, msgspec.Meta(ge=1)]
    released: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    lists: Annotated[Mapping[int, CodeList], msgspec.Meta(min_length=1)] = field(repr=False)

    @property
    def version(self) -> str:
        """The issue and a digest of what the lists say: other lists have another version."""
        spelled = msgspec.json.encode(self.as_document(), order="deterministic")
        return f"{self.issue}-{blake2b(spelled, digest_size=8).hexdigest()}"

    def name(self, number: int, code: str) -> str | None:
        """What a code of a list is called; none where the list, or the code in it, is not known."""
        known = self.lists.get(number)
        return known.codes.get(code) if known else None

    def knows(self, number: int, code: str) -> bool:
        """Whether the code is in the list."""
        return self.name(number, code) is not None

    def issue_of(self, number: int) -> int:
        """The issue that a list is of."""
        known = self.lists.get(number)
        return (known.issue if known else None) or self.issue

    @staticmethod
    def list_of(element: str) -> int | None:
        """The list that an element's codes are of, by its reference name; none where it holds no code of one list."""
        return LIST_OF_ELEMENT.get(element)

    def as_document(self) -> dict[str, Any]:
        """The form of the file: lists by number, in each a code a line."""
        return {
            "source": _SOURCE,
            "issue": self.issue,
            "released": self.released,
            "lists": {str(number): _as_document(self.lists[number]) for number in sorted(self.lists)},
        }

    def dump(self) -> bytes:
        """The file itself, in UTF-8."""
        return msgspec.json.format(msgspec.json.encode(self.as_document()), indent=1) + b"\n"


def _as_document(known: CodeList) -> dict[str, Any]:
    issue = {"issue": known.issue} if known.issue else {}
    return {"name": known.name, **issue, "codes": known.codes}


@lru_cache(maxsize=1)
def standard() -> CodeLists:
    """The lists that are shipped."""
    return _read(Path(__file__).with_name(_SHIPPED).read_bytes())


def load(path: Path) -> CodeLists:
    """Lists from a file of the form that `CodeLists.dump` writes. Raises SettingsInvalid, saying what is wrong with it."""
    try:
        return _read(path.read_bytes())
    except OSError as error:
        problem = f"the file of code lists cannot be read: {error.strerror}"
        raise _unusable(path, problem) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unusable(path, f"this is no file of code lists: {error}") from error


def _read(content: bytes) -> CodeLists:
    return msgspec.json.decode(content, type=CodeLists)


def _unusable(path: Path, problem: str) -> SettingsInvalid:
    invalid = SettingsInvalid(str(path), [problem])
    invalid.hint = (
        "`run.py codelists convert` makes one of EDItEUR's schema; without [service] code_lists the shipped one is used"
    )
    return invalid


def convert(path: Path, kept: CodeLists | None = None) -> CodeLists:
    """The lists of EDItEUR's code-list schema (XSD); lists that only `kept` has, of older issues, are carried over.

    Lists without codes are left out. Raises InputUnreadable, or UsageInvalid for a file that is no such schema.
    """
    schema = _bytes_of(path)
    found = dict(_lists_of(_root_of(path, schema)))
    issue, released = _ISSUE.search(schema), _RELEASED.search(schema)
    if not found or issue is None or released is None:
        missing = "no lists" if not found else "no issue" if issue is None else "no release date"
        raise _no_schema(path, f"it names {missing}")
    older = _without(kept, found) if kept else {}
    return CodeLists(issue=int(issue[1]), released=released[1].decode(), lists={**older, **found})


def _without(kept: CodeLists, found: Mapping[int, CodeList]) -> dict[int, CodeList]:
    """The lists that only `kept` has, each with its issue."""
    return {
        number: CodeList(name=known.name, codes=known.codes, issue=kept.issue_of(number))
        for number, known in kept.lists.items()
        if number not in found
    }


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputUnreadable(f"{path} cannot be read: {error.strerror}") from error


def _root_of(path: Path, schema: bytes) -> etree._Element:
    try:
        return etree.fromstring(schema, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise _no_schema(path, str(error)) from error


def _no_schema(path: Path, why: str) -> UsageInvalid:
    return UsageInvalid(
        f"{path} is no code-list schema: {why}",
        hint="take ONIX_BookProduct_CodeLists.xsd from EDItEUR's site, https://www.editeur.org/14/Code-Lists/",
    )


def _lists_of(root: etree._Element) -> Iterator[tuple[int, CodeList]]:
    for type_ in root.iterchildren(f"{_XSD}simpleType"):
        name = _LIST_NAME.fullmatch(type_.get("name", ""))
        codes = {str(code.get("value")): _name_of(code) for code in type_.iter(f"{_XSD}enumeration")}
        if name and codes:
            yield int(name[1]), CodeList(name=_name_of(type_), codes=codes)


def _name_of(element: etree._Element) -> str:
    """The first sentence of an annotation is the name, what follows are notes."""
    return " ".join((element.findtext(f"{_XSD}annotation/{_XSD}documentation") or "").split())
