"""The settings file: one TOML document, every problem of it reported at once, with its line."""

from syncengine.settings.duration import parse_duration
from syncengine.settings.loading import load
from syncengine.settings.shape import (
    GuardSettings,
    OrderSettings,
    Secret,
    ServiceSettings,
    Settings,
    SourceSettings,
    StoreSettings,
)

__all__ = [
    "GuardSettings",
    "OrderSettings",
    "Secret",
    "ServiceSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "load",
    "parse_duration",
]
