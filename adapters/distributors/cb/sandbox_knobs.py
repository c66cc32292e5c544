"""The CB stub's own settings and faults, as the steering routes know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from adapters.sandbox.faults import KnobInvalid

Count = Annotated[int, msgspec.Meta(ge=1)]

EBOOK_CODES: Mapping[str, tuple[int, int]] = {
    "EBS-10003": (200, 200),
    "EBS-10004": (200, 200),
    "EBS-10005": (200, 200),
    "EBS-10006": (200, 200),
    "EBS-10009": (200, 200),
    "EBS-10011": (200, 200),
    "EBS-10017": (200, 200),
    "EBS-10034": (200, 200),
    "EBS-10060": (200, 200),
    "EBS-10077": (200, 200),
    "EBS-10001": (200, 400),
    "EBS-10056": (200, 400),
    "EBS-10073": (200, 400),
    "EBS-10075": (200, 400),
    "EBS-10076": (200, 400),
    "WMS-00008": (200, 400),
    "CEP-002": (400, 400),
    "CEP-200": (400, 400),
    "WMS-00002": (200, 401),
    "WMS-00004": (200, 401),
    "WMS-00005": (200, 401),
    "CEP-003": (401, 401),
    "CEP-004": (404, 404),
    "EBS-11000": (200, 500),
    "EBS-11001": (200, 500),
}
"""The codes of contract 8.3 with their statuses in the legacy style and on the new platform."""

FAULTS: Mapping[str, str] = {
    **{code: f"the e-book service answers {code}" for code in EBOOK_CODES},
    "unpriced_registered": "EBS-10060 although the order was registered",
    "information": "a message of type I beside a good answer (contract 8.2)",
    "bare_failure": "500 with a text and no code (contract 8.3)",
    "duplicate_records": "a page has its first record twice",
    "moving_records": "the list has turned by half a page since the last request (contract 3.4)",
    "empty_page": "a page without any record",
    "short_page": "a page of half as many records as there should be",
    "broken_record": "the first record of a page is malformed",
    "cut_body": "a page that ends in the middle of a record, its length right",
    "ignored_limit": "limit is not taken notice of, the default is",
    "missing_titles": "the inventory lacks the titles of the scenarios step_b_… (contract 5, pre-step B)",
    "access_denied": "401 although the credentials are good",
    "withdrawn_now": "the title was withdrawn between check and order",
    "no_link": "an order number without any link",
    "syntax": "400 with a body that is no XML",
}
"""The stub's own faults and what they do."""


class StubSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the stub behaves until it is told otherwise.

    `zone` is how `modifiedfrom` is read (contract 11.2) and `fold` which of two instants an ambiguous time means. `duplicate` is what
    a used reference does at Luisterhuis: a new order (mode A), an error (B), or the first answer again (C). `style` is that of the
    e-book service: `legacy` answers 200 with a message and knows two headers, `cep` uses statuses and tokens.
    """

    zone: Literal["amsterdam", "utc+1", "utc+2"] = "amsterdam"
    fold: Literal["earlier", "later"] = "earlier"
    order: Literal["stable", "shuffled"] = "stable"
    page_default: Count = 100
    page_cap: Count = 1000
    duplicate: Literal["new", "error", "replay"] = "replay"
    link_limit: Count = 5
    link_days: Count = 365
    reset_link: Literal["new", "same"] = "new"
    link_base: str = "https://downloads.luisterhuis.example"
    settlement_reference: bool = False
    style: Literal["legacy", "cep"] = "cep"
    token_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    audiobooks_as_ebooks: bool = False
    """Whether the e-book service sells audiobooks too (contract 8.5)."""
    only_test_titles: bool = False
    """CB's own test environment knows listed titles only (contract 11.10)."""

    def changed(self, changes: Mapping[str, Any]) -> StubSettings:
        """Other settings; raises KnobInvalid for a name or value that does not exist."""
        try:
            return msgspec.convert({**msgspec.structs.asdict(self), **changes}, StubSettings)
        except msgspec.ValidationError as error:
            raise KnobInvalid(f"settings: {error}") from error
        except TypeError as error:
            raise KnobInvalid("settings must be an object") from error
