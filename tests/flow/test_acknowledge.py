"""`resync --acknowledge`: the acknowledgement that a pass leaves behind, by the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from lxml import etree

NAMESPACE = "{http://ns.editeur.org/onix/acknowledgement/3.0/reference}"
MESSAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">
<Header><Sender><SenderName>Acme</SenderName></Sender><MessageNumber>7</MessageNumber><SentDateTime>20261101</SentDateTime></Header>
{records}
</ONIXMessage>
"""
GOOD = """<Product><RecordReference>{reference}</RecordReference><NotificationType>03</NotificationType>
<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9782764410004</IDValue></ProductIdentifier>
<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm>
<ProductFormDetail>E101</ProductFormDetail></DescriptiveDetail></Product>"""
BROKEN = "<Product><RecordReference>B-1</RecordReference><x></Product>"
TEST = GOOD.replace(">03<", ">89<")


@pytest.fixture
def typed(root, tmp_path):
    """Type a command in an empty folder; gives exit code, standard output and standard error."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, str(root / "run.py"), *map(str, words)],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def message(tmp_path):
    """Write a message with these records; gives its path."""

    def write(*records, name="message.xml"):
        path = tmp_path / name
        path.write_text(MESSAGE.format(records="".join(records)))
        return path

    return write


def written(path):
    return etree.parse(path).getroot()


def texts(root, where):
    return [found.text for found in root.iterfind("/".join(NAMESPACE + name for name in where.split("/")))]


def test_a_clean_pass_is_acknowledged_without_products(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"))
    done = typed("resync", "--file", "message.xml", "--acknowledge", "ack.xml")
    assert done.returncode == 0
    root = written(tmp_path / "ack.xml")
    assert ["SyncEngine file"] == texts(root, "Header/Sender/SenderName")
    assert ["Acme"] == texts(root, "Header/Addressee/AddresseeName")
    assert ["03"] == texts(root, "Header/MessageStatus")
    assert ["1", "0", "0"] == texts(root, "Header/RecordStatusSummary/NumberOfRecords")
    assert root.find(f"{NAMESPACE}NoProduct") is not None
    [says] = texts(root, "Header/MessageStatusDetail/StatusDetailText")
    assert "number 7" in says
    assert str(tmp_path) not in says


def test_records_that_are_not_clean_are_reported(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"), BROKEN, TEST.format(reference="T-1"))
    done = typed("resync", "--file", "message.xml", "--acknowledge", "ack.xml", "--json")
    assert done.returncode == 1
    [report] = json.loads(done.stdout)["passes"]
    assert (1, 1, 1) == (report["added"], report["quarantined"], report["ignored"])
    root = written(tmp_path / "ack.xml")
    assert ["02"] == texts(root, "Header/MessageStatus")
    assert ["2", "0", "1"] == texts(root, "Header/RecordStatusSummary/NumberOfRecords")
    told = dict(zip(texts(root, "Product/RecordReference"), texts(root, "Product/RecordStatus"), strict=True))
    assert {"B-1": "03", "T-1": "00"} == told
    assert {"F", "I"} == set(texts(root, "Product/RecordStatusDetail/StatusDetailType"))


def test_a_pass_that_is_refused_as_a_whole_is_acknowledged_as_rejected(typed, tmp_path):
    (tmp_path / "odd.xml").write_text("<html><body><input type='password'></body></html>")
    done = typed("resync", "--file", "odd.xml", "--acknowledge", "ack.xml")
    assert done.returncode == 4
    root = written(tmp_path / "ack.xml")
    assert ["01"] == texts(root, "Header/MessageStatus")
    assert "broken_off" in texts(root, "Header/MessageStatusDetail/StatusDetailCode")


def test_a_dry_run_is_acknowledged_as_one_and_changes_nothing(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"), BROKEN)
    done = typed("resync", "--file", "message.xml", "--dry-run", "--acknowledge", "ack.xml")
    assert "nothing of this was applied" in done.stdout
    root = written(tmp_path / "ack.xml")
    assert ["dry run: nothing of this was applied"] == texts(root, "Header/MessageNote")
    assert ["B-1"] == texts(root, "Product/RecordReference")
    assert typed("changes").stdout == ""


def test_the_acknowledgement_of_the_next_pass_replaces_it(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"), BROKEN)
    typed("resync", "--file", "message.xml", "--acknowledge", "ack.xml")
    message(GOOD.format(reference="A-1"))
    assert typed("resync", "--file", "message.xml", "--acknowledge", "ack.xml").returncode == 0
    assert ["03"] == texts(written(tmp_path / "ack.xml"), "Header/MessageStatus")


def test_an_acknowledgement_is_not_read_as_a_message(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"))
    typed("resync", "--file", "message.xml", "--acknowledge", "ack.xml")
    done = typed("resync", "--file", "ack.xml")
    assert done.returncode == 4
    assert "acknowledgement" in done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [("none/ack.xml", "none/ack.xml"), ("message.xml", "is no acknowledgement")],
    ids=["no such folder", "the message itself"],
)
def test_a_name_that_cannot_be_written_to_stops_it_before_anything_is_read(typed, message, tmp_path, name, says):
    path = message(GOOD.format(reference="A-1"))
    before = path.read_text()
    done = typed("resync", "--file", "message.xml", "--acknowledge", name)
    assert done.returncode == 2
    assert says in done.stderr
    assert before == path.read_text()
    assert typed("changes").stdout == ""


def test_two_sources_leave_two_acknowledgements(typed, message, tmp_path):
    message(GOOD.format(reference="A-1"), name="a.xml")
    message(GOOD.format(reference="B-1"), BROKEN, name="b.xml")
    tables = [f'[sources.{name}]\nkind = "onix"\npath = "{name}.xml"\n' for name in "ab"]
    (tmp_path / "syncengine.toml").write_text("".join(tables))
    typed("resync", "--acknowledge", "ack.xml")
    names = sorted(path.name for path in tmp_path.glob("ack*"))
    assert ["ack-a-files.xml", "ack-b-files.xml"] == names
    assert ["03", "02"] == [texts(written(tmp_path / name), "Header/MessageStatus")[0] for name in names]
