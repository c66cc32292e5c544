"""The sandbox: every stub distributor behind one loopback address, with the routes that steer them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from adapters.clock import SystemClock
from adapters.sandbox import page
from adapters.sandbox.catalogue import EditInvalid, TitleEdit, TitleRow, instant_text
from adapters.sandbox.faults import AFTERWARDS, INSTEAD, SETTINGS, Fault, Faults, Knob, KnobInvalid
from adapters.sandbox.ledger import Ledger, whole_lines
from adapters.sandbox.stub import Answer, Call, Route, Stub, StubFactory, StubWorld
from syncengine.domain.offer import OfferState
from syncengine.ports import Clock

LOOPBACK = "127.0.0.1"
_CALLS_KEPT = 200_000
_LARGEST_BODY = 256 * 2**20
_STORE_TOML = '[store]\nurl = "sqlite:var/syncengine.db"\n'
_LOGIN_PAGE = b"""<!DOCTYPE html>
<html lang="fr"><head><title>Connexion</title></head>
<body><form method="post" action="/login"><input name="user"><input name="password" type="password"></form></body></html>
"""
_NOISE = bytes(range(256)) * 4
_HIDDEN = "…"
_SECRET_PARAMETER = re.compile(r"(?i)((?:^|&)(?:key|password|secret|client_secret|access_token)=)[^&]*")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CallRow(msgspec.Struct, kw_only=True, frozen=True):
    """One call as it arrived, and what was answered; `fault` names what went wrong on purpose. Status 0: no answer at all."""

    sequence: int
    distributor: str
    endpoint: str
    method: str
    path: str
    query: str
    status: int
    word: str
    fault: str | None
    at: str


class _Made(msgspec.Struct, kw_only=True):
    """What a directory was made for; another run with the same seed and size goes on with it."""

    seed: int
    titles: int
    made_at: datetime


class _LoggedEdits(msgspec.Struct, kw_only=True):
    distributor: str
    at: datetime
    edits: list[TitleEdit]


class Sandbox:
    """The stub distributors on loopback HTTP.

    `directory` keeps the ledger and the edits of titles (a sandbox started again over it, with the same seed and size, knows
    its sales and its titles), and gets `syncengine.toml` with the secrets it names. Nothing is bound before `start`.
    """

    def __init__(
        self,
        *,
        seed: int,
        titles: int,
        directory: Path,
        stubs: Sequence[StubFactory],
        clock: Clock | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.clock: Clock = clock or SystemClock()
        self.directory = directory
        self.seed = seed
        self.size = titles
        self.url = ""
        made = self._made(seed, titles)
        self.ledger = Ledger(directory / "ledger.ndjson")
        self.faults = Faults(seed=seed)
        world = StubWorld(
            seed=seed,
            titles=titles,
            clock=self.clock,
            ledger=self.ledger,
            made_at=made.made_at,
            directory=directory,
        )
        self.stubs: dict[str, Stub] = {stub.name: stub for stub in (factory(world) for factory in stubs)}
        for stub in self.stubs.values():
            endpoints = {route.endpoint for route in stub.routes}
            self.faults.know(stub.name, endpoints=endpoints, faults=stub.faults)
        self.calls: deque[CallRow] = deque(maxlen=_CALLS_KEPT)
        self._calls_count = 0
        self._secrets = [secret for stub in self.stubs.values() for secret in stub.secrets.values()]
        self._runner: web.AppRunner | None = None
        self._take_back()

    @property
    def addresses(self) -> dict[str, str]:
        """The base address of each distributor; known once started."""
        return {name: stub.address(self.url) for name, stub in self.stubs.items()}

    @property
    def settings_path(self) -> Path:
        """The settings file that `start` writes."""
        return self.directory / "syncengine.toml"

    async def start(self, port: int = 0) -> str:
        """Listen on loopback (port 0 = any free one), write the settings file, and give the address."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.add_routes(self._routes())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port, backlog=1024)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        self._write_settings()
        return self.url

    async def stop(self) -> None:
        """Close the address and the ledger's file."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.ledger.close()

    def settings_toml(self) -> str:
        """A complete settings file for an engine that shall use every stub."""
        return "\n".join([_STORE_TOML, *(stub.settings_toml(self.url) for stub in self.stubs.values())])

    def titles(self) -> list[TitleRow]:
        """The truth of every stub now."""
        at = self.clock.now()
        return [row for stub in self.stubs.values() for row in stub.titles(at)]

    def scenarios(self) -> dict[str, Mapping[str, str]]:
        """Per distributor, the ISBN of each named case."""
        return {name: stub.scenarios for name, stub in self.stubs.items()}

    def edit(self, edits: Sequence[TitleEdit]) -> list[TitleRow]:
        """Add and edit titles, each distributor's all or none; raises EditInvalid. The edits survive a restart."""
        at = self.clock.now()
        shares: dict[str, list[TitleEdit]] = {}
        for edit in edits:
            shares.setdefault(self._distributor_of(edit), []).append(edit.fix_instants(at))
        rows: list[TitleRow] = []
        for name, share in shares.items():
            rows.extend(self.stubs[name].edit(share, at))
            self._log_edits(_LoggedEdits(distributor=name, at=at, edits=share))
        return rows

    def set_faults(self, document: Mapping[str, Any]) -> None:
        """Set the knobs of a document `{distributor: {endpoint: {fault: knob}, "settings": {…}}}`; raises KnobInvalid."""
        knobs: dict[str, dict[str, Any]] = {}
        settings: dict[str, Mapping[str, Any]] = {}
        for name, part in document.items():
            if not isinstance(part, Mapping):
                raise KnobInvalid(f"{name} must be an object")
            knobs[name] = {endpoint: faults for endpoint, faults in part.items() if endpoint != SETTINGS}
            if SETTINGS in part:
                settings[name] = part[SETTINGS]
        self.faults.check(knobs)
        for name, changes in settings.items():
            self.stubs[name].set_settings(changes)
        self.faults.update(knobs)

    def clear_faults(self) -> None:
        """Take every knob away and put every stub's settings back."""
        self.faults.clear()
        for stub in self.stubs.values():
            stub.reset_settings()

    # --- what survives a restart

    def _made(self, seed: int, titles: int) -> _Made:
        path = self.directory / "sandbox.json"
        if path.exists():
            made = msgspec.json.decode(path.read_bytes(), type=_Made)
            if (made.seed, made.titles) == (seed, titles):
                return made
            self._edits_path.unlink(missing_ok=True)
        made = _Made(seed=seed, titles=titles, made_at=self.clock.now())
        path.write_bytes(msgspec.json.encode(made))
        return made

    @property
    def _edits_path(self) -> Path:
        return self.directory / "edits.ndjson"

    def _take_back(self) -> None:
        for line in whole_lines(self._edits_path):
            logged = msgspec.json.decode(line, type=_LoggedEdits)
            if logged.distributor in self.stubs:
                self.stubs[logged.distributor].edit(logged.edits, logged.at)
        for row in self.ledger:
            if row.distributor in self.stubs:
                self.stubs[row.distributor].replay(row)

    def _log_edits(self, logged: _LoggedEdits) -> None:
        with self._edits_path.open("ab") as file:
            file.write(msgspec.json.encode(logged) + b"\n")

    def _write_settings(self) -> None:
        self.settings_path.write_text(self.settings_toml(), encoding="utf-8")
        for stub in self.stubs.values():
            for name, secret in stub.secrets.items():
                _write_secret(self.directory / name, secret)

    def _distributor_of(self, edit: TitleEdit) -> str:
        if isinstance(edit.distributor, str):
            if edit.distributor not in self.stubs:
                raise EditInvalid(f"no distributor {edit.distributor!r}; there is {', '.join(self.stubs)}")
            return edit.distributor
        if isinstance(edit.isbn, str):
            for name, stub in self.stubs.items():
                if stub.knows(edit.isbn):
                    return name
        return next(iter(self.stubs))

    # --- calls

    def _routes(self) -> list[web.RouteDef]:
        routes = [
            web.get("/", self._get_overview),
            web.get(f"{page.PAGES}/{{name}}", self._get_page),
            web.get("/_sandbox/ledger", self._get_ledger),
            web.get("/_sandbox/calls", self._get_calls),
            web.get("/_sandbox/titles", self._get_titles),
            web.post("/_sandbox/titles", self._post_titles),
            web.get("/_sandbox/scenarios", self._get_scenarios),
            web.get("/_sandbox/faults", self._get_faults),
            web.post("/_sandbox/faults", self._post_faults),
            web.delete("/_sandbox/faults", self._delete_faults),
        ]
        for stub in self.stubs.values():
            unknown = Route(method="*", path="/{tail:.*}", endpoint="unknown", answer=_not_found)
            routes.extend(
                web.route(route.method, f"/{stub.name}{route.path}", self._serve(stub, route))
                for route in (*stub.routes, unknown)
            )
        return routes

    def _serve(self, stub: Stub, route: Route) -> _Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, stub, route)

        return serve

    async def _answer(self, request: web.Request, stub: Stub, route: Route) -> web.StreamResponse:
        arrived_at = self.clock.now()

        def strikes(fault: Fault) -> Knob | None:
            return self.faults.draw(stub.name, route.endpoint, fault, request.path_qs)

        if delay := strikes(Fault.DELAY_BEFORE):
            await self.clock.sleep(delay.seconds)
        instead = next(((fault, knob) for fault in INSTEAD if (knob := strikes(fault))), None)
        if instead:
            await request.read()
            answer, broken = _instead(*instead), instead[0]
        else:
            call = await Call.read(
                request, distributor=stub.name, endpoint=route.endpoint, at=self.clock.now(), faults=self.faults
            )
            answer, broken = route.answer(call), None
            if delay := strikes(Fault.DELAY_AFTER):
                await self.clock.sleep(delay.seconds)
            afterwards = next(((fault, knob) for fault in AFTERWARDS if (knob := strikes(fault))), None)
            if afterwards:
                answer, broken = _afterwards(answer, *afterwards), afterwards[0]
        self._note(request, stub, route, answer, broken, arrived_at)
        return await self._send(request, answer, broken)

    def _note(
        self, request: web.Request, stub: Stub, route: Route, answer: Answer, broken: Fault | None, at: datetime
    ) -> None:
        self._calls_count += 1
        self.calls.append(
            CallRow(
                sequence=self._calls_count,
                distributor=stub.name,
                endpoint=route.endpoint,
                method=request.method,
                path=self._hide(request.path),
                query=_SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", self._hide(request.query_string)),
                status=answer.status,
                word=answer.word,
                fault=broken,
                at=instant_text(at),
            )
        )

    def _hide(self, text: str) -> str:
        """The text without any secret of a stub: what is noted can be read by everybody."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    async def _send(self, request: web.Request, answer: Answer, broken: Fault | None) -> web.StreamResponse:
        headers = {
            "Content-Type": answer.content_type,
            "Date": format_datetime(self.clock.now(), usegmt=True),
            **answer.headers,
        }
        if broken in {Fault.DROP_BEFORE, Fault.DROP_AFTER}:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        if broken is Fault.TORN:
            return await _send_torn(request, answer, headers)
        return web.Response(status=answer.status, body=answer.bytes, headers=headers)

    # --- pages

    async def _get_overview(self, _request: web.Request) -> web.Response:
        return _html(page.overview([self._view(name) for name in self.stubs]))

    async def _get_page(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.stubs:
            return _json({"error": self._unknown(name)}, status=404)
        state = _state_of(request)
        views = {each: self._view(each) for each in self.stubs}
        return _html(page.distributor_page(list(views.values()), views[name], state))

    def _view(self, name: str) -> page.View:
        stub = self.stubs[name]
        return page.View(
            name=name,
            about=stub.about,
            address=stub.address(self.url),
            titles=list(stub.titles(self.clock.now())),
            ledger=self.ledger.rows(distributor=name),
            calls=[row for row in self.calls if row.distributor == name],
            knobs=self.faults.as_document().get(name, {}),
            settings=stub.settings(),
            scenarios=stub.scenarios,
        )

    # --- steering

    def _named(self, request: web.Request) -> list[str]:
        """The one distributor that the query names, or all; an unknown one is answered with 400."""
        name = request.query.get("distributor")
        if name is None:
            return list(self.stubs)
        if name not in self.stubs:
            raise _refusal(self._unknown(name))
        return [name]

    def _unknown(self, name: str) -> str:
        return f"no distributor {name!r}; there is {', '.join(self.stubs)}"

    async def _get_ledger(self, request: web.Request) -> web.Response:
        names, kind = self._named(request), request.query.get("kind")
        return _json([row for row in self.ledger.rows(kind=kind) if row.distributor in names])

    async def _get_calls(self, request: web.Request) -> web.Response:
        names = self._named(request)
        endpoint, since = request.query.get("endpoint"), request.query.get("since", "0")
        if not since.isdecimal():
            return _json({"error": "since is the sequence of a call"}, status=400)
        rows = [
            row
            for row in self.calls
            if row.sequence > int(since) and endpoint in {None, row.endpoint} and row.distributor in names
        ]
        return _json(rows)

    async def _get_titles(self, request: web.Request) -> web.Response:
        names, state, isbn = self._named(request), _state_of(request), request.query.get("isbn")
        rows = [row for row in self.titles() if isbn in {None, row.isbn} and state in {None, row.state}]
        return _json([row for row in rows if row.distributor in names])

    async def _post_titles(self, request: web.Request) -> web.Response:
        try:
            edits = msgspec.json.decode(await request.read(), type=list[TitleEdit] | TitleEdit)
            return _json(self.edit(edits if isinstance(edits, list) else [edits]))
        except (msgspec.DecodeError, EditInvalid) as error:
            return _json({"error": str(error)}, status=400)

    async def _get_scenarios(self, request: web.Request) -> web.Response:
        names = self._named(request)
        return _json({name: found for name, found in self.scenarios().items() if name in names})

    async def _get_faults(self, request: web.Request) -> web.Response:
        knobs = self.faults.as_document()
        return _json(
            {name: {**knobs.get(name, {}), SETTINGS: self.stubs[name].settings()} for name in self._named(request)}
        )

    async def _post_faults(self, request: web.Request) -> web.Response:
        try:
            self.set_faults(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        except (msgspec.DecodeError, KnobInvalid) as error:
            return _json({"error": str(error)}, status=400)
        return await self._get_faults(request)

    async def _delete_faults(self, request: web.Request) -> web.Response:
        self.clear_faults()
        return await self._get_faults(request)


def _json(document: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers=page.HEADERS)


def _refusal(error: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=msgspec.json.encode({"error": error}).decode(), content_type="application/json")


def _state_of(request: web.Request) -> OfferState | None:
    """The state that the query names, if it names one; an unknown one is answered with 400."""
    name = request.query.get("state")
    if name is None:
        return None
    try:
        return OfferState(name)
    except ValueError:
        raise _refusal(f"no state {name!r}; there is {', '.join(OfferState)}") from None


def _not_found(_call: Call) -> Answer:
    return Answer(status=404, word="not_found")


def _instead(fault: Fault, knob: Knob) -> Answer:
    headers = {} if knob.retry_after is None else {"Retry-After": knob.retry_after}
    if fault is Fault.THROTTLE:
        return Answer(status=429, headers=headers)
    if fault is Fault.UNAVAILABLE:
        return Answer(status=503, word="service_unavailable", headers=headers)
    if fault is Fault.LOGIN_PAGE:
        return Answer(status=200, body=_LOGIN_PAGE, content_type="text/html; charset=utf-8")
    if fault is Fault.ERROR_BEFORE:
        return Answer(status=knob.status, headers=headers)
    return Answer(status=0)


def _afterwards(answer: Answer, fault: Fault, knob: Knob) -> Answer:
    """The spoilt answer; its word stays the true one, for the list of calls."""
    if fault is Fault.DROP_AFTER:
        return dataclasses.replace(answer, status=0)
    if fault is Fault.ERROR_AFTER:
        return Answer(status=knob.status, word=answer.word, body=b"")
    if fault is Fault.GARBAGE:
        return Answer(status=answer.status, word=answer.word, body=_NOISE, content_type=answer.content_type)
    if fault is Fault.EMPTY:
        return Answer(status=answer.status, word=answer.word, body=b"", headers=answer.headers)
    return answer


async def _send_torn(request: web.Request, answer: Answer, headers: Mapping[str, str]) -> web.StreamResponse:
    """Promise the whole body, send two thirds of it, and close."""
    body = answer.bytes or b"?"
    torn = web.StreamResponse(status=answer.status, headers={**headers, "Content-Length": str(len(body) + 1)})
    await torn.prepare(request)
    await torn.write(body[: max(1, len(body) * 2 // 3)])
    if request.transport is not None:
        request.transport.close()
    return torn


def _write_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")
