"""Codes of release 2 that ONIX 3 says otherwise or not at all; a code that stands in no table here is the same in both.

The lists are those of Issue 36, the last for release 2, against those of Issue 75. Where a table maps what a list leaves
open, the code was chosen that sells less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _table(pairs: str) -> Mapping[str, str]:
    return dict(pair.split("=") for pair in pairs.split())


# --- what a product is ----------------------------------------------------------------------------------------------------

ELECTRONIC_TEXT: Final = frozenset({"DA", "DG", "DH"})
"""List 7: the forms whose file format list 10 tells; DA leaves open whether there is a carrier."""

FORMS: Final = _table("DD=DZ DG=EA DH=EC DO=LB FB=FA VB=VJ VC=VJ VG=VJ VD=VK VE=VK VH=VK WW=SA WX=SA")
"""List 7 to 150. DG says nothing of how the file comes, which is EA; DD may be any kind of DVD."""

FORM_DETAILS_GONE: Final = frozenset({"B203", "B211", "B407", "B408"})
"""List 78: codes that 175 has not or has given another meaning, without one that says the same."""

COMPOSITIONS: Final = _table(
    "WW=10 WX=10 XA=20 XB=20 XD=20 XF=20 XG=20 XH=20 XI=20 XJ=20 XK=20 XZ=20 XC=30 XE=30 XL=30 XM=30"
)
"""List 7 to 2: forms that say of how many things a product is made, and for whom; any other is one retail product."""

EPUB_TYPES: Final = _table(
    """
    001=E105 002=E107 003=E107 004=E107 005=E126 006=E126 007=E129 010=E121 012=E124 013=E124 015=E123 022=E127 023=E102
    025=E112 026=E122 027=E117 028=E131 029=E101 030=E128 031=E116 032=E133 033=E132 034=E118 035=E119 036=E120 037=E125
    038=E130 039=E131 040=E134 041=E135 042=E136 043=E115 044=E141 045=E142 046=E143 047=E144
    """
)
"""List 10 to 175. The others name services and readers that no code of 175 stands for, or no format."""

EPUB_FORMATS: Final = _table("01=E105 02=E107 03=E126 04=E124 05=E109 06=E102 08=E110 10=E112 11=E127")
"""List 11 to 175, read where the type names no format."""

EPUB_TYPES_ONLINE: Final = frozenset({"007", "008", "016"})
"""List 10: services that are read only online."""

EPUB_PROTECTIONS: Final = _table("003=01 004=03 006=01 021=01")
"""List 10 to 144: the types that are a lock by their definition. The open ones are used for locked files too, so say nothing."""

LANGUAGE_ROLES_GONE: Final = frozenset({"04", "05"})
"""List 22: languages of rights, which are no languages of the product."""

PERSON_ID_TYPES: Final = _table("02=17 04=18")
"""List 101 to 44."""

PERSON_DATE_ROLES: Final = _table("007=50 008=51")
"""List 75 to 177."""

# --- what is said about it ------------------------------------------------------------------------------------------------

TEXT_TYPES: Final = _table(
    """
    01=03 02=02 03=03 04=04 05=06 06=07 07=06 08=06 09=10 10=08 12=03 13=12 17=05 18=05 19=11 20=18 21=13 22=15 23=14 24=14
    25=03 26=03 28=03 30=09 31=03 32=03 33=26 43=16 44=17 47=20
    """
)
"""List 33 to 153. Left out is what 153 has no type for, what is not for customers, and whole contents."""

TEXT_AUDIENCES: Final = _table("12=03 25=02 26=07 28=05 31=02 32=04")
"""List 33 to 154: descriptions for somebody in particular; the others are for anybody."""

TEXT_FORMATS: Final = _table("02=02 03=03 05=05 07=07")
"""List 34: what a text in the record may be; 00 and 06 are the default, the others are files elsewhere."""

LINKED_TEXTS: Final = _table(
    "01=31 02=31 03=31 04=25 07=17 12=31 22=32 23=15 24=15 33=41 40=11 41=19 42=18 44=42 45=14 46=99"
)
"""List 33 to 158: the same as files elsewhere."""

RESOURCES: Final = _table(
    """
    03=29 04=01 05=29 06=01 07=27 08=04 10=05 11=06 12=08 16=30 17=09 18=10 22=25 23=15 24=02 25=02 26=02 27=03
    31=12 32=11 33=13 34=03 35=15 36=26 37=17 38=18 41=12 42=11 43=13 44=15 45=26 46=17 47=18 51=16
    """
)
"""List 38 to 158. Left out is the whole product, whose link is not for customers, and what does not say of what it is."""

RESOURCE_MODES: Final = _table(
    "31=05 32=05 33=05 34=05 35=05 36=05 37=05 38=05 41=02 42=02 43=02 44=02 45=02 46=02 47=02 51=01"
)
"""List 38 to 159: videos, sounds and programs; the others are images."""

IMAGE, TEXT = "03", "04"
"""List 159."""

FILE_FORMATS: Final = _table(
    """
    02=D501 03=D502 04=E107 05=D504 06=A105 07=A103 08=D105 09=D503 10=A106 11=A107 12=A104 13=A111 14=D104 15=A108 16=D103
    17=D102 18=D106 19=D108 20=D109
    """
)
"""List 39 to 178."""

WEB_LINKS: Final = frozenset({"01", "03", "05"})
"""Lists 35, 37 and 40: links that can be followed as they stand."""

RELATIONS_GONE: Final = frozenset({"14", "15"})
"""List 51: packages of content and their renderings, which are products of release 2 only."""

# --- where and how it is sold ---------------------------------------------------------------------------------------------

RIGHTS_REGIONS: Final = _table("000=WORLD 001=ROW 002=GB-APS")
"""List 47 to 49. The "open market" of 003 has no borders; its code stays as it is and covers no country."""

AVAILABILITIES: Final = _table(
    """
    AB=01 AD=44 CS=99 EX=43 IP=21 MD=23 NP=10 NY=11 OF=42 OI=40 OP=51 OR=41 PP=09 RF=43 RM=47 RP=32 RU=32 TO=22 TP=31 TU=30
    UR=33 WR=99 WS=46
    """
)
"""List 54 to 65. OI has no plan for more stock, which 31 (out of stock) would promise; WR names a day from which the supplier
sells no more but not what holds until then."""

REMAINDERED_LATER: Final = "WR"
"""List 54: with it, ExpectedShipDate is the day of remaindering."""

RETAIL_CLASSES: Final = frozenset({"gen", "general", "general trade", "trade", "general retail", "retail", "consumer"})
"""ClassOfTrade is free text, used in the USA; these words are read as "whoever buys in a shop"."""
