"""The code words of De Marque's plain-text answers, read tolerantly (contract 2.4)."""

from __future__ import annotations

import re
from typing import Any

import orjson

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_HTML_OPENINGS = (b"<!doctype html", b"<html", b"<head", b"<body")


def code_word(body: bytes) -> str:
    """The word in lower case; empty where the body is none.

    Blanks and quotes around it, a JSON array of one element and a JSON object with a status or an error are seen through.
    """
    text = body[:4096].decode("utf-8", "replace").strip().lstrip("\ufeff")
    if text[:1] in {"[", "{", '"'}:
        text = _from_json(text)
    text = text.strip().strip("'\"").strip()
    return text.lower() if _WORD.fullmatch(text) else ""


def is_html(body: bytes) -> bool:
    """Whether it is a page for people: a login form, a proxy's error."""
    return body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_OPENINGS)


def _from_json(text: str) -> str:
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = next((value[key] for key in ("error", "status", "code") if isinstance(value.get(key), str)), "")
    return value if isinstance(value, str) else ""
