"""Coverage-guided fuzzing: `python -m tests.fuzz TARGET --seconds N`; `make fuzz` runs each target in turn.

What is found to reach new code is kept in the folder, and so is an input that broke a promise (`crash-…`, `timeout-…`);
`--replay FILE…` checks such inputs again without the fuzzer.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from tests.fuzz import seeds

TARGETS = ("framing", "envelope")
SECONDS_PER_INPUT = 10
LONGEST_INPUT = 4096
MEGABYTES = 2048

Check = Callable[[bytes], None]


def main() -> None:
    """Read the command line; libFuzzer ends the process, with a code other than 0 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the reading of messages.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--dir", type=Path, default=Path("var/fuzz"))
    parser.add_argument("--replay", type=Path, nargs="+")
    wanted = parser.parse_args()
    if wanted.replay:
        for path in wanted.replay:
            _check_of(wanted.target)(path.read_bytes())
    else:
        fuzz(wanted.target, seconds=wanted.seconds, folder=wanted.dir / wanted.target)


def fuzz(target: str, *, seconds: int, folder: Path) -> None:
    """Fuzz for so long, on from what earlier runs have left in the folder."""
    import atheris  # noqa: PLC0415 - wheels exist for few Pythons, and the checks themselves want none

    with atheris.instrument_imports(include=["syncengine.onix"]):
        check = _check_of(target)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds.of(target)):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    words = folder / "words.dict"
    words.write_text(_dictionary(seeds.WORDS))
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "timeout": SECONDS_PER_INPUT,
        "rss_limit_mb": MEGABYTES,
        "dict": words,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], str(corpus), *(f"-{name}={value}" for name, value in options.items())], check)
    atheris.Fuzz()


def _check_of(target: str) -> Check:
    return cast(Check, importlib.import_module(f"tests.fuzz.fuzz_{target}").check)


def _dictionary(words: Iterable[str]) -> str:
    """In libFuzzer's spelling: quoted, every byte that may not stand for itself in hexadecimal."""
    spelled = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in words)
    return "".join(f'"{word}"\n' for word in spelled)


if __name__ == "__main__":
    main()
