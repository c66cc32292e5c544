"""A title on a terminal: what its page in the shop would show, long texts shortened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Document = Mapping[str, Any]

_LONG = 600
_SHORT = 160
_SHOWN = 6
_CODES = 12
"""How many characters of a long and of a short text are shown, and how many entries of a list, or codes of a territory."""

_WITHOUT = " without "
_DAY = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")


def show_title(document: Document, console: Console) -> None:
    """Print the answer of `title`: one page for each record."""
    for number, title in enumerate(document["titles"]):
        if number:
            console.print()
        _show(title, console)
    console.print()
    console.print(Text("--json shows everything, texts in full and as HTML", "dim"))


def _show(title: Document, console: Console) -> None:
    description = title["description"]
    where = f"{title['source']} {title['record_reference']}, ONIX {title['release']}, {title['status']}"
    if description:
        _head(description, console)
    console.print(Text(f"{title['isbn']} {title['format']}", "bold"), Text(where, "dim"))
    console.print()
    rows = [*(_described(description) if description else ()), *_facts(title["facts"]), *_offers(title)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, says in rows:
        if says:
            grid.add_row(name, Text(says))
    console.print(grid)


def _head(description: Document, console: Console) -> None:
    """Title, people, headline, description."""
    title = description["title"]
    console.print(Text(title["text"] if title else "without a title", "bold"))
    if people := _people(description):
        console.print(Text(people))
    texts = description["texts"]
    for headline in _public(texts["headlines"])[:1]:
        console.print(Text(_cut(headline, _SHORT), "italic"))
    described = _public(texts["descriptions"]) or _public(texts["short_descriptions"]) or _public(texts["cover_copy"])
    for text in described[:1]:
        console.print()
        console.print(Text(_cut(text, _LONG)))
    console.print()


def _people(description: Document) -> str:
    """The statement as the publisher wants it, else the names."""
    for statement in description["contributor_statements"]:
        return _on_one_line(statement["plain"])
    return _listed(contributor["name"] for contributor in description["contributors"])


def _described(description: Document) -> Iterator[tuple[str, str]]:
    publishing, texts, resources = description["publishing"], description["texts"], description["resources"]
    yield "series", _listed(map(_in_series, description["collections"]))
    yield "by", _listed(map(_contributor, description["contributors"]))
    yield "published", _published(publishing)
    yield "edition", _edition(description["edition"])
    yield "form", _form(description)
    yield "languages", _listed(map(_language, description["languages"]))
    yield "subjects", _listed(map(_subject, description["subjects"]))
    yield "keywords", _listed(description["keywords"], shown=12)
    yield "audience", _listed(_audience(description["audience"]))
    yield "reviews", "\n".join(map(_quoted, texts["reviews"][:_SHOWN]))
    yield "prizes", _listed(map(_prize, description["prizes"]))
    yield "covers", _links(resources["front_covers"])
    yield "samples", _links([*resources["samples"], *resources["trailers"]])
    yield (
        "accessibility",
        _listed(feature["value_name"] or feature["value"] for feature in description["accessibility"]),
    )
    yield "identifiers", _listed(map(_identifier, description["identifiers"]))
    yield "related", _listed(map(_related, description["related_products"]))
    yield "more texts", _more(texts)


def _facts(facts: Document) -> Iterator[tuple[str, str]]:
    yield "status", _name(facts["publishing_status"])
    yield "dates", _listed(map(_date, facts["dates"]))
    yield "rights", "\n".join(f"{_name(found['type'])}: {_few(found['territory'])}" for found in facts["sales_rights"])
    details = [(supply, detail) for supply in facts["supplies"] for detail in supply["details"]]
    yield "supply", "\n".join(starmap(_supply, details[:_SHOWN])) + _and_more(len(details))


def _offers(title: Document) -> Iterator[tuple[str, str]]:
    none = f"no markets are set for {title['source']}; ask for one: run.py offer {title['isbn']} --market …"
    yield "offers", "\n".join(map(_offer, title["offers"])) or none


# --- lines


def _in_series(collection: Document) -> str:
    return _joined(collection["title"], collection["part_number"])


def _contributor(contributor: Document) -> str:
    roles = _listed(map(_name, contributor["roles"]))
    name = contributor["name"] or "unnamed"
    return f"{name} ({roles})" if roles else name


def _published(publishing: Document) -> str:
    names = [found["name"] for found in (*publishing["imprints"], *publishing["publishers"])]
    date = publishing["date"]
    return _joined(*dict.fromkeys(names), *publishing["cities"], date and (date["iso"] or date["text"]))


def _edition(edition: Document) -> str:
    return _joined(*edition["statements"], edition["number"], *map(_name, edition["types"]))


def _form(description: Document) -> str:
    form, extents = description["form"], description["extents"]
    parts = [_name(form["form"]), *map(_name, form["details"])]
    if extents["page_count"]:
        parts.append(f"{extents['page_count']:,} pages")
    if minutes := extents["duration_minutes"]:
        parts.append(f"{minutes // 60} h {minutes % 60} min")
    if size := extents["file_size_bytes"]:
        parts.append(f"{size / 1e6:,.1f} MB")
    return _joined(*parts, *(f"protection: {_name(protection)}" for protection in form["protections"]))


def _language(language: Document) -> str:
    return f"{_name(language['language'])} ({_name(language['role'])})"


def _subject(subject: Document) -> str:
    scheme = subject["scheme_name"] or _name(subject["scheme"])
    return " ".join(filter(None, (scheme, subject["code"], *subject["headings"], subject["is_main"] and "(main)")))


def _audience(audience: Document) -> Iterator[str]:
    for code in audience["codes"]:
        yield _name(code["audience"])
    for found in audience["ranges"]:
        ends = (found["lowest"] or "", found["highest"] or "")
        yield f"{_name(found['qualifier'])} {ends[0] if ends[0] == ends[1] else '-'.join(ends)}"


def _quoted(review: Document) -> str:
    source = _joined(*review["authors"], *review["source_titles"], review["source_corporate"])
    return _cut(_on_one_line(review["text"]["plain"]), _SHORT) + (f" - {source}" if source else "")


def _prize(prize: Document) -> str:
    return _joined(*prize["names"], prize["year"], _name(prize["achievement"]))


def _links(resources: Iterable[Document]) -> str:
    links = {link: None for resource in resources for version in resource["versions"] for link in version["links"]}
    return "\n".join(list(links)[:_SHOWN]) + _and_more(len(links))


def _identifier(identifier: Document) -> str:
    return f"{identifier['type_name'] or _name(identifier['type'])} {identifier['value']}"


def _related(related: Document) -> str:
    numbers = dict.fromkeys(found["value"] for found in related["identifiers"])
    return f"{_listed(map(_name, related['relations']))}: {_listed(numbers)}"


def _more(texts: Mapping[str, Sequence[Document]]) -> str:
    """What is there beside the texts that are shown, by its length."""
    hidden = ("features", "contents", "endorsements", "biographies", "excerpts", "others")
    found = [text for group in hidden for text in texts[group]]
    return _listed(f"{_name(text['type'])} ({len(text['text']['plain']):,} characters)" for text in found)


def _supply(supply: Document, detail: Document) -> str:
    """Where, from whom, from when, for how much; prices that differ in nothing but their territory stand together."""
    territories: dict[str, list[str]] = {}
    for price in detail["prices"]:
        territories.setdefault(_price(price), []).append(price["territory"] or "")
    prices = (f"{price} in {where}" if (where := _together(found)) else price for price, found in territories.items())
    what = _listed(prices) or _name(detail["unpriced"])
    where = _few(" ".join(supply["markets"]))
    who = _joined(
        detail["supplier"],
        _name(supply["market_status"]),
        _name(detail["availability"]),
        *map(_date, (*supply["market_dates"], *detail["dates"])),
    )
    return ": ".join(filter(None, (where, who, what)))


def _together(territories: Sequence[str]) -> str:
    plain = " ".join(territory for territory in territories if _WITHOUT not in territory)
    return _joined(_few(plain), *(_few(territory) for territory in territories if _WITHOUT in territory))


def _price(price: Document) -> str:
    amount = f"{price['amount']} {price['currency'] or ''}" if price["amount"] else _name(price["unpriced"])
    conditions = "with conditions" if price["has_conditions"] else None
    terms = _joined(_name(price["type"]), _name(price["qualifier"]), conditions, *map(_date, price["dates"]))
    return f"{amount} ({terms})" if terms else amount


def _offer(offer: Document) -> str:
    price = offer["price"]
    amount = f" at {price['amount']} {price['currency']} (tax {price['tax']})" if price else ""
    return f"{offer['market']} {offer['state']}{amount}"


# --- words


def _date(date: Document) -> str:
    """A whole day as ISO 8601 has it, anything else as it was sent."""
    text, is_day = date["text"], date["format"] in {None, "00"} and _DAY.fullmatch(date["text"])
    return f"{_name(date['role'])} {'-'.join(is_day.groups()) if is_day else text}"


def _name(coded: Document | None) -> str:
    return (coded["name"] or coded["code"]) if coded else ""


def _public(texts: Sequence[Document]) -> list[str]:
    return [text["text"]["plain"] for text in texts if text["is_public"]]


def _joined(*parts: str | None) -> str:
    return ", ".join(filter(None, parts))


def _listed(parts: Iterable[str | None], shown: int = _SHOWN) -> str:
    found = list(filter(None, parts))
    return "; ".join(found[:shown]) + _and_more(len(found), shown)


def _and_more(count: int, shown: int = _SHOWN) -> str:
    return f" … and {count - shown} more" if count > shown else ""


def _few(territory: str) -> str:
    """A territory by its first codes."""
    parts = [part.split() for part in territory.split(_WITHOUT)]
    return _WITHOUT.join(" ".join(codes[:_CODES]) + _and_more(len(codes), _CODES) for codes in parts)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, width: int) -> str:
    """The beginning, to the end of a word, with how much there is of it."""
    if len(text) <= width:
        return text
    beginning = text[:width].rsplit(None, 1)[0].rstrip(" ,;:.")
    return f"{beginning} … ({len(text):,} characters)"
