"""Fingerprints: of the bytes of a record, in the context that gives them their meaning."""

from __future__ import annotations

from typing import Final

from xxhash import xxh3_64_intdigest, xxh3_128_digest

from syncengine.domain.frame import Context

EXTRACTION_VERSION: Final = 3
"""Raised whenever extraction or the digest of content changes: every record is then read anew."""

_SEED_MASK: Final = (1 << 64) - 1


def seed_for(store_seed: int, context: Context) -> int:
    """The seed of every fingerprint that one store takes in one context; another context gives another (design section 4)."""
    parts = (str(EXTRACTION_VERSION), *context.meaning)
    spelled = "".join("-;" if part is None else f"{len(part)}:{part};" for part in parts)
    return xxh3_64_intdigest(spelled.encode("utf-8", "surrogateescape"), store_seed & _SEED_MASK)


def vocabulary_seed(store_seed: int, version: str) -> int:
    """The seed of a store that reads by code lists of this version: by others, every prediction is distrusted."""
    return xxh3_64_intdigest(version.encode(), store_seed & _SEED_MASK)


fingerprint: Final = xxh3_128_digest
"""The 16 bytes of XXH3-128 of bytes or a view of them, under a seed."""
