"""The Bokbasen stub's own settings and faults, as the steering routes know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from adapters.sandbox.faults import KnobInvalid

Count = Annotated[int, msgspec.Meta(ge=1)]

MOST_ROWS = 10_000
"""Default and maximum page of the inventory (contract 3)."""
MOST_RECORDS = 1_000
"""Default and maximum page of the ONIX export (contract 3)."""

FAULTS: Mapping[str, str] = {
    "token_refused": "401 although the token is good (contract 12)",
    "forbidden": "403 although the token is good (contract 12)",
    "too_large": "413 to a page of the ONIX export (contract 9.1)",
    "no_next": "a page of a feed without the header Next (contract 3)",
    "no_link": "a page of a feed without the header Link although there are more (contract 3)",
    "same_next": "a page with content whose Next is the cursor that was sent (contract 3)",
    "endless": "a page that names a following one for ever, under cursors that never repeat (contract 3)",
    "download_failed": "the status of a download is FAILED (contract 8.1)",
    "unreadable_status": "the status of a download is no document that anybody knows (contract 8.1)",
}
"""The stub's own faults and what they do."""


class StubSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the stub behaves until it is told otherwise; where the contract is silent, by the choices of its section 14."""

    inventory_page: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)] = MOST_ROWS
    onix_page: Annotated[int, msgspec.Meta(ge=1, le=MOST_RECORDS)] = MOST_RECORDS
    """The most that a page may hold, and holds where no size is asked for."""
    largest_onix_page: Count | None = None
    """Above so many records an ONIX page is answered with 413."""
    lower_case_headers: bool = False
    """All names of response headers in lower case (1)."""
    next_on_empty: bool = True
    """Whether an answer to `after` without content has a Next (3)."""
    inventory_oldest_days: Count | None = None
    """How far back inventory cursors may reach; none = any (14)."""
    oldest_days: Count = 180
    """The same for the ONIX export (3)."""
    onix_lag_seconds: float = 0.0
    """How much later than the inventory the ONIX export tells of what an edit or a release changes (14)."""
    namespace: Literal["3.0", "3.1"] = "3.1"
    """Of the v2 export; v1 is 3.0, v3 is 3.1 (9.1)."""
    versions: tuple[Literal["v1", "v2", "v3"], ...] = ("v2", "v3")
    """Versions of the export that are not switched off (9.1)."""
    subscriptions: tuple[Literal["basic", "extended", "school"], ...] = ("basic", "extended")
    """What the client has agreed on; another is 403 (9.1)."""
    duplicate: Literal["400", "409", "201"] = "400"
    """What a repeated orderid with the same body is answered with (6.2)."""
    unpublished: Literal["reject", "accept"] = "reject"
    """What becomes of an order for a resource that is not published (6.4)."""
    strict_resid: bool = False
    """Whether the resource of an earlier file version can no longer be ordered (14)."""
    strict_consumer: bool = False
    """Whether an order needs the `id` of a known account (6.1)."""
    token_seconds: Annotated[int, msgspec.Meta(ge=300)] = 86_400
    """How long a new token lives (2.1)."""
    token_generation: int = 0
    """Another number makes every token that was handed out before invalid."""
    processing_polls: Annotated[int, msgspec.Meta(ge=0)] = 2
    """How often a download is PROCESSING before it is READY (8.1)."""
    status_seconds: float = 300.0
    """How long the status page of a download lives; then it is 404 (8.1)."""
    status_form: Literal["json", "wrapped", "xml"] = "json"
    """The document of a status page (8.1)."""

    def changed(self, changes: Mapping[str, Any]) -> StubSettings:
        """Other settings; raises KnobInvalid for a name or value that does not exist."""
        try:
            return msgspec.convert({**msgspec.structs.asdict(self), **changes}, StubSettings)
        except msgspec.ValidationError as error:
            raise KnobInvalid(f"settings: {error}") from error
        except TypeError as error:
            raise KnobInvalid("settings must be an object") from error

    def shown(self) -> dict[str, Any]:
        """All of them; none is secret."""
        return msgspec.structs.asdict(self)
