"""Consumer accounts (Bokskya): found by id or address, opened where there is none (contract bokbasen 8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from adapters.distributors.bokbasen.verdicts import word
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Arrival, Receipt, Request
from syncengine.domain.ids import SourceName
from syncengine.errors import SourceFailed, SourceRefused, SourceUnreachable, UsageInvalid
from syncengine.ports import Pace

_JSON = (("Accept", "application/json"),)
_LEAST_NAME = 2
_UNKNOWN_USER = "USER_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerAccount:
    """A customer's account; its `id` is what an order carries as consumer_id."""

    id: str
    active: bool


class _Answer(msgspec.Struct):
    id: str = ""
    active: bool = False
    data: str = ""


class ConsumerAccounts:
    """The accounts of a shop's customers. Opening one is the shop's decision: nothing here does it by itself."""

    def __init__(self, name: SourceName, session: HttpSession, pace: Pace, *, path: str) -> None:
        self._name = name
        self._session = session
        self._pace = pace
        self._path = path

    async def find(self, id_or_email: str) -> ConsumerAccount | None:
        """The account of an id or an address; none where there is none, which is answered with 200 as well.

        Raises SourceFailed where it cannot be found out.
        """
        return await self._asked(
            Request(method="GET", target=f"{self._path}/{quote(id_or_email, safe='')}", limit="account", headers=_JSON)
        )

    async def open(self, *, email: str, first_name: str, last_name: str) -> ConsumerAccount:
        """Open an account; raises UsageInvalid for names of less than two letters, SourceFailed where it is refused."""
        wish = {"email": email.strip(), "name": first_name.strip(), "surname": last_name.strip()}
        if min(len(wish["name"]), len(wish["surname"])) < _LEAST_NAME:
            raise UsageInvalid("an account needs first and last name, of two letters at least")
        body = msgspec.json.encode(wish)
        headers = (*_JSON, ("Content-Type", "application/json"))
        opened = await self._asked(
            Request(method="POST", target=self._path, limit="account", headers=headers, body=body)
        )
        if opened is None:
            raise SourceFailed(f"{self._name}: the account was not opened, and nobody says why")
        return opened

    async def aclose(self) -> None:
        """Give back connections."""
        await self._session.aclose()

    async def _asked(self, request: Request) -> ConsumerAccount | None:
        await self._pace.turn(self._name, request.limit)
        receipt = await self._session.call(request)
        if receipt.arrival is Arrival.REFUSED:
            raise SourceRefused(f"{self._name}: {receipt.detail}", hint="check that the client may use the accounts")
        if receipt.arrival is not Arrival.ANSWERED:
            raise SourceUnreachable(f"{self._name}: {receipt.detail}")
        return self._read(receipt)

    def _read(self, receipt: Receipt) -> ConsumerAccount | None:
        try:
            said = msgspec.json.decode(receipt.body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = _Answer()
        if receipt.status != 200 or not (said.id or said.data == _UNKNOWN_USER):
            raise SourceFailed(f"{self._name}: the account cannot be told: {word(receipt)}")
        return ConsumerAccount(id=said.id, active=said.active) if said.id else None
