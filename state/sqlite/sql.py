"""What the modules of the ports share: who runs their functions, and sets of values as parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class Runs(Protocol):
    """A section, as the ports see it: runs whole functions on the connection's thread."""

    async def read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run a function that writes nothing."""
        ...

    async def write(
        self, work: Callable[Concatenate[sqlite3.Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run a function that may write."""
        ...


def listed(values: Iterable[str] | Iterable[int] | Iterable[tuple[str | int, ...]]) -> str:
    """A set of values as one parameter, for `IN (SELECT value FROM json_each(?))`."""
    return msgspec.json.encode(list(values)).decode()


Value = str | int | bytes | None


def insert_rows(table: str, *columns: str, verb: str = "INSERT") -> str:
    """A statement that writes `rows_of` into a table, whose columns of bytes are given with `#` before their names.

    What is to happen ON CONFLICT may follow.
    """
    picked = ", ".join(_picked(column, place) for place, column in enumerate(columns))
    names = ", ".join(column.removeprefix("#") for column in columns)
    return f"{verb} INTO {table} ({names}) SELECT {picked} FROM json_each(:rows) WHERE true "  # noqa: S608 - names of ours


def _picked(column: str, place: int) -> str:
    if column.startswith("#"):
        return f"substr(:bytes, json_extract(value, '$[{place}][0]'), json_extract(value, '$[{place}][1]'))"
    return f"json_extract(value, '$[{place}]')"


def rows_of(rows: Iterable[Iterable[Value]]) -> Mapping[str, str | bytes]:
    """The parameters of `insert_rows`: the rows as one text, and their bytes one behind the other.

    Each step of a statement lets the interpreter go and has to win it back from whoever computes meanwhile. So many rows are
    written by one statement in one step, rather than one by one.
    """
    pieces: list[bytes] = []
    end = 1
    lines: list[list[object]] = []
    for row in rows:
        line: list[object] = []
        for value in row:
            if value is None or isinstance(value, str | int):
                line.append(value)
            else:
                line.append((end, len(value)))
                pieces.append(value)
                end += len(value)
        lines.append(line)
    return {"rows": msgspec.json.encode(lines).decode(), "bytes": b"".join(pieces)}


def next_number(db: sqlite3.Connection, name: str, step: int = 1) -> int:
    """The next value of a counter that never runs backwards."""
    row = db.execute(
        "INSERT INTO counters (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value",
        (name, step),
    ).fetchone()
    return int(row[0])
