"""How a pass is to be run: what commands say of it, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.ports import Acknowledging


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """How a pass is to be run.

    `allow` names guards that are let through this once, `dry_run` commits nothing, `stage_deltas` keeps a delta apart too until
    it is judged as a whole (files), `stop_on_older` makes a message older than the last applied a guard's matter instead of a
    warning, `by_hand` reads every message whatever the source's policy says of its place, `acknowledge` gives what takes down an
    acknowledgement of the pass.
    """

    wanted: PassMode | None = None
    allow: Collection[str] = ()
    dry_run: bool = False
    stage_deltas: bool = False
    stop_on_older: bool = True
    by_hand: bool = False
    acknowledge: Callable[[SourceName, StreamName], Acknowledging] | None = None
