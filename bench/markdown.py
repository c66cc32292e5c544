"""The figures as the README shows them."""

from __future__ import annotations

from bench.report import Document


def as_markdown(document: Document) -> str:
    """What was run, scenario by scenario, then the targets; tables for the README."""
    setting, here = document["setting"], document["machine"]
    told = (
        f"{setting['records']:,} records of about {setting['record_bytes']:,} bytes, medians of {setting['rounds']} rounds, "
        f"Python {here['python']}, {here['system']}, {here['processors']} processors:"
    )
    return "\n\n".join([told, _scenarios(document), *([_targets(document)] if document["targets"] else [])]) + "\n"


def _scenarios(document: Document) -> str:
    rows = [
        f"| {row['says']} | {_shown(row['times_lxml'], '.1f')} | {_shown(row['command_times_lxml'], '.1f')} "
        f"| {_shown(row['megabytes_per_second'], ',.0f')} | {_shown(row['records_per_second'], ',')} |"
        for row in document["scenarios"]
        if row["bytes"] and not row["figures"]
    ]
    head = "| | x lxml iterparse, the work | the whole process | MB/s | records/s |\n|---|---:|---:|---:|---:|"
    return "\n".join([head, *rows])


def _targets(document: Document) -> str:
    rows = [
        f"| {target['says']} | {target['wants']} | {target['measured']:,.3g} "
        f"| {min(target['rounds']):,.3g} to {max(target['rounds']):,.3g} | {'yes' if target['is_met'] else 'no'} |"
        for target in document["targets"]
    ]
    return "\n".join(["| target | wanted | measured | rounds | met |\n|---|---:|---:|---:|---|", *rows])


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
