"""Code lists as data: what they know, where they come from, and that another file takes their place without code."""

import json
import pickle
import subprocess
import sys

import pytest

from syncengine.domain.frame import FrameIndex, KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import Noted, WarningKind
from syncengine.errors import InputUnreadable, SettingsInvalid, UsageInvalid
from syncengine.onix.codelists import LIST_OF_ELEMENT, CodeList, CodeLists, convert, load, standard
from syncengine.onix.fingerprint import vocabulary_seed
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import Reading, parse
from tests.records import CLOSING, REFERENCE_30, context, record

SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<!--
	*      ISSUE: 76                    *
	*    Release date: 2027-01-18       *
	2026-10-12: Module based upon Code lists Issue 75
-->
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
	<xs:simpleType name="List65">
		<xs:annotation><xs:documentation source="ONIX Code List 65">Product  availability</xs:documentation></xs:annotation>
		<xs:restriction base="xs:string">
			<xs:enumeration value="20">
				<xs:annotation>
					<xs:documentation>Available</xs:documentation>
					<xs:documentation>A note that is not kept</xs:documentation>
				</xs:annotation>
			</xs:enumeration>
			<xs:enumeration value="99"><xs:annotation><xs:documentation>A &amp; B</xs:documentation></xs:annotation></xs:enumeration>
		</xs:restriction>
	</xs:simpleType>
	<xs:simpleType name="List88"><xs:restriction base="xs:string"/></xs:simpleType>
	<xs:simpleType name="TextFormatCode"><xs:restriction base="xs:string"><xs:enumeration value="html"/></xs:restriction></xs:simpleType>
</xs:schema>
"""

SMALL = CodeLists(
    issue=76,
    released="2027-01-18",
    lists={65: CodeList(name="Product availability", codes={"20": "Available", "77": "Somewhere"})},
)


@pytest.fixture
def schema(tmp_path):
    path = tmp_path / "ONIX_BookProduct_CodeLists.xsd"
    path.write_text(SCHEMA, encoding="utf-8")
    return path


# --- what is shipped


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (1, "03", "Notification confirmed on publication"),
        (65, "20", "Available"),
        (64, "04", "Active"),
        (175, "E101", "EPUB"),
        (91, "CA", "Canada"),
        (49, "WORLD", "World"),
        (54, "IP", "Available"),
        (65, "ZZ", None),
        (999, "01", None),
    ],
)
def test_a_code_has_the_name_that_its_list_gives_it(number, code, name):
    assert name == standard().name(number, code)
    assert (name is not None) is standard().knows(number, code)


@pytest.mark.parametrize(
    ("element", "number"),
    [
        ("ProductAvailability", 65),
        ("PublishingStatus", 64),
        ("MarketPublishingStatus", 68),
        ("PriceType", 58),
        ("DateFormat", 55),
        ("CountriesIncluded", 91),
        ("RegionsExcluded", 49),
        ("ProductForm", 150),
        ("AvailabilityCode", 54),
        ("IDValue", None),
        ("Nonsense", None),
    ],
)
def test_an_element_s_list_is_known_by_its_reference_name(element, number):
    assert number == standard().list_of(element)


def test_every_list_that_an_element_names_is_shipped():
    without_codes, empty_in_both = {63, 88}, set(LIST_OF_ELEMENT.values()) - set(standard().lists)
    assert without_codes == empty_in_both


def test_lists_that_are_only_of_release_21_keep_their_own_issue():
    codes = standard()
    assert (75, 75, 27) == (codes.issue, codes.issue_of(65), codes.issue_of(7))


def test_version_follows_the_content_and_not_the_order_of_its_codes():
    turned = CodeLists(
        issue=76,
        released="2027-01-18",
        lists={65: CodeList(name="Product availability", codes={"77": "Somewhere", "20": "Available"})},
    )
    renamed = CodeLists(issue=76, released="2027-01-18", lists={65: CodeList(name="Other", codes={"20": "Available"})})
    assert SMALL.version == turned.version != renamed.version
    assert SMALL.version.startswith("76-")


# --- another file


def test_lists_go_into_a_file_and_come_back(tmp_path):
    path = tmp_path / "codes.json"
    path.write_bytes(SMALL.dump())
    assert SMALL.version == load(path).version
    assert "Somewhere" == load(path).name(65, "77")


def test_the_shipped_file_is_written_as_every_other_is(tmp_path):
    path = tmp_path / "codes.json"
    path.write_bytes(standard().dump())
    assert standard().version == load(path).version
    assert json.loads(path.read_bytes())["lists"]["65"]["codes"]["20"] == "Available"


def test_lists_are_sent_to_another_process_whole():
    assert SMALL.version == pickle.loads(pickle.dumps(SMALL)).version


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "this is no file of code lists: Input data was truncated"),
        ('{"issue": 76, "released": "2027-01-18", "lists": {"65": {"name": "\xe9"}}}', "'utf-8' codec can't decode"),
        ("<xs:schema/>", "this is no file of code lists: JSON is malformed"),
        ("[]", "this is no file of code lists: Expected `object`, got `array`"),
        ('{"released": "2027-01-18", "lists": {"1": {"name": "x", "codes": {}}}}', "missing required field `issue`"),
        ('{"issue": "76", "released": "2027-01-18", "lists": {}}', "Expected `int`, got `str` - at `$.issue`"),
        ('{"issue": 0, "released": "2027-01-18", "lists": {}}', "Expected `int` >= 1 - at `$.issue`"),
        ('{"issue": 76, "released": "soon", "lists": {}}', "at `$.released`"),
        ('{"issue": 76, "released": "2027-01-18", "lists": {}}', "at `$.lists`"),
        (
            '{"issue": 76, "released": "2027-01-18", "lists": {"65": {"name": "x"}}}',
            "missing required field `codes` - at `$.lists[...]`",
        ),
        (
            '{"issue": 76, "released": "2027-01-18", "lists": {"65": {"name": "x", "codes": {"20": 1}}}}',
            "Expected `str`, got `int` - at `$.lists[...].codes[...]`",
        ),
        (
            '{"issue": 76, "released": "2027-01-18", "lists": {"List65": {"name": "x", "codes": {}}}}',
            "Expected `int`, got `str`",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_and_the_reason(tmp_path, content, problem):
    path = tmp_path / "codes.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(SettingsInvalid) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert problem in str(refused.value)
    assert "run.py codelists convert" in refused.value.hint


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(SettingsInvalid, match="cannot be read: No such file"):
        load(tmp_path / "none.json")


# --- the published schema


def test_the_schema_s_names_are_taken_and_its_notes_left(schema):
    codes = convert(schema)
    assert (76, "2027-01-18") == (codes.issue, codes.released)
    assert {65: CodeList(name="Product availability", codes={"20": "Available", "99": "A & B"})} == codes.lists


def test_lists_that_the_schema_no_longer_has_are_carried_over(schema):
    codes = convert(schema, kept=standard())
    assert ("Available", 27) == (codes.name(54, "IP"), codes.issue_of(54))
    assert ("Active", 75) == (codes.name(64, "04"), codes.issue_of(64))
    assert (None, 76) == (codes.name(65, "10"), codes.issue_of(65))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("no XML", "Start tag expected"),
        ('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>', "it names no lists"),
        (SCHEMA.replace("ISSUE: 76", "").replace("Issue 75", ""), "it names no issue"),
        (SCHEMA.replace("Release date", "Date"), "it names no release date"),
    ],
)
def test_what_is_no_code_list_schema_is_refused(tmp_path, content, why):
    path = tmp_path / "other.xsd"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageInvalid, match=why):
        convert(path)


def test_a_schema_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputUnreadable, match="No such file"):
        convert(tmp_path / "none.xsd")


# --- what they are for


def availability(code: str) -> bytes:
    return record(
        f"<ProductSupply><SupplyDetail><ProductAvailability>{code}</ProductAvailability></SupplyDetail></ProductSupply>"
    )


def test_an_unknown_code_is_kept_and_told_with_the_issue_that_does_not_have_it():
    parsed = parse(availability("77"), context())
    assert "77" == parsed.product.supplies[0].details[0].availability
    says = "code '77' is not in list 65 (ProductAvailability), Issue 75"
    assert (Noted(WarningKind.UNKNOWN_CODE, says),) == parsed.warnings


def test_a_newer_list_knows_it_without_new_code():
    assert () == parse(availability("77"), context(), Reading(codes=SMALL)).warnings


def test_a_list_that_a_file_does_not_have_finds_no_fault():
    body = record("<PublishingDetail><PublishingStatus>ZZ</PublishingStatus></PublishingDetail>")
    assert () == parse(body, context(), Reading(codes=SMALL)).warnings
    assert 1 == len(parse(body, context()).warnings)


def test_a_code_is_told_once_a_record_however_often_it_stands_there():
    body = record(
        """<DescriptiveDetail><Language><LanguageRole>01</LanguageRole><LanguageCode>xx</LanguageCode></Language>
        <Language><LanguageRole>02</LanguageRole><LanguageCode>xx</LanguageCode><CountryCode>UK</CountryCode></Language></DescriptiveDetail>
        <ProductSupply><Market><Territory><CountriesIncluded>GB UK XX</CountriesIncluded></Territory></Market></ProductSupply>"""
    )
    assert ["'UK'", "'XX'", "'xx'"] == sorted(noted.says.split()[1] for noted in parse(body, context()).warnings)


def test_a_date_s_format_is_looked_up_too():
    date = (
        '<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="77">2026</Date></PublishingDate>'
    )
    warnings = parse(record(f"<PublishingDetail>{date}</PublishingDetail>"), context()).warnings
    assert (Noted(WarningKind.UNKNOWN_CODE, "code '77' is not in list 55 (dateformat), Issue 75"),) == warnings


def test_other_lists_distrust_every_prediction():
    message = REFERENCE_30 + availability("77") + CLOSING

    def read(version: str, index: FrameIndex) -> tuple[int, int, KnownFrame | None]:
        framer = Framer(seed=vocabulary_seed(7, version), index=index)
        batch, end = framer.feed(message), framer.close()
        frames = [*batch.frames, *end.frames]
        known = KnownFrame(len(frames[0].body), frames[0].fingerprint) if frames else None
        return batch.unchanged_count, len(frames), known

    _, _, known = read(standard().version, FrameIndex())
    assert known is not None
    index = FrameIndex.of({RecordReference("r1"): known})
    assert (1, 0) == read(standard().version, index)[:2]
    assert (0, 1) == read(SMALL.version, index)[:2]


# --- the command


@pytest.fixture
def typed(root, tmp_path):
    def run(*words):
        command = [sys.executable, str(root / "run.py"), *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_command_says_which_issue_is_in_use(typed):
    done = typed("codelists", "--json")
    document = json.loads(done.stdout)
    assert (0, 75, None, standard().version) == (
        done.returncode,
        document["issue"],
        document["file"],
        document["version"],
    )
    known = next(known for known in document["lists"] if known["list"] == 65)
    assert {"list": 65, "name": "Product availability", "issue": 75, "codes": len(standard().lists[65].codes)} == known
    assert "Product availability: " in typed("codelists").stdout


def test_a_converted_schema_takes_the_place_of_the_shipped_file(typed, schema, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    assert 0 == typed("codelists", "convert", schema, "--out", folder / "codes.json").returncode
    (folder / "shop.toml").write_text('[service]\ncode_lists = "codes.json"\n', encoding="utf-8")
    document = json.loads(typed("--config", folder / "shop.toml", "codelists", "--json").stdout)
    assert (76, str(folder / "codes.json")) == (document["issue"], document["file"])


def test_the_check_of_the_settings_reads_the_code_lists(typed, tmp_path):
    (tmp_path / "syncengine.toml").write_text('[service]\ncode_lists = "none.json"\n', encoding="utf-8")
    done = typed("check-config")
    assert 2 == done.returncode
    assert "none.json" in done.stderr


def test_a_file_that_is_no_schema_is_refused_by_the_command(typed, tmp_path):
    (tmp_path / "other.xsd").write_text("<a/>", encoding="utf-8")
    done = typed("codelists", "convert", "other.xsd")
    assert (2, "") == (done.returncode, done.stdout)
    assert "other.xsd is no code-list schema" in done.stderr
