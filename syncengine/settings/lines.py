"""On which line of a TOML document each table, key and element stands."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""From the root down: keys of tables, and positions in arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")'
    r"|'''.*?'''(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class Lines:
    """The lines of one document, which must already be known to be valid TOML."""

    def __init__(self, text: str) -> None:
        scanner = _Scanner(text.replace("\r\n", "\n"))
        scanner.document()
        self._lines = scanner.lines

    def of(self, path: KeyPath) -> int:
        """The line, from 1, at which the path or else the nearest table or array around it begins."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]


@dataclass(slots=True)
class _Scanner:
    text: str
    position: int = 0
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    last_element: dict[KeyPath, int] = field(default_factory=dict)

    def document(self) -> None:
        table: KeyPath = ()
        while self._peek():
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        line = self._line()
        repeats = self.text.startswith("[[", self.position)
        self.position += 2 if repeats else 1
        path = self._inside_arrays(self._key())
        self.position += 2 if repeats else 1
        if repeats:
            self.last_element[path] = self.last_element.get(path, -1) + 1
            path = (*path, self.last_element[path])
        self._note(path, line)
        self.lines[path] = line
        return path

    def _inside_arrays(self, key: KeyPath) -> KeyPath:
        """The path of a header: the tables above it may be the last elements of arrays of tables."""
        path: KeyPath = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self.last_element:
                path = (*path, self.last_element[path])
        return (*path, key[-1])

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table + self._key()
        self._note(path, line)
        self.position += 1
        self._value(path)

    def _key(self) -> KeyPath:
        """A dotted key; leaves the position at what follows it."""
        parts: list[str | int] = []
        while True:
            self._peek()
            quoted = _STRING.match(self.text, self.position)
            match = quoted or _BARE_KEY.match(self.text, self.position)
            if match is None:
                raise AssertionError("the document is no valid TOML")
            self.position = match.end()
            parts.append(tomllib.loads(f"key = {match[0]}")["key"] if quoted else match[0])
            if self._peek() != ".":
                return tuple(parts)
            self.position += 1

    def _value(self, path: KeyPath) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                found = _STRING.match(self.text, self.position) or _BARE_VALUE.match(self.text, self.position)
                self.position = found.end() if found else len(self.text)

    def _array(self, path: KeyPath) -> None:
        self.position += 1
        count = 0
        while self._peek() != "]":
            element = (*path, count)
            self.lines[element] = self._line()
            self._value(element)
            count += 1
            if self._peek() == ",":
                self.position += 1
        self.position += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.position += 1
        while self._peek() != "}":
            self._pair(path)
            if self._peek() == ",":
                self.position += 1
        self.position += 1

    def _note(self, path: KeyPath, line: int) -> None:
        """Every table on the way begins where it is first named."""
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _peek(self) -> str:
        """The next character that is neither blank nor comment; empty at the end."""
        blank = _BLANK.match(self.text, self.position)
        if blank:
            self.position = blank.end()
        return self.text[self.position : self.position + 1]

    def _line(self) -> int:
        return self.text.count("\n", 0, self.position) + 1
