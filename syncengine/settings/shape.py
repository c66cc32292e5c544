"""What the settings file may say: a struct a table, and secrets by reference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from syncengine.domain.delivery import Limit
from syncengine.domain.order import Payment, PriceRule
from syncengine.domain.territory import Market
from syncengine.errors import SettingsInvalid

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Count = Annotated[int, msgspec.Meta(ge=0)]
PositiveCount = Annotated[int, msgspec.Meta(ge=1)]


class Secret:
    """A secret by reference: its text is had by `reveal()` alone and never shows in logs, errors or representations."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; give it to nothing but the call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    @classmethod
    def read(cls, where: str, *, env: str | None = None, file: str | None = None) -> Secret:
        """Read it from the environment or a file; raises SettingsInvalid naming the reference, never the text."""
        if env:
            if text := os.environ.get(env, "").strip():
                return cls(text)
            raise SettingsInvalid(where, [f"the environment variable {env} is not set; export it before starting"])
        if file:
            try:
                if text := Path(file).read_text(encoding="utf-8").strip():
                    return cls(text)
            except UnicodeDecodeError as error:
                raise SettingsInvalid(where, [f"the secret file {file} is not UTF-8 text"]) from error
            except OSError as error:
                raise SettingsInvalid(where, [f"the secret file {file} cannot be read: {error.strerror}"]) from error
            raise SettingsInvalid(where, [f"the secret file {file} is empty"])
        raise SettingsInvalid(where, ["no secret is named; set one of the keys that end in _env or _file"])


class SourceSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The keys of `[sources.NAME]` that every kind has; a kind adds its own in a subclass.

    `tax_rates` are percents by country, for prices that must be known with and without tax. A kind that sets
    `endpoint_classes` has the keys of `limits` checked against them; `default_limits` hold where `limits` says nothing, and a class
    without either is as fast as it likes. What one key alone cannot tell, a kind checks in `__post_init__` by raising ValueError.
    """

    endpoint_classes: ClassVar[frozenset[str]] = frozenset()
    default_limits: ClassVar[Mapping[str, Limit]] = {}

    kind: str
    markets: tuple[Market, ...] = ()
    timezone: str = "UTC"
    schedule: timedelta | None = None
    full_every: timedelta | None = None
    limits: Mapping[str, Limit] = {}
    tax_rates: Mapping[str, Decimal] = {}


class StoreSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[store]`."""

    url: str = "sqlite:var/syncengine.db"


class OrderSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[orders]`: defaults for orders that do not say."""

    price_rule: PriceRule = PriceRule.NOT_ABOVE_AGREED
    payment: Payment = Payment.PAID
    release_grace: timedelta = timedelta(hours=24)
    retention: timedelta = timedelta(days=3650)


class GuardSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[guards]`: shares are percents of what was known before the pass; nothing fires below `minimum_records`."""

    minimum_records: Count = 20
    removed_percent: Percent = 10.0
    vanished_percent: Percent = 10.0
    withdrawn_percent: Percent = 10.0
    prices_moved_percent: Percent = 30.0
    price_jumps: Count = 3
    shrunk_percent: Percent = 30.0


class ServiceSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[service]`: `code_lists` is a file in the place of the shipped ONIX code lists (`run.py codelists`); the two last are the
    spend guard of each source, off where they are not set; money is by currency.
    """

    max_passes: PositiveCount = 2
    workers: Count = 0
    log: Literal["debug", "info", "warning", "error"] = "info"
    code_lists: Path | None = None
    max_orders_per_hour: PositiveCount | None = None
    max_money_per_hour: Mapping[str, Decimal] = {}


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """The whole file; `directory` is where it stands, and what its relative paths are relative to."""

    directory: Path
    store: StoreSettings
    sources: Mapping[str, SourceSettings]
    orders: OrderSettings
    guards: GuardSettings
    service: ServiceSettings
