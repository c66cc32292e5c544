"""A row of the inventory: what the warehouse (DDS) holds of an ISBN, and how its words are read (contract bokbasen 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncengine.domain.codes import EpubTechnicalProtection

_PREFIX = "urn:uuid:"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FLAGS: Mapping[str, bool] = {"true": True, "false": False}

WATERMARKED = "SDRM"
"""The word for a watermark, in which the buyer's name stands (contract 4, 6.1)."""

LEAST_NAME = 2
"""The letters that each of the buyer's names must have (contract 6.1)."""

_LOCKS: Mapping[str, EpubTechnicalProtection] = {
    "NODRM": EpubTechnicalProtection.NONE,
    WATERMARKED: EpubTechnicalProtection.WATERMARK,
    "TDRM": EpubTechnicalProtection.ADOBE,
    "LCP": EpubTechnicalProtection.LCP,
}
"""The inventory's words beside the export's codes of list 144 (contract 9.2); that for LCP is a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRow:
    """The latest file version of an ISBN.

    `resid` is what an order names, without its prefix; empty where the row has none that can be read. `published` and `access`
    are none where they are neither true nor false.
    """

    resid: str
    version: int
    drm: str
    kind: str
    deleted: str
    published: bool | None
    access: bool | None
    excerpt: bool

    @classmethod
    def of(cls, facts: Iterable[tuple[str, str]]) -> InventoryRow:
        """Read a row from its elements, by their local names and texts."""
        said = {name: text.strip() for name, text in facts}
        version = said.get("version", "")
        return cls(
            resid=_resid(said.get("id", "")),
            version=int(version) if version.isascii() and version.isdecimal() else 0,
            drm=said.get("drm", "").upper(),
            kind=said.get("format", "").upper(),
            deleted=said.get("deleted", ""),
            published=_FLAGS.get(said.get("published", "").lower()),
            access=_FLAGS.get(said.get("access", "").lower()),
            excerpt=said.get("excerpt", "").lower() == "true",
        )

    @property
    def is_deliverable(self) -> bool:
        """Whether this shop could start a download of it: published, with a right to it, and not deleted."""
        return self.published is True and self.access is True and not self.deleted

    @property
    def needs_names(self) -> bool:
        """Whether an order must name the buyer; of an unknown lock nobody says so (contract 14)."""
        return self.drm == WATERMARKED

    def disagrees_with(self, protections: Iterable[str]) -> bool:
        """Whether the export states another lock than the row; never where either says nothing that is known."""
        stated, held = set(protections), _LOCKS.get(self.drm)
        return held is not None and bool(stated) and held.value not in stated

    @property
    def says(self) -> str:
        """The row in a few words, for the trail."""
        flags = f"published {_spell(self.published)}, access {_spell(self.access)}"
        return f"inventory: {flags}, deleted {self.deleted}" if self.deleted else f"inventory: {flags}"


def newest(rows: Iterable[InventoryRow]) -> InventoryRow | None:
    """The row of the highest version, as a look-up gives all of them (contract 4); of equal ones the last."""
    found: InventoryRow | None = None
    for row in rows:
        if found is None or row.version >= found.version:
            found = row
    return found


def _resid(text: str) -> str:
    bare = text[len(_PREFIX) :] if text.lower().startswith(_PREFIX) else text
    return bare if _UUID.fullmatch(bare) else ""


def _spell(flag: bool | None) -> str:
    return "unreadable" if flag is None else str(flag).lower()
