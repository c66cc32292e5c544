"""Rows: the records of streams that are no ONIX, small and flat, such as stock, rights to sell or prices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How a message of rows is written, by local names of its elements: prefixes and namespaces may be any.

    `root` holds the `record`s, or one or several `container`s that hold them; whatever else stands there is passed over. The text
    of the element `reference` of a record says which row it is; `prefix` is put before it, so that the reference of the row is no
    RecordReference of the same source, nor that of a row of its other streams. Where `sent_at` is named, that element of `header`,
    or that header itself, tells when the message was sent, by which messages of the stream are put in order.
    """

    root: str
    record: str
    reference: str
    prefix: str
    container: str | None = None
    header: str | None = None
    sent_at: str | None = None
