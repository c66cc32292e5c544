"""What other open readers make of the sample files, beside what this one reads.

They are no dependencies of the project: install onixcheck, onixlib and python-onix into an environment of their own and name its
interpreter. `python -m tests.tables.peers /path/to/python` prints the table as Markdown, with the sums below it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from syncengine.domain.passes import RecordOutcome
from tests.records import sample_paths
from tests.tables.samples import Row, rows

PEERS = ("onixcheck", "onixlib", "python-onix")

PROBE = """
import contextlib, io, json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

def onixcheck(path):
    import onixcheck
    found = onixcheck.validate(path)
    return "valid" if not found else f"invalid ({len(found)})"

def onixlib(path):
    import onixlib
    return str(sum(1 for _ in onixlib.parse(path)))

def python_onix(path):
    import dataclasses
    from onix.book import parse_onix_message
    message = parse_onix_message(path)
    values = [getattr(message, each.name) for each in dataclasses.fields(message)]
    found = [item for value in values if isinstance(value, list) for item in value]
    return str(sum(type(item).__name__.lower() == "product" for item in found))

for path in sys.stdin.read().split("\\n"):
    told = {}
    for name, read in (("onixcheck", onixcheck), ("onixlib", onixlib), ("python-onix", python_onix)):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                told[name] = read(path)
        except BaseException as error:
            told[name] = f"error: {type(error).__name__}"
    print(json.dumps(told))
"""


def peers(python: str, paths: list[Path]) -> list[dict[str, str]]:
    """What each peer says of each file: a count of records, a verdict, or the error it ended with."""
    done = subprocess.run(
        [python, "-c", PROBE], input="\n".join(map(str, paths)), capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(row: Row) -> str:
    """What this reader made of a file, in few words."""
    if row.report is None:
        return "refused"
    quarantined = row.report.outcomes[RecordOutcome.QUARANTINED]
    return f"{row.report.records}" + (f" ({quarantined} quarantined)" if quarantined else "")


def main() -> None:
    """Print the table."""
    paths = sample_paths()
    told = peers(sys.argv[1] if len(sys.argv) > 1 else sys.executable, paths)
    found = asyncio.run(rows())
    print(f"| file | release | lxml | this | {' | '.join(PEERS)} |")
    print(f"|{'---|' * (4 + len(PEERS))}")
    for row, each in zip(found, told, strict=True):
        print(f"| {row.name} | {row.release} | {row.lxml} | {ours(row)} | {' | '.join(each[peer] for peer in PEERS)} |")
    messages = [(row, each) for row, each in zip(found, told, strict=True) if row.report is not None]
    records = sum(row.report.records for row, _ in messages if row.report)
    print(f"\n{len(messages)} messages, {records} records here.")
    for peer in PEERS:
        says = [each[peer] for _, each in messages]
        failed = sum(word.startswith("error") for word in says)
        silent = sum(
            word == "0" and row.report is not None and row.report.records > 0
            for (row, _), word in zip(messages, says, strict=True)
        )
        counted = sum(int(word) for word in says if word.isdigit())
        valid = sum(word == "valid" for word in says)
        print(
            f"{peer}: {failed} ended with an error, {silent} gave no record at all, {counted} records read, {valid} valid"
        )


if __name__ == "__main__":
    main()
