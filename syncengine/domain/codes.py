"""The ONIX codes the engine decides by, list by list (Issue 75).

Values read from a feed stay plain strings, since every quarter brings codes that no enum knows; a `StrEnum` member equals
its string, so comparisons are written against these names.
"""

from __future__ import annotations

from enum import StrEnum


class NotificationType(StrEnum):
    """List 1: what the sender wants done with the record."""

    EARLY = "01"
    ADVANCE = "02"
    CONFIRMED = "03"
    BLOCK_UPDATE = "04"
    DELETE = "05"
    SALE = "08"
    ACQUISITION = "09"
    TEST_UPDATE = "88"
    TEST_RECORD = "89"


class ProductIdType(StrEnum):
    """List 5: the scheme of a product identifier."""

    PROPRIETARY = "01"
    ISBN_10 = "02"
    GTIN_13 = "03"
    DOI = "06"
    ISBN_13 = "15"


class ProductComposition(StrEnum):
    """List 2: one thing or a set of things, and whether it is retailed as such."""

    SINGLE = "00"
    SINGLE_NOT_SEPARATE = "01"
    SET = "10"
    COLLECTION_IN_PARTS = "11"
    TRADE_ONLY = "20"
    TRADE_PACK = "30"
    PACK = "31"


class PublishingStatus(StrEnum):
    """List 64, global, and list 68, per market, as far as they agree; `domain.statuses` knows every code of both."""

    UNSPECIFIED = "00"
    CANCELLED = "01"
    FORTHCOMING = "02"
    POSTPONED = "03"
    ACTIVE = "04"
    NO_LONGER_OURS = "05"
    OUT_OF_STOCK = "06"
    OUT_OF_PRINT = "07"
    INACTIVE = "08"
    UNKNOWN = "09"
    REMAINDERED = "10"
    WITHDRAWN = "11"
    NOT_SOLD_SEPARATELY = "13"
    RECALLED = "15"
    TEMPORARILY_WITHDRAWN = "16"
    PERMANENTLY_WITHDRAWN = "17"
    NOT_SOLD_AS_SET = "18"


class ProductAvailability(StrEnum):
    """List 65: what the supplier says; `domain.statuses` knows every code."""

    CANCELLED = "01"
    NOT_YET_AVAILABLE = "10"
    AWAITING_STOCK = "11"
    AVAILABLE = "20"
    IN_STOCK = "21"
    TO_ORDER = "22"
    ON_DEMAND = "23"
    NOT_AVAILABLE = "40"
    NOT_SOLD_SEPARATELY = "45"
    WITHDRAWN = "46"
    RECALLED = "49"
    NOT_SOLD_AS_SET = "50"


class PublishingDateRole(StrEnum):
    """List 163: roles of PublishingDate and MarketDate."""

    PUBLICATION = "01"
    SALES_EMBARGO = "02"
    ANNOUNCEMENT = "09"
    TRADE_ANNOUNCEMENT = "10"
    OUT_OF_PRINT = "13"
    PRINT_COUNTERPART = "19"
    EXPECTED_AGAIN = "22"
    PREORDER_EMBARGO = "27"
    TRANSFER = "28"
    DOWNLOAD_EMBARGO = "32"
    PURCHASE_EMBARGO = "33"
    AVAILABILITY_EMBARGO = "40"


class SupplyDateRole(StrEnum):
    """List 166: roles of SupplyDate."""

    SALES_EMBARGO = "02"
    EXPECTED_AVAILABILITY = "08"
    NEW_SUPPLIER_START = "50"
    SUPPLIER_END = "51"


class PriceDateRole(StrEnum):
    """List 173: roles of PriceDate."""

    FROM = "14"
    UNTIL = "15"
    FROM_UNTIL = "24"


class PriceType(StrEnum):
    """List 58: the retail prices; odd codes exclude tax, even codes include it."""

    RRP_EXCLUDING_TAX = "01"
    RRP_INCLUDING_TAX = "02"
    FIXED_EXCLUDING_TAX = "03"
    FIXED_INCLUDING_TAX = "04"
    SPECIAL_SALE_RRP_EXCLUDING_TAX = "11"
    SPECIAL_SALE_RRP_INCLUDING_TAX = "12"
    SPECIAL_SALE_FIXED_EXCLUDING_TAX = "13"
    SPECIAL_SALE_FIXED_INCLUDING_TAX = "14"
    PRE_PUBLICATION_RRP_EXCLUDING_TAX = "21"
    PRE_PUBLICATION_RRP_INCLUDING_TAX = "22"
    PRE_PUBLICATION_FIXED_EXCLUDING_TAX = "23"
    PRE_PUBLICATION_FIXED_INCLUDING_TAX = "24"
    IMPORTERS_FIXED_EXCLUDING_TAX = "33"
    IMPORTERS_FIXED_INCLUDING_TAX = "34"
    AGENCY_EXCLUDING_TAX = "41"
    AGENCY_INCLUDING_TAX = "42"


class PriceQualifier(StrEnum):
    """List 59: for whom a price is."""

    UNQUALIFIED = "00"
    CONSUMER = "05"
    RESERVATION = "07"
    PROMOTION = "08"
    INTRODUCTORY = "17"


class PriceStatus(StrEnum):
    """List 61: how sure a price is."""

    UNSPECIFIED = "00"
    PROVISIONAL = "01"
    CONFIRMED = "02"


class TaxRateCode(StrEnum):
    """List 62, as far as a code settles the rate by itself."""

    ZERO = "Z"
    EXEMPT = "TaxExempt"
    """No code of the list but the flag of that name, which says that no tax is due, at whatever rate."""


class UnpricedItemType(StrEnum):
    """List 57: why there is no price."""

    FREE_OF_CHARGE = "01"
    TO_BE_ANNOUNCED = "02"


class SalesRightsType(StrEnum):
    """List 46: rights in a territory."""

    UNKNOWN = "00"
    EXCLUSIVE = "01"
    NON_EXCLUSIVE = "02"
    NOT_FOR_SALE = "03"
    NOT_FOR_SALE_THOUGH_EXCLUSIVE = "04"
    NOT_FOR_SALE_THOUGH_NON_EXCLUSIVE = "05"
    NO_RIGHTS = "06"
    EXCLUSIVE_RESTRICTED = "07"
    NON_EXCLUSIVE_RESTRICTED = "08"


class SalesRestrictionType(StrEnum):
    """List 71: to whom, or through whom, it is sold only or not sold."""

    UNSPECIFIED = "00"
    RETAILER = "01"
    OFFICE_SUPPLIES_ONLY = "02"
    INTERNAL = "03"
    RETAILER_EXCLUSIVE = "04"
    RETAILERS_OWN_BRAND = "05"
    LIBRARIES_ONLY = "06"
    SCHOOLS_ONLY = "07"
    INDEXED = "08"
    NOT_TO_LIBRARIES = "09"
    NEWS_OUTLETS_ONLY = "10"
    NOT_BY_RETAILER = "11"
    NOT_TO_SUBSCRIPTIONS = "12"
    SUBSCRIPTIONS_ONLY = "13"
    NOT_ONLINE = "14"
    ONLINE_ONLY = "15"
    NOT_TO_SCHOOLS = "16"
    INVENTORYLESS_POD = "17"
    STOCK_PROTECTION_POD = "18"
    NOT_BY_POD = "19"
    NOT_TO_SOME_SUBSCRIPTIONS = "20"
    SUBSCRIPTION_EXCLUSIVE = "21"
    EDUCATION_ONLY = "22"
    NOT_TO_EDUCATION = "23"
    NONE = "99"


class EpubTechnicalProtection(StrEnum):
    """List 144: the lock on a digital product."""

    NONE = "00"
    DRM = "01"
    WATERMARK = "02"
    ADOBE = "03"
    LCP = "06"


class ProductForm(StrEnum):
    """List 150: the forms this engine meets."""

    AUDIO_DOWNLOAD = "AJ"
    DIGITAL = "EA"
    DIGITAL_DOWNLOAD_AND_ONLINE = "EB"
    DIGITAL_ONLINE = "EC"
    DIGITAL_DOWNLOAD = "ED"


class ProductFormDetail(StrEnum):
    """List 175: the file formats."""

    MP3 = "A103"
    EPUB = "E101"
    PDF = "E107"
    MOBI = "E127"


class DateFormat(StrEnum):
    """List 55: how a date is written."""

    DAY = "00"
    MONTH = "01"
    WEEK = "02"
    QUARTER = "03"
    SEASON = "04"
    YEAR = "05"
    DAY_RANGE = "06"
    MONTH_RANGE = "07"
    WEEK_RANGE = "08"
    QUARTER_RANGE = "09"
    SEASON_RANGE = "10"
    YEAR_RANGE = "11"
    TEXT = "12"
    MINUTE = "13"
    SECOND = "14"
    HIJRI_DAY = "20"
    HIJRI_MONTH = "21"
    HIJRI_YEAR = "25"
    HIJRI_TEXT = "32"
