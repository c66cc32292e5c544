"""The shop's out box at the stub: agreement messages and zipped article files, put there as they would come by FTP (contract 9, 10).

A file appears the next time the stub is spoken to after a title has changed, or when it is asked for one; in truth it would be
the next morning.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from adapters.distributors.cb.sandbox_onix import RELATION_ID, RecordWriter, message
from adapters.distributors.cb.sandbox_shelf import Shelf
from adapters.distributors.cb.sandbox_titles import ZONE, Title
from adapters.sandbox.catalogue import amount_text

FOLDER = "cb-outbox"
MOST_RECORDS = 2500
"""How many records a message has at most (contract 10)."""
_STAMP_FORM = "%d%m%Y%H%M%S"
_AGREEMENT = re.compile(r"dipragmtcs_\d+_(?P<stamp>\d{14})\.xml")
_SECOND = timedelta(seconds=1)


class OutBox:
    """Writes files below a folder; what an earlier run has put there stays."""

    def __init__(self, directory: Path, *, shelf: Shelf, writer: RecordWriter) -> None:
        self._agreement = directory / FOLDER / "agreement"
        self._articles = directory / FOLDER / "articles"
        self._shelf = shelf
        self._writer = writer
        self._posted: dict[str, tuple[Title, str | None]] = {}
        self._sent_at: datetime | None = None
        self._restored_at: datetime | None = None
        self._numbers = 0

    @property
    def patterns(self) -> tuple[str, str]:
        """The agreement files and the article files, below the sandbox's folder."""
        return f"{FOLDER}/agreement/dipragmtcs_*.xml", f"{FOLDER}/articles/*.zip"

    def open(self, at: datetime) -> None:
        """Put the first, complete files there, unless they are there already."""
        for folder in (self._agreement, self._articles):
            folder.mkdir(parents=True, exist_ok=True)
        self._sent_at = self._restored_at = self._newest()
        if self._sent_at is None:
            self._put(list(self._shelf.ebooks()), at)
        self._posted = self._told(at)

    def post(self, at: datetime) -> None:
        """Put files with what has changed since the last; nothing where nothing has, nor where an earlier run has done so."""
        told = self._told(at)
        changed = [title for isbn, (title, _) in told.items() if self._posted.get(isbn) != told[isbn]]
        if not changed:
            return
        self._posted = told
        if self._restored_at is None or at >= self._restored_at + _SECOND:
            self._put(changed, at)

    def post_nothing(self, at: datetime) -> None:
        """Put files that say that nothing has changed: they come all the same."""
        self._put([], at)

    def _put(self, titles: Sequence[Title], at: datetime) -> None:
        sent_at = at.replace(microsecond=0)
        if self._sent_at is not None and sent_at <= self._sent_at:
            sent_at = self._sent_at + _SECOND
        self._put_agreement(titles, sent_at)
        self._put_articles([title for title in titles if title.is_told], at, sent_at)
        self._sent_at = sent_at

    def _put_agreement(self, titles: Sequence[Title], sent_at: datetime) -> None:
        local = sent_at.astimezone(ZONE)
        products = "".join(_product(title) for title in titles if title.agreement is not None)
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Message xmlns="http://www.cbonline.nl/xsd">\n<Header>'
            f"<MessageId>{self._next_number()}</MessageId><SentDateTime>{local:%Y-%m-%dT%H:%M:%S}</SentDateTime></Header>\n"
            f"<Products>\n{products}</Products>\n</Message>\n"
        )
        name = f"dipragmtcs_{RELATION_ID}_{local.strftime(_STAMP_FORM)}.xml"
        (self._agreement / name).write_bytes(body.encode())

    def _put_articles(self, titles: Sequence[Title], at: datetime, sent_at: datetime) -> None:
        """One zip; its messages have at most MOST_RECORDS records each, and one of them says where there are none."""
        path = self._articles / f"onix_{sent_at.astimezone(ZONE):%Y%m%d_%H%M%S}.zip"
        stretches = [titles[first : first + MOST_RECORDS] for first in range(0, len(titles), MOST_RECORDS)] or [[]]
        part = path.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, stretch in enumerate(stretches, 1):
                records = (self._writer.record(title, at) for title in stretch)
                archive.writestr(
                    f"onix_{number:03d}.xml", message(records, number=self._next_number(), sent_at=sent_at)
                )
        part.rename(path)

    def _told(self, at: datetime) -> dict[str, tuple[Title, str | None]]:
        """What files say of each e-book at that instant."""
        return {title.isbn: (title, title.availability_at(at)) for title in self._shelf.ebooks()}

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _newest(self) -> datetime | None:
        """When the newest agreement file was sent, by its name."""
        stamps = [found["stamp"] for path in self._agreement.iterdir() if (found := _AGREEMENT.fullmatch(path.name))]
        walls = [datetime.strptime(stamp, _STAMP_FORM).replace(tzinfo=ZONE) for stamp in stamps]
        return max((wall.astimezone(UTC) for wall in walls), default=None)


def _product(title: Title) -> str:
    agreement = title.agreement
    if agreement is None:
        return ""
    eans = "".join(f"<Ean>{escape(ean)}</Ean>" for ean in (title.isbn, *agreement.eans))
    price = ""
    if agreement.amount is not None:
        price = f"<RetailPrice><Amount>{amount_text(agreement.amount)}</Amount><Currency>EUR</Currency></RetailPrice>"
    allowed, webshop = (
        "Y" if flag else "N" for flag in (agreement.allowed and not title.is_deleted, agreement.webshop)
    )
    return (
        f"<Product>{eans}{price}<DiscountPercentage>30.00</DiscountPercentage>"
        f"<AllowedToOrder>{allowed}</AllowedToOrder><Webshop>{webshop}</Webshop></Product>\n"
    )
