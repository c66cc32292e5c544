"""From the file's text to `Settings`: every problem is found and named with its line before any is raised."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec

from syncengine.errors import SettingsInvalid, SyncEngineError
from syncengine.settings.checks import check
from syncengine.settings.lines import KeyPath, Lines
from syncengine.settings.shape import (
    GuardSettings,
    OrderSettings,
    ServiceSettings,
    Settings,
    SourceSettings,
    StoreSettings,
)
from syncengine.settings.values import READERS, exact, meant, plain, seen

Table = TypeVar("Table", bound=msgspec.Struct)

_TABLES = ("store", "sources", "orders", "guards", "service")
_SOURCE_NAME = re.compile(r"[a-z0-9_-]+")
_PLACE_IN_MESSAGE = re.compile(r"\s*\((?:at line (\d+), column (\d+)|at end of document)\)\s*$")


def load(path: Path, kinds: Mapping[str, type[SourceSettings]]) -> Settings:
    """Read the file; `kinds` are the settings of each kind of source by name.

    Raises SettingsInvalid with all problems, in the order of their lines. No secret is read here.
    """
    text = _read(path)
    document = _parse(path, text)
    # The lines are looked for in text that is known to be valid.
    reader = _Reader(lines=Lines(text))
    settings = reader.settings(document, kinds, path.absolute().parent)
    if settings is None:
        raise SettingsInvalid(str(path), [f"line {line}: {problem}" for line, problem in sorted(reader.problems)])
    return settings


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        absent = SettingsInvalid(str(path), ["there is no such file"])
        absent.hint = "`run.py sandbox` writes one to try; the README shows how to write your own"
        raise absent from error
    except OSError as error:
        raise SettingsInvalid(str(path), [f"the file cannot be read: {error.strerror}"]) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsInvalid(str(path), [f"line {line}: this is not UTF-8; save the file as UTF-8"]) from error
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=exact)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE_IN_MESSAGE.search(message)
        line = place[1] if place and place[1] else str(text.rstrip("\n").count("\n") + 1)
        column = f", column {place[2]}" if place and place[2] else ""
        said = _PLACE_IN_MESSAGE.sub("", message)
        problem = f"line {line}{column}: no valid TOML: {said}; the rest was not looked at"
        raise SettingsInvalid(str(path), [problem]) from error


class _Refused(Exception):
    """A value cannot be taken; the problem has been noted."""


@dataclass(slots=True)
class _Reader:
    """Walks the document along the structs and notes what does not fit."""

    lines: Lines
    problems: set[tuple[int, str]] = field(default_factory=set)

    def settings(
        self, document: dict[str, Any], kinds: Mapping[str, type[SourceSettings]], directory: Path
    ) -> Settings | None:
        """The whole, or none where any problem was noted."""
        self._unknown_keys(document, _TABLES, ())
        sources = self._sources(document.get("sources", {}), kinds)
        store = self._table(document.get("store", {}), StoreSettings, ("store",))
        orders = self._table(document.get("orders", {}), OrderSettings, ("orders",))
        guards = self._table(document.get("guards", {}), GuardSettings, ("guards",))
        service = self._table(document.get("service", {}), ServiceSettings, ("service",))
        if self.problems or not (store and orders and guards and service):
            return None
        return Settings(
            directory=directory, store=store, sources=sources, orders=orders, guards=guards, service=service
        )

    def _sources(self, value: object, kinds: Mapping[str, type[SourceSettings]]) -> dict[str, SourceSettings]:
        if not isinstance(value, dict):
            self._note(("sources",), f"tables named [sources.NAME] are expected, not {seen(value)}")
            return {}
        sources: dict[str, SourceSettings] = {}
        for name, keys in value.items():
            source = self._source(name, keys, kinds)
            if source is not None:
                self._compare_accounts(name, source, sources)
                sources[name] = source
        return sources

    def _source(self, name: str, keys: object, kinds: Mapping[str, type[SourceSettings]]) -> SourceSettings | None:
        path = ("sources", name)
        if not _SOURCE_NAME.fullmatch(name):
            self._note(path, "a source's name has small letters, digits, - and _ only; rename it")
        if not isinstance(keys, dict):
            self._note(path, f"a table is expected, not {seen(keys)}; write its keys below [sources.{name}]")
            return None
        kind = keys.get("kind")
        if isinstance(kind, str) and kind not in kinds:
            known = ", ".join(sorted(kinds)) or "none"
            self._note((*path, "kind"), f"{kind!r} is no kind of source{meant(kind, kinds)}; the kinds are: {known}")
        known_kind = kinds.get(kind) if isinstance(kind, str) else None
        return self._table(keys, known_kind or SourceSettings, path, is_whole=known_kind is not None)

    def _compare_accounts(self, name: str, source: SourceSettings, others: Mapping[str, SourceSettings]) -> None:
        """Two sources of one account would spend its rates twice and sell from two registers."""
        for other_name, other in others.items():
            if type(other) is type(source) and (own := _own_values(source)) and own == _own_values(other):
                self._note(
                    ("sources", name),
                    f"this is the account of [sources.{other_name}] again; keep one of them, with the markets of both",
                )

    def _table(self, value: object, struct: type[Table], path: KeyPath, *, is_whole: bool = True) -> Table | None:
        """The table as its struct; none where a problem was noted. `is_whole`: keys the struct does not name are wrong."""
        if not isinstance(value, dict):
            self._note(path, f"a table is expected, not {seen(value)}")
            return None
        fields = {each.encode_name: each for each in msgspec.structs.fields(struct)}
        if is_whole:
            self._unknown_keys(value, fields, path)
        taken: dict[str, Any] = {}
        complete = is_whole and value.keys() <= fields.keys()
        for key, each in fields.items():
            try:
                if key in value:
                    taken[each.name] = self._field(struct, key, value[key], each.type, (*path, key))
                elif each.required:
                    self._refuse(path, f"the key {key} is missing; add it")
            except _Refused:
                complete = False
        return self._build(struct, taken, path) if complete else None

    def _build(self, struct: type[Table], taken: Mapping[str, Any], path: KeyPath) -> Table | None:
        try:
            return struct(**taken)
        except (ValueError, SyncEngineError) as error:
            self._note(path, _said(error))
            return None

    def _unknown_keys(self, value: Mapping[str, object], known: Iterable[str], path: KeyPath) -> None:
        known = tuple(known)
        for key in value:
            if key in known:
                continue
            if {f"{key}_env", f"{key}_file"} & {*known}:
                advice = f"a secret never stands in this file; name where it is with {key}_env or {key}_file"
            else:
                advice = f"there is no such key{meant(key, known)}; remove it or correct its name"
            self._note((*path, key), advice)

    def _field(self, struct: type, key: str, value: object, hint: object, path: KeyPath) -> object:
        taken = self._value(value, hint, path)
        findings = tuple(check(struct, key, taken))
        for below, problem in findings:
            self._note((*path, *below), problem)
        if findings:
            raise _Refused
        return taken

    def _value(self, value: object, hint: object, path: KeyPath) -> object:
        """The value as the hint's type; raises _Refused."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in {Union, UnionType}:
            options = [each for each in arguments if each is not type(None)]
            if len(options) == 1:
                return self._value(value, options[0], path)
        if origin is tuple and arguments[1:] == (...,):
            return tuple(self._elements(value, arguments[0], path))
        if origin is list:
            return self._elements(value, arguments[0], path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._entries(value, arguments[1], path)
        if isinstance(hint, type):
            if issubclass(hint, msgspec.Struct):
                return self._nested(value, hint, path)
            if reads := READERS.get(hint):
                return self._read(value, reads, path)
        return self._read(value, lambda plainly: plain(plainly, hint), path)

    def _elements(self, value: object, hint: object, path: KeyPath) -> list[object]:
        if not isinstance(value, list):
            self._refuse(path, f"a list is expected, not {seen(value)}; write [ … ]")
        return self._each(((index, each) for index, each in enumerate(value)), hint, path)

    def _entries(self, value: object, hint: object, path: KeyPath) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(path, f"a table is expected, not {seen(value)}; write {{ name = value, … }}")
        return dict(zip(value, self._each(value.items(), hint, path), strict=True))

    def _each(self, parts: Iterable[tuple[str | int, object]], hint: object, path: KeyPath) -> list[object]:
        """All parts are looked at, though one may already be wrong."""
        taken, refused = [], False
        for key, each in parts:
            try:
                taken.append(self._value(each, hint, (*path, key)))
            except _Refused:
                refused = True
        if refused:
            raise _Refused
        return taken

    def _nested(self, value: object, hint: type[Table], path: KeyPath) -> Table:
        table = self._table(value, hint, path)
        if table is None:
            raise _Refused
        return table

    def _read(self, value: object, reads: Callable[[Any], object], path: KeyPath) -> object:
        try:
            return reads(value)
        except (ValueError, SyncEngineError) as error:
            self._refuse(path, _said(error))

    def _refuse(self, path: KeyPath, problem: str) -> NoReturn:
        self._note(path, problem)
        raise _Refused

    def _note(self, path: KeyPath, problem: str) -> None:
        self.problems.add((self.lines.of(path), f"{_place(path)}: {problem}"))


def _place(path: KeyPath) -> str:
    """`[sources.enq] limits.sale`: the table as its header says it, and the key within."""
    depth = 2 if path[0] == "sources" else 1
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path[depth:])
    return f"[{'.'.join(str(part) for part in path[:depth])}]" + (f" {key.removeprefix('.')}" if key else "")


def _said(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{error}; {hint}" if hint else str(error)


def _own_values(source: SourceSettings) -> tuple[object, ...]:
    """What a kind's own keys say: together they name an account or a set of files."""
    common = {each.name for each in msgspec.structs.fields(SourceSettings)}
    return tuple(getattr(source, each.name) for each in msgspec.structs.fields(type(source)) if each.name not in common)
