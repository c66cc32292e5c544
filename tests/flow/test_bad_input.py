"""Wrong things typed and wrong files given: a clear message, the right exit code, nothing half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">
<Header><Sender><SenderName>A</SenderName></Sender><SentDateTime>20261101</SentDateTime></Header>
<Product><RecordReference>A-1</RecordReference><NotificationType>03</NotificationType>
<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9782764410004</IDValue></ProductIdentifier>
<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm>
<ProductFormDetail>E101</ProductFormDetail></DescriptiveDetail></Product>
</ONIXMessage>
"""
CSV_HEADER = "order_id,source,isbn,format,market,customer_id\n"


@pytest.fixture
def typed(root, tmp_path):
    """Type a command in an empty folder; gives exit code, standard output and standard error."""

    def run(*words, **environment):
        done = subprocess.run(
            [sys.executable, str(root / "run.py"), *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def records(typed, tmp_path):
    return json.loads(typed("changes").stdout or "null") and [
        json.loads(line) for line in typed("changes").stdout.splitlines()
    ]


class TestFiles:
    def test_a_good_file_is_read_without_settings(self, typed, tmp_path):
        (tmp_path / "good.xml").write_text(GOOD)
        done = typed("resync", "--file", "good.xml", "--json")
        [report] = json.loads(done.stdout)["passes"]
        assert (done.returncode, report["source"], report["mode"], report["added"]) == (0, "file", "delta", 1)

    def test_a_missing_file_is_named(self, typed):
        done = typed("resync", "--file", "none.xml")
        assert done.returncode == 2
        assert "none.xml" in done.stderr
        assert "does not exist" in done.stderr

    def test_a_file_that_cannot_be_opened_is_named(self, typed, tmp_path):
        (tmp_path / "good.xml").write_text(GOOD)
        done = typed("resync", "--file", "good.xml/inner.xml")
        assert done.returncode == 2
        assert "good.xml/inner.xml" in done.stderr

    def test_a_folder_is_no_file(self, typed, tmp_path):
        (tmp_path / "folder").mkdir()
        done = typed("resync", "--file", "folder")
        assert done.returncode == 2
        assert "folder is a directory" in done.stderr

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"order_id,isbn\n1,2\n", "XML"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "XML"),
            (b"", "empty"),
            (b"<html><head><title>Sign in</title></head><body><input type='password'></body></html>", "login"),
            (b"<?xml version='1.0'?><catalog><book/></catalog>", "<catalog>"),
            (b"<?xml version='1.0'?><ONIXMessage release='1.2'><Product/></ONIXMessage>", "1.2"),
        ],
    )
    def test_what_is_no_onix_is_said_to_be_what_it_is(self, typed, tmp_path, content, says):
        (tmp_path / "odd.xml").write_bytes(content)
        done = typed("resync", "--file", "odd.xml")
        assert done.returncode == 4
        assert "odd.xml" in done.stdout + done.stderr
        assert says in done.stdout + done.stderr

    def test_a_truncated_file_gives_its_whole_records_and_exits_1(self, typed, tmp_path):
        second = GOOD.replace("A-1", "A-2").split("<Product>")[1].split("</Product>")[0]
        (tmp_path / "cut.xml").write_text(GOOD.replace("</ONIXMessage>", "<Product>" + second))
        done = typed("resync", "--file", "cut.xml", "--json")
        [report] = json.loads(done.stdout)["passes"]
        assert done.returncode == 1
        assert report["complete"] is False
        assert report["added"] == 1
        assert any("cut.xml" in says and "line" in says for says in report["warnings"])

    def test_a_broken_record_is_quarantined_and_exits_1(self, typed, tmp_path):
        (tmp_path / "bad.xml").write_text(
            GOOD.replace("</ONIXMessage>", "<Product><RecordReference>B</RecordReference><x></Product></ONIXMessage>")
        )
        done = typed("resync", "--file", "bad.xml")
        assert done.returncode == 1
        assert "1 quarantined" in done.stdout
        listed = json.loads(typed("parked", "list", "--json").stdout)
        assert [row["record_reference"] for row in listed["records"]] == ["B"]

    def test_files_and_sources_do_not_mix(self, typed):
        assert typed("resync", "enq", "--file", "x.xml").returncode == 2

    def test_a_guard_that_does_not_exist_is_named_with_those_that_do(self, typed, tmp_path):
        (tmp_path / "good.xml").write_text(GOOD)
        done = typed("resync", "--file", "good.xml", "--allow", "price_jump")
        assert done.returncode == 2
        assert "no guard price_jump" in done.stderr
        assert "price-jump" in done.stderr
        assert json.loads(typed("status", "--json").stdout)["passes"] == []


class TestSettings:
    def test_every_problem_is_told_at_once_with_its_line(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text(
            '[store]\nurl = "sqlite:s.db"\n[sources.enq]\nkind = "demarque"\nbase_urll = "https://x"\norganisation_id = "1"\n'
            'token_env = "T"\nmarkets = ["CA"]\nschedule = "often"\n[guards]\nremoved_percent = 400\n[colours]\n'
        )
        done = typed("status")
        assert done.returncode == 2
        for line in (5, 8, 9, 11, 12):
            assert f"line {line}:" in done.stderr, done.stderr
        assert not (tmp_path / "s.db").exists()

    def test_broken_toml_is_named_with_its_line(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text('[store]\nurl = "sqlite:s.db\n')
        done = typed("status")
        assert done.returncode == 2
        assert "line 2" in done.stderr

    def test_a_settings_file_that_is_named_must_be_there(self, typed):
        done = typed("--config", "none.toml", "status")
        assert done.returncode == 2
        assert "none.toml" in done.stderr

    def test_a_missing_secret_is_named_by_its_reference(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text(
            '[sources.enq]\nkind = "demarque"\nbase_url = "https://www.edenlivres.fr/api"\norganisation_id = "1"\ntoken_env = "NO_SUCH_TOKEN"\n'
        )
        done = typed("check-config")
        assert done.returncode == 2
        assert "NO_SUCH_TOKEN" in done.stderr

    def test_a_secret_shows_nowhere(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text(
            '[sources.enq]\nkind = "demarque"\nbase_url = "https://127.0.0.1:9/api"\norganisation_id = "1"\ntoken_env = "T"\ntimezone = "UTC"\n'
        )
        canary = "canary-7f3a-secret"
        for words in (("check-config", "--json"), ("status",), ("doctor",), ("resync",)):
            done = typed(*words, T=canary)
            assert canary not in done.stdout + done.stderr
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or canary.encode() not in path.read_bytes()

    def test_a_source_that_cannot_be_reached_exits_4(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text(
            '[sources.enq]\nkind = "demarque"\nbase_url = "http://127.0.0.1:9/api"\nallow_loopback_http = true\n'
            'organisation_id = "1"\ntoken_env = "T"\ntimezone = "UTC"\n'
        )
        done = typed("doctor", T="x")
        assert done.returncode == 4
        assert "127.0.0.1:9" in done.stdout

    def test_a_daemon_without_sources_says_what_to_do(self, typed):
        done = typed("daemon")
        assert done.returncode == 2
        assert "[sources.NAME]" in done.stderr


class TestOrders:
    @pytest.fixture
    def known(self, typed, tmp_path):
        (tmp_path / "good.xml").write_text(GOOD)
        assert typed("resync", "--file", "good.xml").returncode == 0

    def test_a_broken_row_is_named_and_nothing_is_taken(self, typed, known, tmp_path):
        (tmp_path / "orders.csv").write_text(
            CSV_HEADER
            + "1,file,9782764410004,epub,CA/CAD,c1\n2,file,9782764410004,epub,CANADA,c1\n3,file,978\n4,nowhere,9782764410004,epub,CA/CAD,c1\n"
        )
        done = typed("orders", "import", "orders.csv")
        assert done.returncode == 2
        for text in ("line 3", "CANADA", "line 4", "line 5", "nowhere", "nothing was taken"):
            assert text in done.stderr
        assert json.loads(typed("orders", "list", "--json").stdout)["orders"] == []

    def test_the_good_rows_are_taken_where_it_is_asked(self, typed, known, tmp_path):
        (tmp_path / "orders.csv").write_text(CSV_HEADER + "1,file,9782764410004,epub,CA/CAD,c1\n2,file\n")
        done = typed("orders", "import", "orders.csv", "--skip-bad", "--json")
        assert json.loads(done.stdout)["added"] == 1
        assert json.loads(done.stdout)["skipped"] == ["line 3: 2 values for 6 columns"]
        assert done.returncode == 1

    def test_a_file_imported_twice_adds_nothing(self, typed, known, tmp_path):
        (tmp_path / "orders.csv").write_text(CSV_HEADER + "1,file,9782764410004,epub,CA/CAD,c1\n")
        typed("orders", "import", "orders.csv")
        again = json.loads(typed("orders", "import", "orders.csv", "--json").stdout)
        assert (again["added"], again["known"]) == (0, 1)

    def test_an_id_with_other_content_is_named(self, typed, known, tmp_path):
        (tmp_path / "orders.csv").write_text(CSV_HEADER + "1,file,9782764410004,epub,CA/CAD,c1\n")
        typed("orders", "import", "orders.csv")
        (tmp_path / "orders.csv").write_text(CSV_HEADER + "1,file,9782764410004,epub,CA/CAD,c2\n")
        done = typed("orders", "import", "orders.csv")
        assert done.returncode == 2
        assert "line 2: order 1 exists with other content: customer_id c1 -> c2" in done.stderr

    def test_a_plain_file_takes_no_orders(self, typed, known):
        words = "orders add --order-id 1 --source file --isbn 9782764410004 --market CA/CAD --customer-id c --json"
        [order] = json.loads(typed(*words.split()).stdout)["orders"]
        assert (order["state"], order["reason"]) == ("REFUSED", "NO_CALLS")

    @pytest.mark.parametrize("order_id", ["B[/b]", "[red]", "[/]", "[link=x]y"])
    def test_an_id_that_looks_like_markup_is_shown_as_it_is(self, typed, known, order_id):
        words = "--source file --isbn 9782764410004 --market CA/CAD --customer-id c"
        added = typed("orders", "add", "--order-id", order_id, *words.split(), COLUMNS="200")
        listed = typed("orders", "list", COLUMNS="200")
        shown = typed("orders", "show", order_id, COLUMNS="200")
        assert (0, 0, 0) == (added.returncode, listed.returncode, shown.returncode)
        assert all(order_id in done.stdout for done in (added, listed, shown))

    @pytest.mark.parametrize(
        "words",
        [
            "orders show 99",
            "orders cancel 99",
            "orders confirm 99",
            "orders refund 99",
            "orders resolve 99 --retry",
            "orders resolve 99",
            "orders resolve --retry",
            "orders list --state SOMETIMES",
            "orders import none.csv",
            "offer 9782764410011 --market CA/CAD",
            "offer 9782764410005 --market CA/CAD",
            "offer 9782764410004 --market Canada",
            "offer 9782764410004 --market CA/CAD --at tomorrow",
            "offer 9782764410004 --market CA/CAD --at 2026-12-01",
            "offer 9782764410004 --market CA/CAD --source nowhere",
            "parked show 7",
            "parked retry r7",
            "pause nowhere",
            "resync nowhere",
            "resync",
            "resync --file x --full --delta --workers -1",
            "backup good.xml",
            "nonsense",
        ],
    )
    def test_what_cannot_be_done_is_said_with_exit_2(self, typed, known, words):
        done = typed(*words.split())
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(done.stderr.strip()) > 10


class TestStores:
    def test_a_file_that_is_no_store_is_named(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text('[store]\nurl = "sqlite:notes.txt"\n')
        (tmp_path / "notes.txt").write_text("these are notes, not a database\n" * 100)
        done = typed("status")
        assert done.returncode == 4
        assert "notes.txt" in done.stderr

    def test_another_kind_of_store_is_a_matter_of_settings(self, typed, tmp_path):
        (tmp_path / "syncengine.toml").write_text('[store]\nurl = "postgresql://x/y"\n')
        assert typed("status").returncode == 2


def test_help_is_there_for_every_command(typed):
    done = typed("--help")
    assert done.returncode == 0
    for command in (
        "resync",
        "daemon",
        "plan",
        "orders",
        "offer",
        "changes",
        "parked",
        "pause",
        "resume",
        "sandbox",
        "status",
        "doctor",
    ):
        assert command in done.stdout
