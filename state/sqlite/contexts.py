"""What kept frames are to be read in: the essence of each context once, however many frames share it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from functools import lru_cache

from state.sqlite.codec import CONTEXT
from syncengine.domain.frame import Context, MessageHeader, TagStyle

_ADD = "INSERT INTO contexts (essence) VALUES (?) ON CONFLICT DO NOTHING"
_NUMBER = "SELECT id FROM contexts WHERE essence = ?"
_FAMILIAR = 256
"""A feed's records share one or two contexts; so many decoded ones are kept at hand."""

_ENCODING = re.compile(rb'<\?xml version="1\.0" encoding="([^"]+)"\?>')
_RELEASE = re.compile(rb"""[ ]release=["']\s*(\d[\d.]*)""")
_NAMESPACE = re.compile(rb"onix/(?:[a-z]+/)*(\d+(?:\.\d+)*)", re.IGNORECASE)
_SHORT_ROOT = re.compile(rb"<(?:[^ <>/:]+:)?ONIXmessage\b")


def numbers_of(db: sqlite3.Connection, contexts: Iterable[Context]) -> Mapping[Context, int]:
    """The number of each context's essence, new ones added."""
    # Most are the same object, which is told sooner than that two say the same.
    essences = {
        context: CONTEXT.pack(context.essence) for context in set({id(each): each for each in contexts}.values())
    }
    db.executemany(_ADD, [(essence,) for essence in set(essences.values())])
    return {context: db.execute(_NUMBER, (essence,)).fetchone()["id"] for context, essence in essences.items()}


@lru_cache(maxsize=_FAMILIAR)
def context_of(essence: bytes) -> Context:
    """The context as it was kept; raises StoreFailed for damaged bytes."""
    return CONTEXT.unpack(essence)


def essence_of(opening: bytes, closing: bytes) -> bytes:
    """The essence of a context of schema 1, which kept its two ends alone: the rest is read off them as the reader would, and
    header defaults are none.
    """
    encoding = _ENCODING.match(opening)
    release = _RELEASE.search(opening) or _NAMESPACE.search(opening)
    return CONTEXT.pack(
        Context(
            encoding=encoding[1].decode("ascii", "replace") if encoding else "UTF-8",
            release=release[1].decode("ascii") if release else "3.0",
            style=TagStyle.SHORT if _SHORT_ROOT.search(opening) else TagStyle.REFERENCE,
            opening=opening,
            closing=closing,
            header=MessageHeader(),
        )
    )
