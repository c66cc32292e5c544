"""Feeds that are made once: by their plan in a folder, with what is known of them beside them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import msgspec
from xxhash import xxh3_64_hexdigest

from bench.apart import ROOT
from bench.generate import Feed, write
from bench.plan import FeedPlan

_MAKERS = ("plan.py", "variants.py", "shapes.py", "records.py", "generate.py")


def feed(plan: FeedPlan, folder: Path) -> Feed:
    """The feed of a plan, made where it is not there yet."""
    path = folder / "feeds" / maker_version() / plan.name
    known = path.with_name(f"{path.name}.json")
    if known.exists():
        told = msgspec.json.decode(known.read_bytes(), type=Feed, dec_hook=lambda kind, value: kind(value))
        return replace(told, path=path)
    forget_others(path.parent)
    # A run that is cut off leaves no feed that looks finished.
    begun = path.with_name(f"begun-{path.name}")
    made = replace(write(begun, plan), path=path)
    begun.rename(path)
    known.write_bytes(msgspec.json.encode(made, enc_hook=str))
    return made


def forget_others(folder: Path) -> None:
    """Make a version's folder, and remove those of the versions that nobody has any more: they take gigabytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other)


@lru_cache(maxsize=1)
def maker_version() -> str:
    """Changes when the generator does: what it made before is then not what it would make."""
    return version_of(*(ROOT / "bench" / name for name in _MAKERS))


def version_of(*sources: Path) -> str:
    """A digest of source files; of folders, every file of Python and SQL in them."""
    files = [file for source in sources for file in _files(source)]
    return xxh3_64_hexdigest(b"\0".join(file.read_bytes() for file in files))


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(file for file in source.rglob("*") if file.suffix in {".py", ".sql", ".json"})
    return [source]
