"""Orders files: CSV with a header, or NDJSON with the same names (design section 10)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import orjson

from syncengine.errors import InputUnreadable, UsageInvalid

REQUIRED = ("order_id", "source", "isbn", "format", "market", "customer_id")
OPTIONAL = (
    "agreed_price",
    "price_rule",
    "payment",
    "protection",
    "first_name",
    "last_name",
    "consumer_id",
)
COLUMNS = REQUIRED + OPTIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersFile:
    """The rows of a file with their lines, and what is wrong with the others."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    problems: tuple[str, ...]


def read_orders(path: Path) -> OrdersFile:
    """Read a file; NDJSON is known by its opening brace. Raises InputUnreadable and UsageInvalid (no such columns)."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageInvalid(f"{path}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from error
    except OSError as error:
        raise InputUnreadable(f"{path}: {error.strerror}", hint="check the path and that you may read it") from error
    if not text.strip():
        raise UsageInvalid(f"{path}: the file is empty", hint=f"its first line names the columns: {','.join(REQUIRED)}")
    return _ndjson(text) if text.lstrip().startswith("{") else _csv(path, text)


def _csv(path: Path, text: str) -> OrdersFile:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise UsageInvalid(f"{path} line 1: {error}") from error
    _check_header(path, header)
    rows, problems = [], []
    line = reader.line_num + 1
    try:
        for values in reader:
            if len(values) == len(header):
                rows.append((line, dict(zip(header, values, strict=True))))
            elif values:
                problems.append(f"line {line}: {len(values)} values for {len(header)} columns")
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"line {line}: {error}")
    return OrdersFile(rows=tuple(rows), problems=tuple(problems))


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    doubled = sorted({name for name in header if header.count(name) > 1})
    said = []
    if missing:
        said.append(f"no column {', '.join(missing)}")
    if unknown:
        said.append(f"unknown column {', '.join(repr(name) for name in unknown)}")
    if doubled:
        said.append(f"column {', '.join(doubled)} twice")
    if said:
        raise UsageInvalid(
            f"{path} line 1: {'; '.join(said)}",
            hint=f"needed: {','.join(REQUIRED)}; possible besides: {','.join(OPTIONAL)}",
        )


def _ndjson(text: str) -> OrdersFile:
    rows: list[tuple[int, dict[str, str]]] = []
    problems = []
    for line, document in enumerate(text.split("\n"), start=1):
        if not document.strip():
            continue
        try:
            fields = orjson.loads(document)
        except orjson.JSONDecodeError as error:
            problems.append(f"line {line}: no JSON: {error}")
            continue
        if problem := _wrong_fields(fields):
            problems.append(f"line {line}: {problem}")
        else:
            rows.append((line, {name: str(value) for name, value in fields.items() if value is not None}))
    return OrdersFile(rows=tuple(rows), problems=tuple(problems))


def _wrong_fields(fields: object) -> str | None:
    if not isinstance(fields, dict):
        return "not an object"
    if unknown := [name for name in fields if name not in COLUMNS]:
        return f"unknown name {', '.join(repr(name) for name in unknown)}"
    if odd := [name for name, value in fields.items() if isinstance(value, (dict, list, bool, float))]:
        return f'{", ".join(odd)} must be text (write amounts as "12.99")'
    return None
