"""Log lines, written by structlog; it is imported with the first line that is written, for most commands write none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_LEVELS = ("debug", "info", "warning", "error")

_pending: Callable[[], None] | None = None
_unwritten: frozenset[str] = frozenset()
"""The levels of lines that need no configuring, since they would not be written."""


def configure_with(configure: Callable[[], None], *, level: str = _LEVELS[0]) -> None:
    """Have this called before the next line of the level or a graver one is written; whoever comes later takes its place."""
    global _pending, _unwritten
    _pending, _unwritten = configure, frozenset(_LEVELS[: _LEVELS.index(level)])


class Logger:
    """Structlog's logger of a name, with its methods: `log.info("pass ended", source=…)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - structlog's own
        global _pending
        if _pending is not None and method in _unwritten:
            return _leave_unwritten
        structlog = _structlog()
        configure, _pending = _pending, None
        if configure is not None:
            configure()
        return getattr(structlog.get_logger(self._name), method)


def _leave_unwritten(event: str, **facts: object) -> None:
    """A line of too low a level."""


def _structlog() -> ModuleType:
    """It takes rich where it finds it, for tracebacks that are written plain here, and would be six times as long about it."""
    if "structlog" not in sys.modules and "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]  # so that it is not found
        try:
            import structlog
        finally:
            del sys.modules["rich"]
    import structlog

    return structlog
