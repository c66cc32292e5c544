"""Real processes for tests: a sandbox, commands and a daemon, each started, steered, killed and always cleaned up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

RUN = (sys.executable, str(Path(__file__).parents[2] / "run.py"))
FULL = os.environ.get("SYNCENGINE_FULL") == "1"
"""Whether the tests take the sizes of a real release instead of those that fit into every run."""

PATIENCE = 300.0 if FULL else 90.0
"""Seconds that anything may take on a busy machine."""
STARTED = "daemon started"
POLL_SECONDS = 0.1
STATUS_SECONDS = 0.5
DONE = (0, 1)
"""Exit codes of a command that did its work; 1 tells that something waits for a person."""

Row = dict[str, Any]
T = TypeVar("T")


def wait_until(
    check: Callable[[], T],
    what: str,
    *,
    seconds: float = PATIENCE,
    pause: float = POLL_SECONDS,
    tail: Callable[[], str] = str,
) -> T:
    """What `check` gives once it is true; fails with `what` and a log's tail where that does not come in time."""
    until = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{tail()}")
        time.sleep(pause)
    return found


# --- processes ----------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Process:
    """One `run.py …` with its output in two files; leaving the context kills what still runs."""

    arguments: Sequence[str]
    directory: Path
    name: str
    popen: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.out_path.open("wb") as out, self.log_path.open("ab") as log:
            self.popen = subprocess.Popen(
                [*RUN, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def out_path(self) -> Path:
        return self.directory / f"{self.name}.out"

    @property
    def log_path(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.out_path.read_text(encoding="utf-8")

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 40) -> str:
        """The end of its log, for a failure's message."""
        return f"--- end of {self.name}.log:\n" + "\n".join(self.log().splitlines()[-lines:])

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code; one that does not end in time fails the test."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds:g} s\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL, to it and to what it started; nothing where it has ended."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def terminate(self, seconds: float = 40.0) -> int:
        """SIGTERM, and the exit code once it has drained."""
        self.popen.send_signal(signal.SIGTERM)
        return self.wait(seconds)


# --- the sandbox --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The stub distributors in a process of their own, steered over HTTP; what is told and set is about one of them."""

    process: Process
    url: str
    settings: Path
    distributor: str = "demarque"

    def of(self, distributor: str) -> Sandbox:
        """The same with another distributor's titles, ledger, calls and knobs."""
        return replace(self, distributor=distributor)

    def titles(self) -> list[Row]:
        """The truth now: a row for each title and market."""
        return [row for row in self._list("titles") if row["distributor"] == self.distributor]

    def ledger(self, kind: str | None = None) -> list[Row]:
        """Every call that took effect, in order."""
        return self._list("ledger", distributor=self.distributor, **({"kind": kind} if kind else {}))

    def calls(self, since: int = 0) -> list[Row]:
        """Every call that arrived after that sequence, in order."""
        return [row for row in self._list("calls", since=since) if row["distributor"] == self.distributor]

    def last_call(self) -> int:
        """The sequence of the latest call; 0 where there was none."""
        return max((row["sequence"] for row in self.calls()), default=0)

    def scenarios(self) -> Mapping[str, str]:
        """The ISBN of each named case."""
        found: Mapping[str, str] = self._ask("scenarios")[self.distributor]
        return found

    def edit(self, edits: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Edit titles, all or none."""
        return _bare(self._ask("titles", [{"distributor": self.distributor, **edit} for edit in edits]), "titles")

    def set_faults(self, **endpoints: Mapping[str, Any]) -> None:
        """Set knobs, by endpoint class."""
        self._ask("faults", {self.distributor: endpoints})

    def clear_faults(self) -> None:
        """Take every knob of every distributor away."""
        self._ask("faults", method="DELETE")

    def faults_fired(self) -> dict[str, int]:
        """How often each fault struck."""
        knobs = {name: part for name, part in self._ask("faults")[self.distributor].items() if name != "settings"}
        return {
            f"{endpoint} {fault}": knob.get("fired", 0)
            for endpoint, part in knobs.items()
            for fault, knob in part.items()
        }

    def _list(self, name: str, **query: Any) -> list[Row]:
        return _bare(self._ask(f"{name}?{urlencode(query)}"), name)

    def _ask(self, path: str, document: object = None, *, method: str | None = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"the sandbox refuses {path}: {error.read().decode()}") from error


def _bare(document: Any, name: str) -> list[Row]:
    rows: list[Row] = document[name] if isinstance(document, dict) else document
    return rows


@contextlib.contextmanager
def running_sandbox(
    directory: Path, *, seed: int, titles: int, only: Sequence[str] = ("demarque",)
) -> Iterator[Sandbox]:
    """A sandbox on a free port, ready to be called; `only` are its distributors, all where none is
    named, and the view is that of the first."""
    arguments = [
        "sandbox",
        "--port",
        "0",
        "--seed",
        str(seed),
        "--titles",
        str(titles),
        "--dir",
        str(directory / "shop"),
        *(word for name in only for word in ("--only", name)),
    ]
    with Process(arguments=arguments, directory=directory, name="sandbox") as process:

        def first_line() -> str:
            if not process.is_running:
                raise AssertionError(f"the sandbox ended at once\n{process.tail()}")
            text = process.output()
            return text if text.endswith("\n") else ""

        said = json.loads(wait_until(first_line, "the sandbox says its address", tail=process.tail))
        yield Sandbox(
            process=process,
            url=said["url"],
            settings=Path(said["settings"]),
            distributor=only[0] if only else "demarque",
        )


# --- the engine ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many calls in any stretch of so many seconds."""

    calls: int
    seconds: float

    @classmethod
    def read(cls, text: str) -> Rate:
        """Read `50/s burst 5`."""
        match = re.match(r"(\d+)/(\d*)(s|min|h)", text)
        assert match, text
        return cls(int(match[1]), int(match[2] or 1) * {"s": 1, "min": 60, "h": 3600}[match[3]])


class Engine:
    """The engine over one settings file: one-shot commands, commands in the background, and a daemon."""

    def __init__(self, settings: Path, directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self._count = 0

    def configure(self, *, schedule: str = "6h", limits: Mapping[str, str] | None = None) -> None:
        """Change the settings file: how often feeds come, and rates."""
        text = re.sub(r'(?m)^schedule = ".*"$', f'schedule = "{schedule}"', self.settings.read_text())
        for name, rate in (limits or {}).items():
            text = re.sub(rf'(?m)^{name} = ".*"$', f'{name} = "{rate}"', text)
        self.settings.write_text(text)

    def rates(self, source: str = "demarque") -> dict[str, Rate]:
        """The limits of a source in the settings file, by endpoint class."""
        limits = tomllib.loads(self.settings.read_text())["sources"][source]["limits"]
        return {name: Rate.read(text) for name, text in limits.items()}

    @property
    def concurrency(self) -> int:
        """How many calls may be in flight at once."""
        found: int = tomllib.loads(self.settings.read_text())["sources"]["demarque"].get("concurrency", 8)
        return found

    @property
    def store(self) -> Path:
        """The store's file."""
        return self.settings.parent / "var" / "syncengine.db"

    def start(self, *arguments: str) -> Process:
        """A command in the background; use it as a context."""
        self._count += 1
        return Process(
            arguments=["--config", str(self.settings), *arguments],
            directory=self.directory,
            name=f"{self._count:03}-{arguments[0]}",
        )

    def run(self, *arguments: str, codes: Collection[int] = DONE) -> str:
        """A command's output; another exit code than those fails the test."""
        with self.start(*arguments) as process:
            code = process.wait()
            assert code in codes, (
                f"run.py {' '.join(arguments)}: exit code {code}\n{process.output()}\n{process.tail()}"
            )
            return process.output()

    def ask(self, *arguments: str, codes: Collection[int] = DONE) -> Any:
        """The document that a command gives."""
        return json.loads(self.run(*arguments, "--json", codes=codes))

    def status(self) -> Row:
        """How everything stands."""
        found: Row = self.ask("status")
        return found

    def wait_for_first_passes(self, tail: Callable[[], str] = str) -> None:
        """Wait until every stream of every source has been read to its end once."""

        def have_completed() -> bool:
            streams = [stream for source in self.status()["sources"] for stream in source["streams"].values()]
            return all(stream["last_complete_at"] for stream in streams)

        wait_until(have_completed, "the first passes end", pause=STATUS_SECONDS, tail=tail)

    def wait_for_rest(self, tail: Callable[[], str] = str) -> Row:
        """Wait until nothing is owed and no title is due; returns the status then."""
        return wait_until(self._at_rest, "the engine comes to rest", pause=STATUS_SECONDS, tail=tail)

    def _at_rest(self) -> Row:
        """The status, or nothing where something is still to be done."""
        status = self.status()
        owed = sum(status["delivery"][state] for state in ("pending", "claimed", "sent", "unknown"))
        undecided = sum(status["orders"][state] for state in ("RECEIVED", "DECLARING", "PLACING"))
        due_at = status["next_title_due_at"]
        is_due = due_at is not None and due_at <= status["at"]
        return {} if owed or undecided or is_due else status

    def orders(self, *states: str) -> list[Row]:
        """The orders in those states, or all."""
        wanted = [word for state in states for word in ("--state", state)]
        found: list[Row] = self.ask("orders", "list", "--limit", "100000", *wanted)["orders"]
        return found


class Daemon:
    """A daemon that can be killed and started again; as a context it is started, and killed at the end whatever happened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process: Process | None = None
        self._begins = 0

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process(self) -> Process:
        """The process that runs, or ran last."""
        assert self._process is not None, "the daemon was never started"
        return self._process

    def tail(self) -> str:
        """The end of its log."""
        return self.process.tail()

    def start(self) -> None:
        """Start it as a supervisor would, again while another process still holds the store; returns once it serves."""
        self.spawn()
        self.wait_until_serving()

    def wait_until_serving(self) -> None:
        """Wait until it serves; one that found the store taken is started again."""
        wait_until(self._is_serving, "the daemon serves", tail=self.tail)

    def _is_serving(self) -> bool:
        if not self.process.is_running:
            assert "owned by another process" in self.new_log(), f"the daemon ended\n{self.tail()}"
            self.spawn()
        return STARTED in self.new_log()

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        self._begins = len(self._process.log()) if self._process else 0
        arguments = ["--config", str(self._engine.settings), "daemon"]
        self._process = Process(arguments=arguments, directory=self._engine.directory, name="daemon")

    def new_log(self) -> str:
        """What the process that runs has logged."""
        return self.process.log()[self._begins :]

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()

    def terminate(self) -> int:
        """SIGTERM; its exit code once it has drained."""
        return self.process.terminate()


def rate_violations(calls: Sequence[Row], rate: Rate, *, in_flight: int) -> list[str]:
    """Stretches of one period, and of five, in which more calls arrived than were allowed to leave.

    Of the calls that arrive in a stretch, those that had left before it are at most as many as may be in flight.
    """
    arrivals = sorted(map(arrived_at, calls))
    found = []
    for periods in (1, 5):
        allowed, seconds = rate.calls * periods + in_flight, rate.seconds * periods
        for first, last in zip(arrivals, arrivals[allowed:], strict=False):
            if last - first < seconds:
                found.append(f"{allowed + 1} calls within {last - first:.3f} s, allowed {rate}")
    return found


def arrived_at(call: Row) -> float:
    """When a call arrived, in seconds of the epoch."""
    return datetime.fromisoformat(call["at"]).timestamp()
