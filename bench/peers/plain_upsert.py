"""What a shop writes in an afternoon: parse every record, hash it, and upsert what differs.

It keeps title, first price and XML of each record in SQLite, and commits every 1,000 records. Nothing is told of what vanished.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import etree

from bench.peers.tally import Tally

_TITLE = "{*}DescriptiveDetail/{*}TitleDetail/{*}TitleElement/{*}TitleText"
_PRICE = "{*}ProductSupply/{*}SupplyDetail/{*}Price/{*}PriceAmount"
_RECORDS_A_COMMIT = 1000
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS products (reference TEXT PRIMARY KEY, hash BLOB, title TEXT, price TEXT, xml BLOB);
"""
_UPSERT = """
INSERT INTO products VALUES (?, ?, ?, ?, ?) ON CONFLICT (reference)
DO UPDATE SET hash = excluded.hash, title = excluded.title, price = excluded.price, xml = excluded.xml
"""


def run(feed: Path, database: Path | None = None) -> Tally:
    """Bring the database to the feed; without one, an empty one that is thrown away."""
    with (
        TemporaryDirectory(prefix="plain-upsert-") as folder,
        closing(sqlite3.connect(database or Path(folder, "products.db"))) as db,
    ):
        db.executescript(_SCHEMA)
        return _upsert(feed, db)


def _upsert(feed: Path, db: sqlite3.Connection) -> Tally:
    records = written = 0
    digest = sha256()
    for _, product in etree.iterparse(str(feed), events=("end",), tag="{*}Product"):
        reference = product.findtext("{*}RecordReference")
        xml = etree.tostring(product, encoding="utf-8", with_tail=False)
        mark = sha256(xml).digest()
        known = db.execute("SELECT hash FROM products WHERE reference = ?", (reference,)).fetchone()
        if known is None or known[0] != mark:
            title = product.findtext(_TITLE)
            price = product.findtext(_PRICE)
            db.execute(_UPSERT, (reference, mark, title, price, xml))
            written += 1
        records += 1
        if records % _RECORDS_A_COMMIT == 0:
            db.commit()
        digest.update(mark)
        product.clear()
        while product.getprevious() is not None:
            del product.getparent()[0]
    db.commit()
    return Tally(records=records, bytes=feed.stat().st_size, digest=digest.hexdigest(), figures={"written": written})
