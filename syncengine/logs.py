"""Log lines, written by structlog; it is imported with the first line, for most commands write none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_pending: Callable[[], None] | None = None


def configure_with(configure: Callable[[], None]) -> None:
    """Have this called before the next line is written; whoever comes later takes its place."""
    global _pending  # noqa: PLW0603 - one process has one log
    _pending = configure


class Logger:
    """Structlog's logger of a name, with its methods: `log.info("pass ended", source=…)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - structlog's own
        global _pending
        structlog = _structlog()
        configure, _pending = _pending, None
        if configure is not None:
            configure()
        return getattr(structlog.get_logger(self._name), method)


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
