"""The De Marque stub's own settings and faults, as the steering routes know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from adapters.sandbox.faults import KnobInvalid

Count = Annotated[int, msgspec.Meta(ge=1)]

CONTRACT_FIRST_PAGES_PER_HOUR = 50
CONTRACT_PUBLICATIONS_PER_HOUR = 5000
"""Contract 2.3; the sandbox allows more unless told."""

FAULTS: Mapping[str, str] = {
    "access_denied": "401 access_denied although the credentials are good",
    "array_words": "an error word as a JSON array of one element (contract 2.4)",
    "old_words": "invalid_cost instead of invalid_sale_parameters (contract 4.1)",
    "too_many_results": "400 too_many_results to the first page of a delta (contract 3.2)",
    "same_link": "the next link leads to the page itself",
    "no_link": "a page without a next link",
    "foreign_link": "the next link leads to another host",
    "empty_page": "a page without any record",
    "not_found": "404 not_found",
}
"""The stub's own faults and what they do."""


class StubSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the stub behaves until it is told otherwise; the limits' contract values are 50 and 5,000 an hour (2.3).

    `dead_clock` holds, per ISBN or for all under `*`, the seconds after a title's start for which its sale is still refused
    with cannot_sell. `too_many_results` is the most publications a delta may have. `token`, when set, replaces the valid one.
    """

    first_page_limit: Count = 1_000_000
    publication_limit: Count = 1_000_000
    page_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    too_many_results: Count | None = None
    eden: bool = False
    """Eden Livres: cost_without_taxes is mandatory (4.1)."""
    lcp: bool = True
    """Whether the organisation may see and sell LCP (5.1)."""
    namespace: Literal["2022", "2015"] = "2022"
    dead_clock: dict[str, float] = {}
    link_seconds: float = 60.0
    """How long a download link lives (4.7)."""
    token: str | None = None

    def changed(self, changes: Mapping[str, Any]) -> StubSettings:
        """Other settings; raises KnobInvalid for a name or value that does not exist."""
        try:
            return msgspec.convert({**msgspec.structs.asdict(self), **changes}, StubSettings)
        except msgspec.ValidationError as error:
            raise KnobInvalid(f"settings: {error}") from error
        except TypeError as error:
            raise KnobInvalid("settings must be an object") from error

    def shown(self) -> dict[str, Any]:
        """All of them, the token hidden."""
        return {**msgspec.structs.asdict(self), "token": None if self.token is None else "…"}
