"""Records for tests: cut from the real samples, or wrapped by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncengine.domain.frame import Context, MessageHeader, TagStyle
from syncengine.onix.digest import digests_of

_SAMPLES = Path(os.environ.get("ONIX_SAMPLES", Path(__file__).parents[2] / "shared" / "onix-samples"))
_ROOT = re.compile(rb"<(?:[\w.-]+:)?ONIX[Mm]essage\b[^>]*>")
_RECORD = re.compile(rb"<((?:[\w.-]+:)?[Pp]roduct)(?:\s[^>]*)?>.*?</\1\s*>", re.DOTALL)
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_DEFAULT = re.compile(rb"<(DefaultPriceType|x310|DefaultCurrencyCode|m186)>\s*(\w+)\s*<")

REFERENCE_30 = b'<?xml version="1.0" encoding="UTF-8"?><ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">'
CLOSING = b"</ONIXMessage>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The bytes of one record with what they stand in."""

    context: Context
    body: bytes

    @property
    def document(self) -> bytes:
        return self.context.opening + self.body + self.context.closing


def samples_folder() -> Path:
    if not _SAMPLES.is_dir():
        pytest.skip(f"ONIX_SAMPLES: no sample files at {_SAMPLES}")
    return _SAMPLES


def sample_paths() -> list[Path]:
    """Every sample file; none where the folder is missing."""
    return sorted(path for path in _SAMPLES.rglob("*") if path.suffix in {".xml", ".onx"})


def sample(name: str) -> list[Record]:
    """The records of one sample, byte for byte as they stand in it."""
    message = (samples_folder() / name).read_bytes()
    if message.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = message.decode("utf-16").encode().replace(b"UTF-16", b"UTF-8").replace(b"utf-16", b"utf-8")
    root = _ROOT.search(message)
    encoding = _ENCODING.search(message)
    label = encoding[1] if encoding else b"UTF-8"
    start = root[0] if root else b""
    end = b"</" + start[1 : re.search(rb"[\s>]", start).start()] + b">" if start else b""  # type: ignore[union-attr]
    defaults = dict(_DEFAULT.findall(message))
    header = MessageHeader(
        default_price_type=(defaults.get(b"DefaultPriceType") or defaults.get(b"x310") or b"").decode() or None,
        default_currency=(defaults.get(b"DefaultCurrencyCode") or defaults.get(b"m186") or b"").decode() or None,
    )
    found = context(b'<?xml version="1.0" encoding="' + label + b'"?>' + start, end, header)
    return [Record(context=found, body=match[0]) for match in _RECORD.finditer(message)]


def context(opening: bytes = REFERENCE_30, closing: bytes = CLOSING, header: MessageHeader | None = None) -> Context:
    encoding = _ENCODING.search(opening)
    return Context(
        encoding=encoding[1].decode() if encoding else "UTF-8",
        release="3.1" if b"3.1" in opening else "3.0",
        style=TagStyle.SHORT if b"ONIXmessage" in opening else TagStyle.REFERENCE,
        opening=opening,
        closing=closing,
        header=header or MessageHeader(),
    )


def digests_in(context: Context, body: bytes) -> Mapping[str, bytes]:
    """The digests of a record's blocks, what its message's header says for it included."""
    return digests_of(context.opening, body, context.closing, context.header)


def record(inside: str, *, reference: str = "r1", notification: str = "03") -> bytes:
    """A reference-name record of ONIX 3.0: block zero and what is given."""
    return (
        f"<Product><RecordReference>{reference}</RecordReference>"
        f"<NotificationType>{notification}</NotificationType>{inside}</Product>"
    ).encode()
