"""The sandbox's pages for people: an overview, and for each distributor its titles, ledger, calls, faults and settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from adapters.sandbox.catalogue import TitleRow
from adapters.sandbox.faults import Knob
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.stub import About
from syncengine.domain.offer import OfferState

if TYPE_CHECKING:
    from adapters.sandbox.server import CallRow

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""What a browser is told with every page: nothing is loaded, nothing is kept."""
PAGES = "/_sandbox/pages"
_SHOWN = 40
_LATEST = 12
_NUMBER = re.compile(r"[\d,.]+( [A-Z]{3})?")
"""A count, or an amount of money."""
_ISBN_LENGTH = 13
"""A name of digits, and no number."""

_MARKS = {
    OfferState.FOR_SALE: "yes",
    OfferState.PREORDER: "soon",
    OfferState.ANNOUNCED: "soon",
    OfferState.NOT_YET: "soon",
    "sale": "yes",
    "preorder": "soon",
    "refund": "no",
}
"""The colour of a word; that of states not named here is that of what is not sold."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --ground: #f6f7f9; --sheet: #fff; --faint: #dde1e6; --quiet: #5b6470;
  --link: #0a58b0; --yes: #17733a; --soon: #1f5fae; --no: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ed; --ground: #14171b; --sheet: #1d2126; --faint: #373e47; --quiet: #9aa4b0;
    --link: #78b4ff; --yes: #5fd38a; --soon: #7ab8ff; --no: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 0 1.5rem 3rem; font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
  background: var(--ground); }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: .9rem 0; border-bottom: 1px solid var(--faint); }
nav [aria-current] { color: var(--ink); font-weight: 600; }
h1 { font-size: 1.6rem; margin: 1.2rem 0 .2rem; } h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
p { margin: .2rem 0; } .quiet { color: var(--quiet); } code { font-size: .92em; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; margin-top: 1rem; align-items: start; }
section { background: var(--sheet); border: 1px solid var(--faint); border-radius: .5rem; padding: .9rem 1.1rem; min-width: 0; }
.columns + section, section + section { margin-top: 1rem; } .columns section { margin-top: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--quiet); white-space: nowrap; }
th, td { padding: .22rem .9rem .22rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
tr:last-child > * { border-bottom: 0; } th:last-child, td:last-child { padding-right: 0; }
td { white-space: nowrap; } td code { white-space: normal; } .number { text-align: right; }
td .clip { display: block; max-width: 14rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
td .path { max-width: 36rem; }
.yes { color: var(--yes); } .soon { color: var(--soon); } .no { color: var(--no); }
.more { margin-top: .6rem; font-size: .87rem; color: var(--quiet); }
"""


class Html(str):
    """Text that is markup already; every other text is escaped."""

    __slots__ = ()


Cell = str | Html


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What there is to show of one distributor, at one instant; rows in the order in which they came."""

    name: str
    about: About
    address: str
    titles: Sequence[TitleRow]
    ledger: Sequence[LedgerRow]
    calls: Sequence[CallRow]
    knobs: Mapping[str, Mapping[str, Knob]]
    settings: Mapping[str, Any]
    scenarios: Mapping[str, str]

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"{PAGES}/{quote(self.name)}"

    def json(self, what: str, **query: str) -> str:
        """The address of what the page shows, as a document."""
        return f"/_sandbox/{what}?{urlencode({'distributor': self.name, **query})}"


def overview(views: Sequence[View]) -> str:
    """All distributors side by side, and what took effect last at any of them."""
    columns = "".join(map(_card, views))
    rows = sorted((row for view in views for row in view.ledger), key=lambda row: row.at)
    labels = {view.name: view.about.label for view in views}
    latest = [(labels.get(row.distributor, row.distributor), *_ledger_cells(row)) for row in reversed(rows[-_LATEST:])]
    ledger = _section(
        "Latest in the ledgers",
        _table(("distributor", *_LEDGER_HEADINGS), latest, "no call has taken effect yet"),
        _more(len(latest), len(rows), "/_sandbox/ledger"),
    )
    intro = '<p class="quiet">Stub distributors on loopback. Nothing here is real: no book, no sale, no money.</p>'
    return _document("Sandbox", views, None, f'<h1>Sandbox</h1>{intro}<div class="columns">{columns}</div>{ledger}')


def distributor_page(views: Sequence[View], shown: View, state: OfferState | None) -> str:
    """Everything of one distributor; of its titles those in a state, or all."""
    about = shown.about
    intro = (
        f'<h1>{escape(about.label)}</h1><p class="quiet"><code>{escape(shown.address)}</code>, {escape(about.market)}; '
        f"a title is out by {escape(about.release)}; told of a sale: {escape(about.told.value)}</p>"
    )
    tallies = "".join(
        (
            _section("Titles by state", _states_table(shown, state)),
            _section("In the ledger", _kinds_table(shown)),
            _section("Calls", _endpoints_table(shown)),
        )
    )
    steering = "".join((_faults_section(shown), _settings_section(shown)))
    body = (
        f'{intro}<div class="columns">{tallies}</div>{_ledger_section(shown)}{_calls_section(shown)}'
        f'{_titles_section(shown, state)}<div class="columns">{steering}</div>'
    )
    return _document(about.label, views, shown, body)


# --- sections -----------------------------------------------------------------------------------------------------------


def _card(view: View) -> str:
    kinds = Counter(row.kind for row in view.ledger)
    faults = sum(len(knobs) for knobs in view.knobs.values())
    facts = {
        "market": view.about.market,
        "a title is out by": view.about.release,
        "told of a sale": view.about.told.value,
        "titles": f"{len({row.isbn for row in view.titles}):,}",
        **{f"{kind}s": f"{kinds[kind]:,}" for kind in ("preorder", "sale", "refund")},
        "money": _money(view) or "none told",
        "calls": f"{len(view.calls):,}, {sum(map(_failed, view.calls)):,} failed",
        "faults set": str(faults),
    }
    rows = "".join(
        f'<tr><th>{escape(name)}</th><td class="number">{escape(value)}</td></tr>\n' for name, value in facts.items()
    )
    links = ", ".join(_link(view.json(what), what) for what in ("ledger", "titles", "calls", "faults"))
    return _section(
        _link(view.page, view.about.label),
        f'<p class="quiet"><code>{escape(view.address)}</code></p><table><tbody>{rows}</tbody></table>',
        f'<p class="more">as JSON: {links}</p>',
    )


def _states_table(view: View, state: OfferState | None) -> str:
    counts = Counter(row.state for row in view.titles)
    rows: list[Sequence[Cell]] = [
        (_link(f"{view.page}?{urlencode({'state': found})}#titles", found, mark=_mark(found)), f"{count:,}")
        for found, count in counts.most_common()
    ]
    if state is not None:
        rows.append((_link(f"{view.page}#titles", "all states"), f"{len(view.titles):,}"))
    return _table(("of title and market", "rows"), rows, "there are no titles")


def _kinds_table(view: View) -> str:
    groups: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in view.ledger:
        groups.setdefault((row.kind, row.currency or ""), []).append(row)
    rows: list[Sequence[Cell]] = [
        (_marked(kind), f"{len(found):,}", _sum(found, currency)) for (kind, currency), found in groups.items()
    ]
    return _table(("kind", "calls", "money"), rows, "no call has taken effect yet")


def _endpoints_table(view: View) -> str:
    counts = Counter(row.endpoint for row in view.calls)
    failed = Counter(row.endpoint for row in view.calls if _failed(row))
    rows = [(endpoint, f"{count:,}", f"{failed[endpoint]:,}") for endpoint, count in counts.most_common()]
    return _table(("endpoint", "calls", "failed"), rows, "no call has arrived yet")


_LEDGER_HEADINGS = ("at", "kind", "reference", "customer", "title", "format", "amount", "country", "lock", "answer")


def _ledger_cells(row: LedgerRow) -> Sequence[Cell]:
    return (
        _instant(row.at),
        _marked(row.kind),
        row.reference or "",
        row.customer_id or "",
        row.isbn,
        row.format or "",
        _amount(row),
        row.country or "",
        row.protection or "",
        _clipped(row.response),
    )


def _ledger_section(view: View) -> str:
    rows = [_ledger_cells(row) for row in reversed(view.ledger[-_SHOWN:])]
    table = _table(_LEDGER_HEADINGS, rows, "no call has taken effect yet")
    return _section(
        "Ledger, the latest first", table, _more(len(rows), len(view.ledger), view.json("ledger")), "ledger"
    )


def _calls_section(view: View) -> str:
    rows: list[Sequence[Cell]] = [
        (
            _instant(row.at),
            row.endpoint,
            row.method,
            _path(view, row),
            Html(f'<span class="{"no" if _failed(row) else "yes"}">{row.status or "none"}</span>'),
            _clipped(row.word),
            row.fault or "",
        )
        for row in reversed(view.calls[-_SHOWN:])
    ]
    headings = ("at", "endpoint", "method", "path", "status", "answer", "fault")
    table = _table(headings, rows, "no call has arrived yet")
    return _section("Calls, the latest first", table, _more(len(rows), len(view.calls), view.json("calls")), "calls")


def _titles_section(view: View, state: OfferState | None) -> str:
    cases: dict[str, list[str]] = {}
    for name, isbn in view.scenarios.items():
        cases.setdefault(isbn, []).append(name)
    found = [row for row in view.titles if state in {None, row.state}]
    rows: list[Sequence[Cell]] = [
        (
            row.isbn,
            row.format,
            row.market,
            row.price or "",
            _instant(row.release_at) if row.release_at else "",
            _marked(row.state),
            ", ".join(cases.get(row.isbn, ())),
        )
        for row in found[:_SHOWN]
    ]
    query = {} if state is None else {"state": state.value}
    headings = ("title", "format", "market", "price", "out at", "state", "shows on purpose")
    return _section(
        "Titles" if state is None else f"Titles: {state}",
        _table(headings, rows, "there are none"),
        _more(len(rows), len(found), view.json("titles", **query)),
        "titles",
    )


def _faults_section(view: View) -> str:
    rows: list[Sequence[Cell]] = [
        (endpoint, fault, _knob_text(knob), str(knob.fired))
        for endpoint, knobs in view.knobs.items()
        for fault, knob in knobs.items()
    ]
    table = _table(("endpoint", "fault", "set to", "fired"), rows, "no fault is set: everything works")
    return _section("Faults", table, f'<p class="more">{_link(view.json("faults"), "as JSON")}</p>', "faults")


def _settings_section(view: View) -> str:
    rows: list[Sequence[Cell]] = [
        (name, Html(f"<code>{escape(msgspec.json.encode(value).decode())}</code>"))
        for name, value in view.settings.items()
    ]
    return _section("Settings", _table(("name", "value"), rows, "there are none"))


# --- parts --------------------------------------------------------------------------------------------------------------


def _document(title: str, views: Sequence[View], current: View | None, body: str) -> str:
    links = "".join(
        _link(view.page, view.about.label, here=current is not None and view.name == current.name) for view in views
    )
    navigation = f"<nav>{_link('/', 'Overview', here=current is None)}{links}</nav>"
    name = title if current is None else f"{title}, sandbox"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(name)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{navigation}\n<main>{body}</main>\n</body>\n</html>\n"
    )


def _section(title: Cell, body: str, foot: str = "", anchor: str = "") -> str:
    named = f' id="{anchor}"' if anchor else ""
    return f'<section{named}><h2>{_cell(title)}</h2>\n<div class="wide">{body}</div>{foot}</section>\n'


def _table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], none: str) -> str:
    """A table; a column of numbers stands to the right. Without rows, the words for that."""
    if not rows:
        return f'<p class="quiet">{escape(none)}</p>'
    numeric = [_are_numbers([row[place] for row in rows if row[place]]) for place in range(len(headings))]
    classes = [' class="number"' if each else "" for each in numeric]
    top = "".join(f"<th{kind}>{escape(text)}</th>" for kind, text in zip(classes, headings, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{_cell(cell)}</td>' for kind, cell in zip(classes, row, strict=True))}</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _are_numbers(cells: Sequence[Cell]) -> bool:
    return bool(cells) and all(_NUMBER.fullmatch(cell) and len(cell) != _ISBN_LENGTH for cell in cells)


def _cell(cell: Cell) -> str:
    return cell if isinstance(cell, Html) else escape(cell)


def _link(address: str, text: str, *, mark: str = "", here: bool = False) -> Html:
    kind = f' class="{mark}"' if mark else ""
    current = ' aria-current="page"' if here else ""
    return Html(f'<a href="{escape(address)}"{kind}{current}>{escape(text)}</a>')


def _more(shown: int, count: int, address: str) -> str:
    says = f"{shown:,} of {count:,} shown; " if shown < count else ""
    return f'<p class="more">{says}{_link(address, "all as JSON")}</p>'


def _marked(word: str) -> Html:
    return Html(f'<span class="{_mark(word)}">{escape(word)}</span>')


def _path(view: View, row: CallRow) -> Html:
    """Without the distributor's own prefix."""
    text = row.path + (f"?{row.query}" if row.query else "")
    return _clipped(text.removeprefix(f"/{view.name}"), "path")


def _clipped(text: str, kind: str = "") -> Html:
    """On one line, however long it is; the whole of it is shown where one points at it."""
    return Html(f'<code class="clip {kind}" title="{escape(text)}">{escape(text)}</code>')


def _mark(word: str) -> str:
    return _MARKS.get(word, "no")


def _instant(text: str) -> str:
    """To the second, in UTC as all instants here are."""
    return text[:19].replace("T", " ")


def _failed(row: CallRow) -> bool:
    return row.status == 0 or row.status >= 400


def _amount(row: LedgerRow) -> str:
    return "" if row.amount is None else f"{row.amount} {row.currency or ''}"


def _sum(rows: Iterable[LedgerRow], currency: str) -> str:
    amounts = [Decimal(row.amount) for row in rows if row.amount is not None]
    return f"{sum(amounts, Decimal(0)):,.2f} {currency}" if amounts else ""


def _money(view: View) -> str:
    """What was sold and not taken back, in each currency."""
    sums: dict[str, Decimal] = {}
    for row in view.ledger:
        if row.amount is not None and row.currency is not None:
            amount = Decimal(row.amount) * (-1 if row.kind == "refund" else 1)
            sums[row.currency] = sums.get(row.currency, Decimal(0)) + amount
    return ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sums.items())


def _knob_text(knob: Knob) -> str:
    facts = msgspec.to_builtins(knob)
    return ", ".join(f"{name} {value}" for name, value in facts.items() if name != "fired") or "until cleared"
