"""Messages of rows for tests, in the two forms that distributors send: stock in an ATOM feed, agreements in an envelope of their own."""

from __future__ import annotations

from syncengine.domain.rows import Rows

STOCK_ROWS = Rows(root="feed", record="entry", reference="isbn", prefix="stock:")
AGREEMENT_ROWS = Rows(
    root="Message",
    container="Products",
    record="Product",
    reference="Ean",
    prefix="agreement:",
    header="Header",
    sent_at="SentDateTime",
)
_FEED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:inv="http://bokbasen.no/module/inventory/1.0">\n'
    '<title>Inventory</title><link rel="self" href="https://api.example.org/inventory?next={cursor}"/>'
    "<updated>2026-11-0{day}T00:00:00Z</updated>\n"
)


def entry(isbn: str, *, version: int = 1, published: str = "true", access: str = "true", deleted: str = "") -> str:
    """One row of stock; its reference stands third."""
    return (
        f"<entry><id>urn:uuid:0000-{version}</id><updated>2026-11-01T00:00:00Z</updated><inv:isbn>{isbn}</inv:isbn>"
        f"<inv:format>EPUB</inv:format><inv:drm>SDRM</inv:drm><inv:version>{version}</inv:version>"
        f"<inv:deleted>{deleted}</inv:deleted><inv:published>{published}</inv:published>"
        f"<inv:access>{access}</inv:access></entry>\n"
    )


def stock(*entries: str, cursor: str = "a", day: int = 1) -> bytes:
    """A feed; cursor and day tell one page from the next and mean nothing for its rows."""
    return (_FEED.format(cursor=cursor, day=day) + "".join(entries) + "</feed>\n").encode()


def agreement(ean: str, amount: str = "9.99", allowed: str = "Y") -> str:
    """One agreement."""
    return (
        f"<Product><Ean>{ean}</Ean><RetailPrice><Amount>{amount}</Amount><Currency>EUR</Currency></RetailPrice>"
        f"<DiscountPercentage>30.00</DiscountPercentage><AllowedToOrder>{allowed}</AllowedToOrder></Product>\n"
    )


def agreements(*products: str, sent_at: str = "2026-11-01T06:00:00") -> bytes:
    """A message; without products its container is empty."""
    header = f"<Header><MessageId>7</MessageId><SentDateTime>{sent_at}</SentDateTime></Header>"
    held = f"<Products>\n{''.join(products)}</Products>" if products else "<Products/>"
    opening = '<?xml version="1.0" encoding="UTF-8"?>\n<Message xmlns="http://www.cbonline.nl/xsd">'
    return f"{opening}{header}{held}</Message>".encode()
