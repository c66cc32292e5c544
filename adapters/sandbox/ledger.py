"""The ledger: every call that took effect at a stub, in order; what a checker holds the engine against."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec


class LedgerRow(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One effect: `kind` is sale, preorder or refund.

    `amount` is a decimal text ("19.99"), `country` alpha-2 and `currency` in upper case, `at` an ISO instant with
    microseconds. What a call does not carry (a preorder has no price) is null.
    """

    distributor: str
    kind: str
    reference: str | None
    customer_id: str | None
    isbn: str
    format: str | None
    amount: str | None
    currency: str | None
    country: str | None
    price_type: str | None
    protection: str | None
    response: str
    at: str


class Ledger:
    """Append-only; with a path each row is written as one NDJSON line and flushed before the answer leaves.

    Rows of an earlier run are read back from the path, so that a stub that is restarted still knows its sales. A last line
    that a kill cut short is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: list[LedgerRow] = [] if path is None else list(_read_back(path))
        self._file: io.BufferedWriter | None = None

    def append(self, row: LedgerRow) -> None:
        """Take a row; durable against the death of the process when this returns."""
        self._rows.append(row)
        if self._path is not None:
            self._file = self._file or self._path.open("ab")
            self._file.write(msgspec.json.encode(row) + b"\n")
            self._file.flush()

    def rows(self, *, distributor: str | None = None, kind: str | None = None) -> list[LedgerRow]:
        """The rows so far, in order; of one distributor or kind where they are named."""
        return [row for row in self._rows if distributor in {None, row.distributor} and kind in {None, row.kind}]

    def __iter__(self) -> Iterator[LedgerRow]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def close(self) -> None:
        """Close the file; the rows stay readable, and the next row opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _read_back(path: Path) -> Iterator[LedgerRow]:
    for line in whole_lines(path):
        yield msgspec.json.decode(line, type=LedgerRow)


def whole_lines(path: Path) -> list[bytes]:
    """The complete lines of an append-only file; the torn rest of a last line is cut off the file itself."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        path.write_bytes(whole)
    return whole.splitlines()
