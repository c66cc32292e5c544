"""Defaults where the contract leaves a choice about titles and time; each is a setting (contract cb 3.1, 5, 6, 9)."""

from __future__ import annotations

from datetime import timedelta

OVERLAP = timedelta(hours=3)
"""How far a delta reaches back on the clock: more than any reading of the zone can be wrong by."""

MODIFIED_FROM_FORMAT = "%Y-%m-%dT%H:%M:%S"
"""Of the instant from which a delta is asked for, as `strftime` has it: without an offset."""

SUPPLIERS = ("CB", "Centraal Boekhuis", "CB Logistics", "Luisterhuis", "CB Luisterhuis")
"""Names by which pre-step A knows CB; numbers (GLN) are added in the settings."""

CHECK_HOLDS = timedelta(minutes=5)
"""How long a positive check may be relied on (6)."""

FOR_SALE_CODES = ("20", "21", "22", "23")
NOT_YET_CODES = ("10", "11", "12")
"""What the first column of table 9 means by list 65."""
