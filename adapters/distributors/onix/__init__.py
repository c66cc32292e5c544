"""Plain ONIX files as a kind of source: `kind = "onix"`. They have no calls, so orders from them are refused."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from syncengine.domain.ids import SourceName
from syncengine.domain.message import MessageOrder
from syncengine.domain.passes import PassMode
from syncengine.ports import (
    Account,
    Conventions,
    Distributor,
    MissingReference,
    PartialUpdates,
    SourceSettings,
    World,
)


class Settings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The keys of `[sources.NAME]` with `kind = "onix"`.

    Without `timezone` a date without zone begins in each market by its own local time, in a country of several zones where
    the day begins last. `path` names a file or is a pattern. `mode` tells whether the files are the whole catalogue or changes to it, `pick`
    whether all matches are read or the last by name. `message_order` tells by what the sender's messages are in order: then
    repeats and older ones are passed over in mode delta, and gaps are warned of. `missing_reference` tells what becomes of
    records without RecordReference, `partial_updates` whether a notification 04 carries blocks to merge or a whole record.
    `publication_date_is_embargo` is for senders that put the start of sale into the publication date.
    """

    timezone: str = ""
    path: str
    mode: Literal["full", "delta"] = "full"
    pick: Literal["all", "newest"] = "all"
    message_order: MessageOrder = MessageOrder.ARRIVAL
    missing_reference: MissingReference = MissingReference.QUARANTINE
    partial_updates: PartialUpdates = PartialUpdates.MERGE
    publication_date_is_embargo: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a path that is an address."""
        if "://" in self.path:
            raise ValueError(f"path {self.path!r} is an address, not a file; fetch it first and name the file")


def connect(name: SourceName, settings: SourceSettings, world: World) -> Distributor:
    """The files as a source, with the standard's own rules; nothing is opened yet."""
    from adapters.files import FileSource, OnixRules, Pick

    if not isinstance(settings, Settings):
        raise TypeError(f"{name}: settings of another kind")
    path = world.directory / settings.path
    return Distributor(
        source=FileSource(
            name,
            (path,),
            mode=PassMode(settings.mode),
            pick=Pick(settings.pick),
            conventions=Conventions(
                partial_updates=settings.partial_updates,
                message_order=settings.message_order,
                missing_reference=settings.missing_reference,
            ),
        ),
        rules=OnixRules(
            markets=settings.markets,
            zone=ZoneInfo(settings.timezone) if settings.timezone else None,
            tax_rates=settings.tax_rates,
            publication_date_is_embargo=settings.publication_date_is_embargo,
        ),
        calls=None,
        account=Account(kind="onix", address=str(path), organisation=""),
    )
