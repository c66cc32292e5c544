"""The settings of a source at CB: what is refused, what has a default, and what secrets become."""

from pathlib import Path

import pytest

from adapters.distributors import cb
from adapters.distributors.cb.names import EBOOK_NAMES, LUISTERHUIS_NAMES
from adapters.distributors.cb.routing import AUDIO, Service
from syncengine.domain.ids import Format, Isbn, SourceName
from syncengine.errors import SettingsInvalid
from syncengine.ports import World
from syncengine.settings import load
from tests.cb_products import EAN
from tests.clock import JumpClock
from tests.pace import FreePace

HEAD = """[sources.cb]
kind = "cb"
relation_id = "7414440"
markets = ["NL/EUR"]
"""
AUDIO_TABLE = """[sources.cb.luisterhuis]
base_url = "https://rest.audio.example"
username = "u"
secret_env = "CB_SECRET"
"""
EBOOK_TABLE = """[sources.cb.ebooks]
base_url = "https://services.books.example/rest"
client_id = "c"
token_url = "https://token.books.example/oauth2/token"
secret_env = "CB_SECRET"
agreement = ["in/dipragmtcs_*.xml"]
articles = ["in/*.zip"]
"""


def read(tmp_path: Path, text: str) -> cb.Settings:
    path = tmp_path / "syncengine.toml"
    path.write_text(text)
    settings = load(path, {"cb": cb.Settings}).sources["cb"]
    assert isinstance(settings, cb.Settings)
    return settings


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        read(tmp_path, text)
    return "\n".join(caught.value.problems)


def test_both_services_are_read_with_their_defaults(tmp_path):
    settings = read(tmp_path, HEAD + AUDIO_TABLE + EBOOK_TABLE)
    assert settings.luisterhuis is not None
    assert settings.ebooks is not None
    assert ("Europe/Amsterdam", 2, 100) == (
        settings.timezone,
        settings.luisterhuis.concurrency,
        settings.luisterhuis.page_size,
    )
    assert (LUISTERHUIS_NAMES, EBOOK_NAMES) == (settings.luisterhuis.wire, settings.ebooks.wire)
    assert "https://services.books.example/rest/placeOrder" == settings.ebooks.url("placeOrder")
    assert {"luisterhuis", "checkorderable", "placeorder", "getcontenturl"} == settings.endpoint_classes
    assert "5/1s" == str(settings.default_limits["luisterhuis"])


@pytest.mark.parametrize(("table", "service"), [(AUDIO_TABLE, Service.LUISTERHUIS), (EBOOK_TABLE, Service.EBOOKS)])
def test_one_service_is_enough(tmp_path, table, service):
    routing = read(tmp_path, HEAD + table).routing
    assert {service} == routing.services
    other = Format("epub") if service is Service.LUISTERHUIS else AUDIO
    assert routing.service(Isbn(EAN), other) is None


def test_an_ean_is_routed_by_itself(tmp_path):
    text = HEAD + f'route = {{ "{EAN}" = "ebooks" }}\n' + AUDIO_TABLE + EBOOK_TABLE
    routing = read(tmp_path, text).routing
    assert Service.EBOOKS is routing.service(Isbn(EAN), AUDIO)
    assert Service.LUISTERHUIS is routing.service(Isbn("9789000000015"), AUDIO)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD, "at least one is needed"),
        (HEAD.replace("7414440", " ") + AUDIO_TABLE, "relation_id is empty"),
        (HEAD + 'timezone = "Mars/Olympus"\n' + AUDIO_TABLE, "is no time zone"),
        (HEAD + 'route = { "9789000000008" = "nowhere" }\n' + AUDIO_TABLE, "luisterhuis, ebooks is expected"),
        (HEAD + AUDIO_TABLE.replace("https:", "http:"), "luisterhuis.base_url"),
        (HEAD + AUDIO_TABLE + 'key_header = "X-Key"\n', "name one way to prove who asks"),
        (HEAD + AUDIO_TABLE + 'secret_file = "s"\n', "luisterhuis: name one secret"),
        (HEAD + AUDIO_TABLE + 'secret = "s"\n', "a secret never stands in this file"),
        (HEAD + AUDIO_TABLE + 'feed_path = "v3/feed"\n', "feed_path does not begin with /"),
        (HEAD + AUDIO_TABLE + 'overlap = "1h"\n', "overlap is less than 2h"),
        (HEAD + 'check_holds = "0s"\n' + AUDIO_TABLE, "check_holds is no span above 0"),
        (HEAD + AUDIO_TABLE + "page_size = 1001\n", "page_size"),
        (HEAD + AUDIO_TABLE + 'names = { eam = "x" }\n', "names.eam is no name"),
        (HEAD + AUDIO_TABLE + 'codes = { "LHS-00001" = "what" }\n', "codes.LHS-00001 means nothing"),
        (HEAD + EBOOK_TABLE.replace("base_url", "# base_url"), "base_url is missing"),
        (HEAD + EBOOK_TABLE + 'urls = { order = "https://services.x.example" }\n', "urls.order is no operation"),
        (HEAD + EBOOK_TABLE.replace("client_id", "# client_id"), "oidc needs client_id and token_url"),
        (HEAD + EBOOK_TABLE + 'authentication = "headers"\n', "headers needs a username"),
        (HEAD + EBOOK_TABLE.replace('["in/*.zip"]', "[]"), "agreement and articles name the files"),
        (HEAD + EBOOK_TABLE + 'not_yet_codes = ["10", "20"]\n', "20 cannot be both"),
        (HEAD + 'limits = { feed = "1/s" }\n' + AUDIO_TABLE, "feed"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path, text, says):
    assert says in problems(tmp_path, text)


@pytest.mark.parametrize(
    ("environment", "host", "stated", "says"),
    [
        ("production", "stub-rest.audio.example", None, "does not look like a host of the production environment"),
        ("test", "rest.audio.example", None, "does not look like a host of the test environment"),
        ("production", "media.tst.books.example", None, "does not look like a host of the production environment"),
        ("production", "rest.audio.example", "test", "is of the test environment"),
        ("test", "stub-rest.audio.example", None, ""),
        ("production", "rest.audio.example", "production", ""),
        ("test", "127.0.0.1", "test", ""),
    ],
)
def test_credentials_of_one_world_never_go_to_the_other(tmp_path, environment, host, stated, says):
    """Contract cb 1.2."""
    table = AUDIO_TABLE.replace("rest.audio.example", host)
    table += f'environment = "{stated}"\n' if stated else ""
    text = HEAD + f'environment = "{environment}"\n' + table
    if says:
        assert says in problems(tmp_path, text)
    else:
        assert environment == read(tmp_path, text).environment


def test_a_secret_is_read_when_an_account_is_connected(tmp_path, monkeypatch):
    settings = read(tmp_path, HEAD + AUDIO_TABLE + EBOOK_TABLE)
    world = World(clock=JumpClock(), pace=FreePace(), directory=tmp_path)
    monkeypatch.delenv("CB_SECRET", raising=False)
    with pytest.raises(SettingsInvalid, match="CB_SECRET is not set"):
        cb.connect(SourceName("cb"), settings, world)
    monkeypatch.setenv("CB_SECRET", "canary")
    made = cb.connect(SourceName("cb"), settings, world)
    assert ("cb", "7414440") == (made.account.kind, made.account.organisation)
    assert "canary" not in repr(made)
    assert made.calls is not None
    assert 2 + 4 == made.calls.concurrency
    assert (2, 4) == (made.calls.concurrency_of("luisterhuis"), made.calls.concurrency_of("placeorder"))


def test_a_secret_that_would_break_a_header_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CB_SECRET", "two words")
    table = AUDIO_TABLE.replace('username = "u"', 'key_header = "X-Key"')
    world = World(clock=JumpClock(), pace=FreePace(), directory=tmp_path)
    with pytest.raises(SettingsInvalid, match="blanks") as caught:
        cb.connect(SourceName("cb"), read(tmp_path, HEAD + table), world)
    assert "two words" not in str(caught.value)


def test_every_open_point_of_the_contract_names_its_setting():
    """The table in the folder's docstring tells of settings that exist."""
    assert cb.__doc__ is not None
    for table, struct in (("luisterhuis", cb.Luisterhuis), ("ebooks", cb.Ebooks)):
        known = set(struct.__struct_fields__)
        for line in cb.__doc__.splitlines():
            if line.startswith("|") and f"`{table}." in line:
                told = {
                    word.strip("`.,;:()").removeprefix(f"{table}.")
                    for word in line.split("|")[3].split()
                    if "`" in word
                }
                named = {word for word in told if word in known}
                assert named, line
