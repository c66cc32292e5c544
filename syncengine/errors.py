"""Everything that can go wrong, as one tree; each error carries what an operator needs and one hint.

SyncEngineError                      exit 70
├── SettingsInvalid                  2   every problem of the file at once, with lines
├── UsageInvalid                     2   a command, an argument or an orders file that cannot be taken
├── InputUnreadable                  2   a file that is missing or may not be read
├── SourceFailed                     4   a source could not be reached or is not what it should be
│   ├── SourceUnreachable                the network or the distributor is down, or took too long
│   ├── SourceRefused                    credentials or account refused
│   ├── NotOnix                          a login page, an image, another XML vocabulary, ONIX 1
│   ├── FeedTorn                         a body that ended before its end
│   └── FullPassNeeded                   the distributor will not serve this delta
├── StoreFailed                      4   the store cannot be opened or is not what it should be
│   └── StoreLocked                      another process owns it
├── GuardStopped                     3   a safety stop: nothing was applied
├── RecordInvalid                    -   one record cannot be read: quarantined, the pass goes on
├── OrderInvalid                     -   one row of an orders file cannot be taken
├── TransitionInvalid                2   an order cannot take this step from its state
└── AmountInvalid                    -   an amount that cannot be expressed exactly
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class SyncEngineError(Exception):
    """The root: `str()` says what happened and to what, `hint` what to do about it."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsInvalid(SyncEngineError):
    """The settings file has problems; all of them are in `problems`, each with its line."""

    exit_code = 2

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"{path}: {len(problems)} problem{'s' if len(problems) != 1 else ''}\n"
            + "\n".join(f"  {problem}" for problem in problems),
            hint="correct the lines above; `run.py check-config` tells when all is well",
        )
        self.problems = tuple(problems)


class UsageInvalid(SyncEngineError):
    """The command cannot be carried out as given."""

    exit_code = 2


class InputUnreadable(SyncEngineError):
    """A file is missing or may not be read."""

    exit_code = 2


class SourceFailed(SyncEngineError):
    """A source could not be reached or is not what it should be; its cursor stays where it was committed."""

    exit_code = 4


class SourceUnreachable(SourceFailed):
    """The network or the distributor is down, refuses the rate, or took too long."""


class SourceRefused(SourceFailed):
    """The distributor refuses the credentials or does not know the account."""


class NotOnix(SourceFailed):
    """The bytes are no ONIX message: a login page, an image, another XML vocabulary, ONIX 1."""


class FeedTorn(SourceFailed):
    """A body or a compressed stream ended before its end; complete records before it were taken."""


class FullPassNeeded(SourceFailed):
    """The distributor will not serve this delta; a full pass must come first."""


class StoreFailed(SyncEngineError):
    """The store cannot be opened, read or written, or is not what it should be."""

    exit_code = 4


class StoreLocked(StoreFailed):
    """Another process owns the store."""


class GuardStopped(SyncEngineError):
    """A guard fired: nothing was applied. `guard` is the name that `--allow` takes."""

    exit_code = 3

    def __init__(self, guard: str, message: str) -> None:
        super().__init__(message, hint=f"look at the feed; if it is right, run again with --allow {guard}")
        self.guard = guard


class RecordInvalid(SyncEngineError):
    """One record cannot be read; it is quarantined with this reason and its bytes."""


class OrderInvalid(SyncEngineError):
    """One row of an orders file is malformed."""

    exit_code = 2


class TransitionInvalid(SyncEngineError):
    """An order cannot take this step from the state it is in."""

    exit_code = 2


class AmountInvalid(SyncEngineError):
    """An amount cannot be expressed exactly in the unit that is asked for."""


def engine_errors(group: BaseExceptionGroup[BaseException]) -> Iterator[SyncEngineError]:
    """The engine's own errors among those of tasks that ran side by side."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from engine_errors(error)
        elif isinstance(error, SyncEngineError):
            yield error
