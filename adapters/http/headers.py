"""The few response headers that decide something: Date, Retry-After and Link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

LONGEST_WAIT = timedelta(hours=6)
"""A server that asks for more is asked again after this."""

_SECONDS = re.compile(r"\d{1,12}")
_LINK = re.compile(r'<(?P<address>[^<>]*)>(?P<parameters>(?:\s*;\s*[^\s;,="]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?)*)')
_PARAMETER = re.compile(r';\s*(?P<name>[^\s;,="]+)\s*(?:=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;,"]*)))?')


def http_date(text: str | None) -> datetime | None:
    """The instant, in UTC; none where the text is no date."""
    try:
        at = parsedate_to_datetime(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, IndexError):
        return None


def retry_after(text: str | None, *, now: datetime, server_now: datetime | None = None) -> datetime | None:
    """The instant before which `Retry-After` asks for patience, at most LONGEST_WAIT from `now`.

    A date counts from the server's own clock where its Date header tells it. None where there is no such header, where it
    cannot be read, and where the instant is past.
    """
    stripped = (text or "").strip()
    if _SECONDS.fullmatch(stripped):
        wait = timedelta(seconds=min(int(stripped), LONGEST_WAIT.total_seconds()))
    elif at := http_date(stripped):
        wait = min(at - (server_now or now), LONGEST_WAIT)
    else:
        return None
    return now + wait if wait > timedelta() else None


def resolve(base: str, link: str) -> str:
    """The full address of a link on a page; the link itself where it cannot be read as one."""
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def next_link(text: str | None) -> str | None:
    """The address of the first `rel=next` in a Link header, as written; none where there is none."""
    for link in _LINK.finditer(text or ""):
        for parameter in _PARAMETER.finditer(link["parameters"]):
            relations = (parameter["quoted"] or parameter["plain"] or "").lower().split()
            if parameter["name"].lower() == "rel" and "next" in relations:
                return link["address"].strip()
    return None
