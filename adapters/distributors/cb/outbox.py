"""The shop's out box at CB: which files are new, in which order, and on which working day none came (contract cb 9 and 10)."""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.files.archive import Message, messages_in, unreadable
from syncengine.domain.dates import OnixDate
from syncengine.domain.rows import Rows

AGREEMENT_ROWS = Rows(
    root="Message",
    container="Products",
    record="Product",
    reference="Ean",
    prefix="agreement:",
    header="Header",
    sent_at="SentDateTime",
)
_STAMP_FORM = "%d%m%Y%H%M%S"
_SENT_AT = re.compile(rb"<(?:[\w.-]+:)?(?:SentDateTime|x307)[^>]*>\s*([^<\s]+)")
_EANS = re.compile(rb"<(?:[\w.-]+:)?Ean[\s>]")
_PRODUCTS = re.compile(rb"<(?:[\w.-]+:)?Product[\s>]")
_HEAD_PIECES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file as it came: its key tells it from another file of its name, `sent_at` is its message's own word.

    An archive holds several messages.
    """

    key: str
    path: Path
    sent_at: datetime
    messages: tuple[Message, ...]


def deliveries(
    patterns: Collection[str], known: Collection[str], zone: ZoneInfo, name: str | None = None
) -> list[Delivery]:
    """The files that no earlier pass has dealt with, in the order in which they were sent. Blocking.

    `name` is the pattern of a file name whose group `stamp` tells when it was sent, where the message itself does not. Raises what
    `messages_in` raises for a file that cannot be opened.
    """
    found = [(key_of(path), path) for path in files(patterns)]
    new = (_delivery(key, path, zone, name) for key, path in found if key not in known)
    return sorted(new, key=lambda delivery: (delivery.sent_at, delivery.path.name))


def files(patterns: Collection[str]) -> list[Path]:
    """Every file in a folder, or that matches a pattern, by name."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        matches = path.iterdir() if path.is_dir() else map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        found.update(
            dict.fromkeys(match for match in sorted(matches) if match.is_file() and not match.name.startswith("."))
        )
    return list(found)


def key_of(path: Path) -> str:
    """What a file is remembered by: one that was replaced under its name is new. Raises InputUnreadable where it has gone."""
    try:
        told = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return f"{path.name}|{told.st_size}|{told.st_mtime_ns}"


def is_of(path: Path, name: str, relation_id: str) -> bool:
    """Whether a file is this relation's, by the group `relation` of the pattern of its name; one that does not say may be."""
    found = re.fullmatch(name, path.name)
    return found is None or found.groupdict().get("relation") in {None, relation_id}


def split_products(body: bytes) -> bytes:
    """An agreement message in which each Product names one Ean: what is said of several is said of each (contract cb 9).

    A message that has it so already, or cannot be parsed, stays as it is, byte by byte.
    """
    if sum(1 for _ in _EANS.finditer(body)) <= sum(1 for _ in _PRODUCTS.finditer(body)):
        return body
    try:
        root = etree.fromstring(body, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=True))
    except etree.XMLSyntaxError:
        return body
    for product in list(root.iter("{*}Product")):
        eans = [child for child in product if etree.QName(child).localname == "Ean"]
        for place in range(1, len(eans)):
            twin = deepcopy(product)
            _keep_one(twin, place)
            product.addnext(twin)
        _keep_one(product, 0)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def missed_day(
    newest: datetime | None, now: datetime, *, by_hour: int, holidays: Collection[str], zone: ZoneInfo
) -> date | None:
    """The last working day that is over by its hour and has no file of its own; none where every one has.

    `newest` is when the newest file was sent; with none at all nothing is missed, for nothing is known to come.
    """
    if newest is None:
        return None
    local = now.astimezone(zone)
    day = local.date() if local.hour >= by_hour else local.date() - timedelta(days=1)
    while not _is_working_day(day, holidays):
        day -= timedelta(days=1)
    return day if newest.astimezone(zone).date() < day else None


def _keep_one(product: etree._Element, place: int) -> None:
    eans = [child for child in product if etree.QName(child).localname == "Ean"]
    for number, ean in enumerate(eans):
        if number != place:
            product.remove(ean)


def _is_working_day(day: date, holidays: Collection[str]) -> bool:
    return day.weekday() < 5 and day.isoformat() not in holidays


def _delivery(key: str, path: Path, zone: ZoneInfo, name: str | None) -> Delivery:
    messages = tuple(messages_in(path))
    sent = [at for message in messages if (at := _stated(message, zone)) is not None]
    at = max(sent, default=None) or _stamped(path, name, zone)
    return Delivery(
        key=key, path=path, sent_at=at or datetime.fromtimestamp(path.stat().st_mtime, UTC), messages=messages
    )


def _stated(message: Message, zone: ZoneInfo) -> datetime | None:
    """The header's SentDateTime; what breaks off here breaks off again where it is read."""
    found = _SENT_AT.search(_head(message.pieces()))
    return OnixDate(text=found[1].decode("ascii", "replace")).starts_at(zone) if found else None


def _head(pieces: Generator[bytes, None, None]) -> bytes:
    with closing(pieces):
        return b"".join(islice(pieces, _HEAD_PIECES))[:65536]


def _stamped(path: Path, name: str | None, zone: ZoneInfo) -> datetime | None:
    found = re.fullmatch(name, path.name) if name else None
    if found is None or "stamp" not in found.groupdict():
        return None
    try:
        wall = datetime.strptime(found["stamp"], _STAMP_FORM)  # noqa: DTZ007 - its zone is the next line's
    except ValueError:
        return None
    return wall.replace(tzinfo=zone).astimezone(UTC)


def whole(message: Message) -> Iterator[bytes]:
    """An agreement's message, split where it has to be; raises what its pieces raise."""
    yield split_products(b"".join(message.pieces()))
