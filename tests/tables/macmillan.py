"""One publisher's export in ONIX 2.1 and in 3.0, record by record: what the engine reads of both.

`python -m tests.tables.macmillan` prints it as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from syncengine.domain.codes import PublishingDateRole
from syncengine.domain.frame import FrameIndex
from syncengine.domain.product import Price, Product, ProductSupply, SupplyDetail
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from tests.records import samples_folder
from tests.values import replace


def products(name: str) -> list[Product]:
    """The records of a file in the order in which the engine reads them."""
    framer = Framer(seed=0, index=FrameIndex())
    frames = framer.feed((samples_folder() / "jonix" / name).read_bytes()).frames + framer.close().frames
    assert framer.context is not None
    return [parse(frame.body, framer.context).product for frame in frames]


def pairs() -> list[tuple[Product, Product]]:
    """Each record in 2.1 and in 3.0; one reference stands twice in both files, with the same content."""
    old, new = products("onix2-multiple.xml"), products("onix3-multiple.xml")
    assert [product.reference for product in old] == [product.reference for product in new]
    return list(zip(old, new, strict=True))


def as_far_as_2_1_can_say(product: Product) -> Product:
    """A record of 3.0 without what release 2 has no element for: the kind of a tax, and an embargo above all markets."""
    dates = tuple(dated for dated in product.publishing_dates if dated.role != PublishingDateRole.SALES_EMBARGO)
    return replace(product, publishing_dates=dates, supplies=tuple(map(_supply, product.supplies)))


def rights(product: Product) -> dict[str, frozenset[str]]:
    """The countries of each type of sales rights; what holds for the rest under an empty set."""
    found = {stated.type: stated.territory.countries() for stated in product.sales_rights}
    rest = product.rest_of_world_rights
    return {**found, f"rest: {rest}": frozenset()} if rest else found


def details(product: Product) -> list[SupplyDetail]:
    """The supplies of all markets."""
    return [detail for block in product.supplies for detail in block.details]


FIELDS: Mapping[str, Callable[[Product], object]] = {
    "identifiers": lambda product: product.identifiers,
    "isbn": lambda product: product.isbn,
    "form": lambda product: (product.composition, product.form, product.form_details),
    "title": lambda product: product.title,
    "publisher": lambda product: product.publisher,
    "status": lambda product: product.publishing_status,
    "dates": lambda product: product.publishing_dates,
    "rights": rights,
    "markets": lambda product: [block.markets for block in product.supplies],
    "availability": lambda product: [(detail.availability, detail.dates) for detail in details(product)],
    "prices": lambda product: [detail.prices for detail in details(product)],
}
"""What is compared, by the word that the table has for it."""


def _supply(block: ProductSupply) -> ProductSupply:
    return replace(block, details=tuple(_detail(detail) for detail in block.details))


def _detail(detail: SupplyDetail) -> SupplyDetail:
    return replace(detail, prices=tuple(_price(price) for price in detail.prices))


def _price(price: Price) -> Price:
    return replace(price, taxes=tuple(replace(tax, type=None) for tax in price.taxes))


def only_in_3_0(new: Product) -> Iterator[str]:
    """Each fact that only the file in 3.0 has."""
    if any(tax.type for detail in details(new) for price in detail.prices for tax in price.taxes):
        yield "TaxType 01"
    for dated in new.publishing_dates:
        if dated.role == PublishingDateRole.SALES_EMBARGO:
            yield f"PublishingDate 02 {dated.date.text}"


def spelled(old: Product, new: Product) -> str:
    """The row in Markdown."""
    same = [name for name, read in FIELDS.items() if read(old) == read(as_far_as_2_1_can_say(new))]
    cells = [
        old.reference,
        old.title or "",
        old.form or "",
        old.publishing_status or "",
        ", ".join(f"{dated.role} {dated.date.text}" for dated in old.publishing_dates),
        ", ".join(f"{kind} {len(countries)}" for kind, countries in rights(old).items()),
        "; ".join(_sold(block) for block in old.supplies),
        ", ".join(same) if len(same) < len(FIELDS) else f"all of {len(FIELDS)}",
        ", ".join(only_in_3_0(new)),
    ]
    return f"| {' | '.join(cells)} |"


def _sold(block: ProductSupply) -> str:
    where = " ".join(sorted(country for market in block.markets for country in market.countries()))
    return ", ".join(f"{where}: {_offered(detail)}" for detail in block.details)


def _offered(detail: SupplyDetail) -> str:
    dates = " ".join(f"{dated.role}={dated.date.text}" for dated in detail.dates)
    prices = " ".join(f"{price.amount} {price.currency} type {price.type}" for price in detail.prices)
    return f"{detail.availability} {dates} {prices}".replace("  ", " ").strip()


def main() -> None:
    """Print the table."""
    print(f"Compared: {', '.join(FIELDS)}.\n")
    print("| record | title | form | status | dates | rights | supply | the same in both | only in 3.0 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for old, new in pairs():
        print(spelled(old, new))


if __name__ == "__main__":
    main()
