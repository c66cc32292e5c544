"""Which of CB's two services a title is bought at (contract cb 8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncengine.domain.ids import Format, Isbn

AUDIO = Format("audio")


class Service(StrEnum):
    """The services, by the names of their tables in the settings."""

    LUISTERHUIS = "luisterhuis"
    EBOOKS = "ebooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Audio goes to Luisterhuis and everything else to the e-book service, unless its EAN is named in `overrides`.

    `services` are those that the settings have; a title whose service is not among them cannot be bought.
    """

    services: frozenset[Service]
    overrides: Mapping[str, Service] = field(default_factory=dict)

    def wanted(self, isbn: Isbn, format: Format) -> Service:
        """The service a title belongs to, whether or not the shop has it."""
        return self.overrides.get(isbn) or (Service.LUISTERHUIS if format == AUDIO else Service.EBOOKS)

    def service(self, isbn: Isbn, format: Format) -> Service | None:
        """The same; none where the settings have no such service."""
        wanted = self.wanted(isbn, format)
        return wanted if wanted in self.services else None
