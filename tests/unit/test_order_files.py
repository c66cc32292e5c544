"""Orders files: what is taken as rows, and what is named as wrong with its line."""

from __future__ import annotations

import pytest

from adapters.shop.order_files import read_orders
from syncengine.errors import InputUnreadable, UsageInvalid

HEADER = "order_id,source,isbn,format,market,customer_id,agreed_price"


@pytest.fixture
def orders(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "orders.csv"
        path.write_bytes(text.encode(encoding))
        return read_orders(path)

    return write


def test_a_csv_gives_a_row_a_line(orders):
    found = orders(f"{HEADER}\nA-1,enq,9782764410004,epub,CA/CAD,c1,9.99\nA-2,enq,9782764410004,pdf,CA/CAD,c2,\n")
    assert found.problems == ()
    assert [line for line, _ in found.rows] == [2, 3]
    assert found.rows[0][1]["agreed_price"] == "9.99"
    assert found.rows[1][1]["agreed_price"] == ""


def test_quoted_values_may_hold_line_ends_and_lines_are_still_counted(orders):
    found = orders(f'{HEADER}\n"A\n1",enq,1,epub,CA/CAD,c1,\nA-2,enq,1,epub,CA/CAD\n')
    assert found.rows[0][1]["order_id"] == "A\n1"
    assert found.problems == ("line 4: 5 values for 7 columns",)


def test_a_bom_and_windows_line_ends_do_no_harm(orders):
    found = orders(f"\ufeff{HEADER}\r\nA-1,enq,1,epub,CA/CAD,c1,\r\n")
    assert found.rows[0][1]["order_id"] == "A-1"


def test_blank_lines_are_no_rows(orders):
    assert len(orders(f"{HEADER}\n\nA-1,enq,1,epub,CA/CAD,c1,\n\n").rows) == 1


def test_ndjson_is_known_by_its_brace(orders):
    found = orders(
        '{"order_id": "A-1", "source": "enq", "isbn": 9782764410004, "agreed_price": null}\n\n{"order_id": "A-2"}\n'
    )
    assert [line for line, _ in found.rows] == [1, 3]
    assert found.rows[0][1] == {"order_id": "A-1", "source": "enq", "isbn": "9782764410004"}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_ndjson_ends_its_lines_at_newlines_alone(orders, separator):
    found = orders(
        '{"order_id": "A-1", "last_name": "Du\u2028pont"}\n{"order_id": "A-2"}\n'.replace("\u2028", separator)
    )
    assert found.problems == ()
    assert [line for line, _ in found.rows] == [1, 2]
    assert found.rows[0][1]["last_name"] == f"Du{separator}pont"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"order_id": "A-1"}\n{broken\n', "line 2: no JSON"),
        ('{"order_id": "A-1"}\n["A-2"]\n', "line 2: not an object"),
        ('{"order": "A-1"}\n', "line 1: unknown name 'order'"),
        ('{"order_id": "A-1", "agreed_price": 9.99}\n', "line 1: agreed_price must be text"),
    ],
)
def test_a_bad_line_of_ndjson_is_named(orders, text, problem):
    [said] = orders(text).problems
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("order_id,isbn\nA-1,1\n", "no column source, format, market, customer_id"),
        (f"{HEADER},colour\n", "unknown column 'colour'"),
        (f"{HEADER},isbn\n", "column isbn twice"),
    ],
)
def test_a_file_without_the_right_columns_is_refused_whole(orders, text, says):
    with pytest.raises(UsageInvalid, match=says):
        orders(text)


def test_an_open_quote_is_named_with_the_line_it_opened_in(orders):
    [problem] = orders(f'{HEADER}\nA-1,enq,1,epub,CA/CAD,"c1,\n').problems
    assert problem.startswith("line 2: ")


def test_other_encodings_are_refused_with_what_to_do(orders):
    with pytest.raises(UsageInvalid, match="not UTF-8") as refused:
        orders(f"{HEADER}\nÉ,enq,1,epub,CA/CAD,c1,\n", encoding="latin-1")
    assert "UTF-8" in refused.value.hint


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputUnreadable, match=r"none\.csv: No such file"):
        read_orders(tmp_path / "none.csv")
