"""What the modules of the ports share: who runs their functions, and sets of values as parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
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


def next_number(db: sqlite3.Connection, name: str, step: int = 1) -> int:
    """The next value of a counter that never runs backwards."""
    row = db.execute(
        "INSERT INTO counters (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value RETURNING value",
        (name, step),
    ).fetchone()
    return int(row[0])
