"""Kills a daemon at seeded moments, as often as the environment says, and starts it again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping

from tests.conftest import SEED
from tests.flow.harness import Daemon, Engine, Process

KILLS = int(os.environ.get("SYNCENGINE_KILLS") or 6)
IN_DOUBT = "looked up first"
"""What the daemon's log says at its start where calls were under way."""
LONGEST_LIFE = 4.0
"""Seconds that a daemon lives before it is killed; its start is a part of them."""


class Killer:
    """Kills the daemon at seeded moments of each phase, with whoever carries out a command; and starts it again."""

    def __init__(self, daemon: Daemon, engine: Engine, shares: Mapping[str, int]) -> None:
        """`shares` are the phases with their weights, in order; the last one takes what is left over."""
        self._daemon = daemon
        self._engine = engine
        self._shares = spread(KILLS, shares)
        self._chance = random.Random(f"kills {SEED}")
        self.told: list[str] = []

    def strike(self, phase: str) -> None:
        """The kills of a phase, each within the daemon's first seconds, which may be before it serves."""
        for _ in range(self._shares[phase]):
            self._let_live(life := self._chance.uniform(0.0, LONGEST_LIFE))
            self._kill(phase, life)
            self._daemon.spawn()
        self._daemon.wait_until_serving()

    def strike_during(self, phase: str, *command: str) -> None:
        """The kills of a phase while a command is under way; every other time it is killed as well."""
        for _ in range(self._shares[phase]):
            with self._engine.start(*command) as process:
                self._let_live(life := self._chance.uniform(0.0, LONGEST_LIFE), process)
                self._kill(phase, life)
                if self._chance.random() < 0.5:
                    process.kill()
                self._daemon.start()
                process.wait()

    def _let_live(self, seconds: float, process: Process | None = None) -> None:
        """Until its moment, or until the command has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (process is None or process.is_running):
            time.sleep(0.01)

    def _kill(self, phase: str, life: float) -> None:
        assert self._daemon.process.is_running, self._daemon.tail()
        self._daemon.kill()
        self.told.append(f"{phase} {life:.2f}")

    def account(self) -> None:
        """Tell what was done; fails where kills were left out."""
        print(f"{len(self.told)} kills, each after so many seconds: {', '.join(self.told)}")
        print(f"calls in doubt after {self._daemon.process.log().count(IN_DOUBT)} of them")
        assert KILLS == len(self.told)


def spread(count: int, shares: Mapping[str, int]) -> Mapping[str, int]:
    """So many over phases by their weights; the last phase takes what is left over."""
    whole = sum(shares.values())
    found = {phase: count * weight // whole for phase, weight in shares.items()}
    *_, last = shares
    found[last] += count - sum(found.values())
    return found
