"""The sandbox's ledger: append-only, in order, whole again after a kill."""

from __future__ import annotations

import orjson

from adapters.sandbox.ledger import Ledger, LedgerRow


def row(reference: str, **changes: str | None) -> LedgerRow:
    facts: dict[str, str | None] = {
        "distributor": "demarque",
        "kind": "sale",
        "reference": reference,
        "customer_id": "c",
        "isbn": "9782000000013",
        "format": "epub",
        "amount": "19.99",
        "currency": "CAD",
        "country": "CA",
        "price_type": "02",
        "protection": "none",
        "response": "created",
        "at": "2026-03-02T12:00:00.000000+00:00",
    }
    return LedgerRow(**{**facts, **changes})  # type: ignore[arg-type]


def test_rows_keep_their_order_and_are_found_by_distributor_and_kind():
    ledger = Ledger()
    ledger.append(row("1"))
    ledger.append(row("2", kind="refund"))
    ledger.append(row("3", distributor="cb"))
    assert ["1", "2", "3"] == [entry.reference for entry in ledger]
    assert ["1", "2"] == [entry.reference for entry in ledger.rows(distributor="demarque")]
    assert ["2"] == [entry.reference for entry in ledger.rows(distributor="demarque", kind="refund")]
    assert 3 == len(ledger)


def test_a_row_is_on_disk_before_append_returns(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger = Ledger(path)
    ledger.append(row("1"))
    assert "1" == orjson.loads(path.read_bytes())["reference"]
    ledger.close()


def test_an_earlier_run_is_read_back_and_gone_on_with(tmp_path):
    path = tmp_path / "ledger.ndjson"
    for reference in ("1", "2"):
        ledger = Ledger(path)
        ledger.append(row(reference))
        ledger.close()
    assert [row("1"), row("2")] == list(Ledger(path).rows())


def test_a_line_that_a_kill_cut_short_is_dropped_and_the_next_one_is_whole(tmp_path):
    path = tmp_path / "ledger.ndjson"
    ledger = Ledger(path)
    ledger.append(row("1"))
    ledger.append(row("2"))
    ledger.close()
    path.write_bytes(path.read_bytes()[:-20])
    ledger = Ledger(path)
    assert [row("1")] == ledger.rows()
    ledger.append(row("3"))
    ledger.close()
    ledger = Ledger(path)
    assert [row("1"), row("3")] == ledger.rows()
    ledger.close()
