"""Plain ONIX files: where they are read from, the rules for catalogues whose sender published none, and acknowledgements."""

from adapters.files.rules import OnixRules
from adapters.files.source import FileSource, Pick

__all__ = ["FileSource", "OnixRules", "Pick"]
