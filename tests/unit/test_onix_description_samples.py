"""Descriptions of real records, written by hand from their XML; and one description for every way to write a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from syncengine.domain.frame import FrameIndex
from syncengine.errors import SyncEngineError
from syncengine.onix.codelists import standard
from syncengine.onix.describe import describe, description_document
from syncengine.onix.dialect import read_product
from syncengine.onix.framing import Framer
from tests.harmless import assert_harmless
from tests.records import samples_folder

FRONT_COVER = {"type": "01 Front cover", "mode": "03 Image", "is_public": True, "audiences": ["00 Unrestricted"]}
DISTINCTIVE = "01 Distinctive title (book); Cover title (serial); Title of content item, collection, or resource"


def read(message: bytes) -> list[dict[str, Any]]:
    """The descriptions of a message's records, as the engine reads it."""
    framer = Framer(seed=1, index=FrameIndex())
    frames = [*framer.feed(message).frames, *framer.close().frames]
    found = []
    for frame in frames:
        assert framer.context is not None
        product, _ = read_product(framer.context.opening, frame.body, framer.context.closing)
        language = framer.context.header.default_language
        found.append(description_document(describe(product, default_language=language, name_of=standard().name)))
    return found


def sample(name: str) -> list[dict[str, Any]]:
    return read((samples_folder() / name).read_bytes())


def brief(value: Any) -> Any:
    """Only what is there: codes as `01 Name`, texts of one form as that form."""
    if isinstance(value, list):
        return [brief(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"code", "name"}:
        return f"{value['code']} {value['name']}"
    kept = {name: brief(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner not in (None, [], {})}


def alone(title: str, level: str = "01 Product") -> dict[str, Any]:
    """A title that is no more than its text."""
    words = {"title": title, "sort_title": title}
    return {"type": DISTINCTIVE, "text": title, **words, "elements": [{"level": level, **words}]}


def person(name: str, sort_name: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {"kind": "person", "name": name, "sort_name": sort_name, "roles": list(roles), **more}


def number(kind: str, value: str, type_name: str | None = None) -> dict[str, str]:
    return {"type": kind, "value": value, **({"type_name": type_name} if type_name else {})}


def day(role: str, iso: str) -> dict[str, str]:
    return {"role": role, "text": iso.replace("-", ""), "format": {10: "00", 7: "01", 4: "05"}[len(iso)], "iso": iso}


# --- EDItEUR's sample


def test_editeurs_sample():
    found = brief(sample("jonix/Onix3.1-single-ref.xml")[0])
    texts, people = found.pop("texts"), found.pop("contributors")
    assert "ROSEANNA (MARTIN BECK #1)" == found.pop("titles")[1]["text"]
    series = {"title": "The Martin Beck series", "sort_title": "Martin Beck series"}
    height, width = ("02 Image height in pixels", "341"), ("03 Image width in pixels", "222")
    updated = day("17 Last updated", "2006-04-12")
    isbn = [number("03 GTIN-13", "9780007232833"), number("15 ISBN-13", "9780007232833")]
    assert {
        "title": alone("Roseanna"),
        "collections": [
            {
                "type": "10 Publisher collection",
                "title": "The Martin Beck series",
                "part_number": "1",
                "titles": [
                    {
                        "type": DISTINCTIVE,
                        "text": "The Martin Beck series, 1",
                        **series,
                        "part_number": "1",
                        "elements": [
                            {"level": "02 Collection level", **series, "prefix": "The"},
                            {"level": "01 Product", "part_number": "1"},
                        ],
                    }
                ],
            }
        ],
        "contributor_statements": [
            dict.fromkeys(
                ("html", "plain"),
                "By Maj Sjöwall and Per Wahlöö, translated by Lois Roth and with an introduction by Henning Mankell",
            )
        ],
        "resources": {
            "front_covers": [
                {
                    **FRONT_COVER,
                    "versions": [
                        {
                            "form": "02 Downloadable file",
                            "links": ["https://www.harpercollins.co.uk/covers/9780007232833.jpg"],
                            "file_format": "D502 JPEG",
                            "height_pixels": 341,
                            "width_pixels": 222,
                            "features": [
                                {"type": "01 File format", "value": "D502", "value_name": "JPEG"},
                                *({"type": kind, "value": value} for kind, value in (height, width)),
                            ],
                            "updated": updated,
                            "dates": [updated],
                        }
                    ],
                }
            ],
            "samples": [
                {
                    "type": "15 Sample content",
                    "mode": "06 Multi-mode",
                    "is_public": True,
                    "audiences": ["00 Unrestricted"],
                    "versions": [
                        {
                            "form": "01 Linkable resource",
                            "links": ["https://browseinside.harpercollins.co.uk/pageview?isbn=9780007232833"],
                        }
                    ],
                }
            ],
        },
        "citations": [
            {
                "type": "03 Media mention",
                "source_type": "01 Printed media",
                "is_public": True,
                "audiences": ["00 Unrestricted"],
                "source_titles": ["Observer Magazine"],
                "notes": [dict.fromkeys(("html", "plain"), "Interview with Maj Sjöwall by Louise France")],
                "links": ["https://www.guardian.co.uk/books/2009/nov/22/crime-thriller-maj-sjowall-sweden"],
                "dates": [day("01 Publication date", "2009-11-22")],
            }
        ],
        "form": {
            "composition": "00 Single-component retail product",
            "form": "BC Paperback / softback",
            "details": ["B105 B-format paperback"],
            "measures": [
                {"type": "01 Height", "value": "197", "unit": "mm Millimeters"},
                {"type": "02 Width", "value": "130", "unit": "mm Millimeters"},
                {"type": "03 Thickness", "value": "18", "unit": "mm Millimeters"},
                {"type": "08 Unit weight", "value": "195", "unit": "gr Grams"},
            ],
            "country_of_manufacture": "GB United Kingdom",
        },
        "languages": [
            {"role": "01 Language of text", "language": "eng English"},
            {"role": "02 Original language of a translated text", "language": "swe Swedish"},
        ],
        "extents": {
            "page_count": 245,
            "all": [
                {"type": "00 Main content page count", "value": "245", "unit": "03 Pages"},
                {"type": "04 Back matter page count", "value": "16", "unit": "03 Pages"},
            ],
        },
        "subjects": [
            {"scheme": "93 Thema subject category", "scheme_version": "1.3", "code": "FFP", "is_main": True},
            {"scheme": "93 Thema subject category", "scheme_version": "1.3", "code": "FYT", "is_main": False},
            {"scheme": "94 Thema place qualifier", "scheme_version": "1.3", "code": "1DNS", "is_main": False},
            {"scheme": "96 Thema time period qualifier", "scheme_version": "1.3", "code": "3MPQS", "is_main": False},
            {"scheme": "10 BISAC Subject Heading", "scheme_version": "2017", "code": "FIC022000", "is_main": True},
        ],
        "keywords": ["Martin Beck", "Roseanna McGraw", "Lake Vättern", "Stockholm", "police procedural"],
        "audience": {
            "codes": [
                {"type": "01 ONIX audience codes", "audience": "01 General / adult"},
                {"type": "22 ONIX Adult audience rating", "audience": "01 Any adult audience"},
            ]
        },
        "publishing": {
            "publishers": [
                {
                    "role": "01 Publisher",
                    "name": "HarperCollins Publishers",
                    "identifiers": [number("16 ISNI", "0000000404222532")],
                    "websites": [
                        {"link": "https://www.harpercollins.co.uk", "role": "01 Publisher\u2019s corporate website"}
                    ],
                }
            ],
            "imprints": [{"name": "HarperPerennial"}],
            "cities": ["London"],
            "country": "GB United Kingdom",
            "date": day("01 Publication date", "2006-08-07"),
            "dates": [
                day("01 Publication date", "2006-08-07"),
                day("11 Date of first publication", "1968"),
                day("20 Date of first publication in original language", "1965"),
            ],
        },
        "identifiers": isbn,
        "related_products": [
            {
                "relations": ["06 Alternative format", "27 Electronic version available as"],
                "identifiers": [number("03 GTIN-13", "9780007324378"), number("15 ISBN-13", "9780007324378")],
            }
        ],
        "related_works": [{"relation": "01 Manifestation of", "identifiers": [number("11 ISTC", "A0220090000154FA")]}],
    } == found
    assert ["Maj Sjöwall", "Per Wahlöö", "Lois Roth", "Henning Mankell"] == [one["name"] for one in people]
    assert (
        person(
            "Lois Roth",
            "Roth, Lois",
            "B06 Translated by",
            from_languages=["swe Swedish"],
            identifiers=[number("01 Proprietary name ID scheme", "11150", "HCP Author ID")],
        )
        == people[2]
    )
    (biography,) = people[0]["biographies"]
    assert biography["html"].startswith("<p><strong>Maj Sjöwall</strong> was born in Stockholm")
    assert "for the ten <em>Martin Beck</em> novels" in biography["html"]
    assert {"headlines": 1, "short_descriptions": 1, "descriptions": 1, "reviews": 2} == {
        name: len(group) for name, group in texts.items()
    }
    assert texts["headlines"][0]["text"]["html"].endswith("masterpieces of crime fiction")
    assert [["The Guardian"], ["New York Times"]] == [one["source_titles"] for one in texts["reviews"]]
    assert 4 == len(texts["descriptions"][0]["text"]["plain"].split("\n\n"))
    assert "<p>Written in 1965, <em>Roseanna</em> is the work" in texts["descriptions"][0]["text"]["html"]


# --- a French multi-format e-book


def test_a_french_record():
    found = brief(sample("im_onix/illustrations.xml")[3])
    texts, form, resources = found.pop("texts"), found.pop("form"), found.pop("resources")
    (author,) = found.pop("contributors")
    published = day("01 Publication date", "2012-09-06")
    house = [number("01 Proprietary name ID scheme", "P455"), number("06 GLN", "3052859400019")]
    assert {
        "title": alone("Certaines n'avaient jamais vu la mer"),
        "titles": [alone("Certaines n'avaient jamais vu la mer")],
        "collections": [
            {
                "type": "10 Publisher collection",
                "title": "Littérature étrangère",
                "titles": [alone("Littérature étrangère", "02 Collection level")],
            }
        ],
        "edition": {"number": "1"},
        "languages": [{"role": "01 Language of text", "language": "fre French"}],
        "extents": {
            "page_count": 144,
            "all": [{"type": "00 Main content page count", "value": "144", "unit": "03 Pages"}],
        },
        "subjects": [
            {
                "scheme": "10 BISAC Subject Heading",
                "code": "FIC014000",
                "headings": ["FICTION, Historical"],
                "is_main": False,
            },
            {
                "scheme": "10 BISAC Subject Heading",
                "code": "FIC044000",
                "headings": ["FICTION, Contemporary Women"],
                "is_main": False,
            },
            {
                "scheme": "29 CLIL Classification thématique",
                "code": "2312",
                "headings": ["Romans contemporains"],
                "is_main": False,
            },
        ],
        "keywords": [
            "destin de femmes",
            "États-Unis d'Amérique",
            "Asie",
            "Oubli",
            "Amérique du Nord",
            "Guerre",
            "Prix Femina étranger 2012",
            "Exil",
            "Amérique",
            "Japon",
            "mariage forcé",
        ],
        "publishing": {
            "publishers": [
                {
                    "role": "01 Publisher",
                    "name": "Phébus",
                    "identifiers": house,
                    "websites": [{"link": "http://www.libella.fr/phebus/accueil/"}],
                }
            ],
            "imprints": [{"name": "Phébus", "identifiers": house}],
            "date": published,
            "dates": [published],
        },
        "identifiers": [
            number("01 Proprietary product ID scheme", "O192530", "SKU"),
            number("03 GTIN-13", "9782752908643"),
            number("15 ISBN-13", "9782752908643"),
        ],
        "related_products": [
            {
                "relations": ["06 Alternative format"],
                "identifiers": [number("03 GTIN-13", "9781111111111")],
                "form": "EA Digital (delivered electronically)",
                "details": ["E107 PDF"],
            },
            {
                "relations": ["13 Epublication based on (print product)"],
                "identifiers": [
                    number("03 GTIN-13", "9782752906700"),
                    number("01 Proprietary product ID scheme", "RP64128-print"),
                    number("15 ISBN-13", "9782752906700"),
                ],
            },
        ],
    } == found
    (biography,) = author.pop("biographies")
    assert (
        person(
            "Julie Otsuka",
            "Otsuka, Julie",
            "A01 By (author)",
            identifiers=[number("01 Proprietary name ID scheme", "A77052")],
            places=[{"relator": "01 Born in", "country": "US United States"}],
            websites=[{"link": "http://www.julieotsuka.com/"}],
        )
        == author
    )
    assert biography["html"].startswith(
        "<p>Julie Otsuka est née en 1962 en Californie. Diplômée en art, elle abandonne"
    )
    assert "en 2002, <em>Quand l'empereur était un dieu </em>(Phébus, 2004" in biography["html"]
    assert biography["plain"].endswith("comme un chef-d'oeuvre. Julie Otsuka vit à New York.")
    assert {"short_descriptions": 1, "descriptions": 1} == {name: len(group) for name, group in texts.items()}
    (description,) = texts["descriptions"]
    assert description["text"]["html"].endswith("Et l'oubli.</p> <p> <strong>Prix Femina étranger 2012</strong> </p>")
    assert description["text"]["plain"].endswith("Et l'oubli.\n\nPrix Femina étranger 2012")
    assert "fre" == description["text"]["language"]
    assert ("10 Multiple-component retail product", "EA Digital (delivered electronically)") == (
        form["composition"],
        form["form"],
    )
    assert [
        ("EC Digital online / streamed", "RP64120"),
        ("ED Digital download", "RP64128"),
        ("ED Digital download", "RP64127"),
    ] == [(part["form"], part["identifiers"][0]["value"]) for part in form["parts"]]
    assert form["parts"][0]["descriptions"][0].startswith(
        "Accès streaming : format vous permettant d'accéder en streaming aux"
    )
    assert {"front_covers": 1, "samples": 2, "others": 1} == {name: len(group) for name, group in resources.items()}
    (cover,) = resources["front_covers"]
    assert "Couverture principale" == cover["caption"]["plain"]
    assert ("http://images.immateriel.fr/covers/9782752906700.png", "D503 PNG", "2012-11-05") == (
        cover["versions"][0]["links"][0],
        cover["versions"][0]["file_format"],
        cover["versions"][0]["updated"]["iso"],
    )
    assert [
        "http://livre.immateriel.fr/9782752906700?no_sign_in=true&no_buy_link=true",
        "http://telechargement.immateriel.fr/fr/web_service/preview/12279/epub-preview.epub",
    ] == [found["versions"][0]["links"][0] for found in resources["samples"]]


# --- an eLibri record


def test_an_elibri_record():
    found = brief(sample("elibri/onix_board_game_example.xml")[0])
    ((description,),) = found.pop("texts").values()
    published, preorders = day("01 Publication date", "2018-09-19"), day("27 Preorder embargo date", "2018-09-05")
    assert {
        "title": alone("Jamniki"),
        "titles": [alone("Jamniki"), {**alone("JAMNIKI"), "type": "10 Distributor\u2019s title"}],
        "collections": [
            {
                "type": "10 Publisher collection",
                "title": "Gry planszowe",
                "titles": [alone("Gry planszowe", "02 Collection level")],
            }
        ],
        "contributors": [
            person("David Short", "Short, David", "A01 By (author)"),
            person("Maciej Szymanowicz", "Szymanowicz, Maciej", "A12 Illustrated by"),
        ],
        "form": {
            "composition": "00 Single-component retail product",
            "form": "ZE Game",
            "features": [
                {"type": "23 Game players", "descriptions": ["2-5 graczy"]},
                {"type": "24 Game play time", "value": "20"},
            ],
        },
        "languages": [{"role": "01 Language of text", "language": "pol Polish"}],
        "subjects": [
            {
                "scheme": "24 Proprietary subject scheme",
                "scheme_name": "Nasza Księgarnia",
                "code": "871",
                "headings": ["Gry planszowe"],
                "is_main": False,
            }
        ],
        "audience": {"ranges": [{"qualifier": "18 Reading age, years", "lowest": "6", "highest": "106"}]},
        "publishing": {
            "publishers": [
                {
                    "role": "01 Publisher",
                    "name": "Nasza Księgarnia",
                    "identifiers": [number("01 Proprietary name ID scheme", "41", "ElibriPublisherCode")],
                }
            ],
            "cities": ["Warszawa"],
            "date": published,
            "dates": [published, preorders],
        },
        "identifiers": [number("03 GTIN-13", "5902719470332")],
    } == found
    assert "03 Description" == description["type"]
    assert description["text"]["html"].startswith(
        "<p> <strong>UBIERZ JAMNIKA W KUBRACZEK!</strong></p> <p> Podczas gry"
    )
    assert description["text"]["plain"].startswith("UBIERZ JAMNIKA W KUBRACZEK!\n\nPodczas gry")


def test_elibris_titles_and_people():
    thorgal = brief(sample("elibri/onix_title_with_collection_example.xml")[0])
    assert ["Thorgal, 33. Statek-Miecz", "Thorgal: Le Bateau-Sabre", "THORGAL 33 STATEK-MIECZ TWARDA"] == [
        title["text"] for title in thorgal["titles"]
    ]
    assert ("Statek-Miecz", "33") == (thorgal["title"]["title"], thorgal["title"]["part_number"])
    people = brief(sample("elibri/onix_contributors_example.xml")[0])["contributors"]
    assert [
        ("Św. Tomasz z Akwinu", "Tomasz z Akwinu, Św."),
        ("prof. ks. Henryk von Hausswolff OP", "Hausswolff OP, Henryk von"),
    ] == [(one["name"], one["sort_name"]) for one in people]
    series = brief(sample("elibri/onix_series_memberships_example.xml")[0])["collections"]
    assert [("Lektury szkolne", "2"), ("Dla Bystrzaków", "1")] == [(one["title"], one["part_number"]) for one in series]


@pytest.mark.parametrize(
    "name",
    [
        "im_onix/invalid_textformat.xml",
        "im_onix/invalid_textformat_cdata.xml",
        "im_onix/invalid_textformat_cdata_xhtml.xml",
        "im_onix/invalid_textformat_text.xml",
    ],
)
def test_one_text_under_four_wrong_formats_reads_the_same(name):
    descriptions = sample(name)[0]["texts"]["descriptions"]
    assert [True] == [text["text"]["plain"].startswith("Japon, 1919. Un bateau quitte l") for text in descriptions]
    assert not any("<p>" in text["text"]["plain"] or "&lt;" in text["text"]["html"] for text in descriptions)


# --- one description for every way to write it


@pytest.mark.parametrize(
    ("reference", "short"),
    [
        ("jonix/Onix3.1-single-ref.xml", "jonix/Onix3.1-single-short.xml"),
        ("onix-data/Onix3SupportingResourceSample1.xml", "onix-data/Onix3SupportingResourceSample1ShortTags.xml"),
        ("onix-data/Onix3sample_refnames_blockupdate.xml", "onix-data/Onix3sample_shorttags_blockupdate.xml"),
    ],
)
def test_both_tag_styles_give_the_same(reference, short):
    assert sample(reference) == sample(short)


def test_the_3_0_pair_differs_in_the_version_of_a_subject_scheme_alone():
    one, other = (
        (samples_folder() / f"jonix/{name}.xml").read_bytes()
        for name in ("single-book-onix3", "single-book-onix3-short")
    )
    assert read(one) != read(other)
    assert read(one) == read(other.replace(b"<b068>2009</b068>", b"<b068>2017</b068>"))


def test_the_3_1_sample_is_described_like_the_3_0_one_but_for_what_its_sender_changed():
    one, other = (
        (samples_folder() / f"jonix/{name}.xml").read_bytes() for name in ("Onix3.1-single-ref", "single-book-onix3")
    )
    shorter = one.replace(b" and with an introduction by Henning Mankell</Contrib", b"</Contrib").replace(
        b"https://", b"http://"
    )
    assert read(shorter.replace(b"onix/3.1", b"onix/3.0").replace(b'release="3.1"', b'release="3.0"')) == read(other)
    assert read(one) != read(other)


def test_release_2_1_and_3_0_of_the_same_products_are_described_alike():
    """Of what its sender exports to both releases alike."""
    old, new = by_isbn("jonix/onix2-multiple.xml"), by_isbn("jonix/onix3-multiple.xml")
    assert 20 == len(old)
    for name in (
        "title",
        "titles",
        "contributors",
        "contributor_statements",
        "languages",
        "extents",
        "audience",
        "form",
    ):
        assert {isbn: found[name] for isbn, found in old.items()} == {isbn: found[name] for isbn, found in new.items()}
    for group in ("headlines", "short_descriptions", "descriptions", "biographies", "excerpts"):
        assert {isbn: found["texts"][group] for isbn, found in old.items()} == {
            isbn: found["texts"][group] for isbn, found in new.items()
        }


def by_isbn(name: str) -> dict[str, dict[str, Any]]:
    return {
        identifier["value"]: found
        for found in sample(name)
        for identifier in found["identifiers"]
        if identifier["type"]["code"] == "15"
    }


def test_nothing_harmful_is_in_the_description_of_any_sample():
    count = 0
    for path in samples_folder().rglob("*.xml"):
        try:
            found = read(path.read_bytes())
        except SyncEngineError:
            continue
        for html in texts_in(found):
            count += 1
            assert_harmless(html)
    assert count > 400


def texts_in(value: Any) -> Iterator[str]:
    """Every HTML in a document."""
    if isinstance(value, dict):
        if "html" in value:
            yield value["html"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts_in(one)
