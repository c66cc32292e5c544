from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from syncengine.domain.delivery import Limit
from syncengine.domain.order import Payment, PriceRule
from syncengine.domain.territory import Market
from syncengine.errors import SettingsInvalid, UsageInvalid
from syncengine.settings import (
    GuardSettings,
    Secret,
    ServiceSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    load,
    parse_duration,
)
from syncengine.settings.lines import Lines


class ShopSettings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A kind as a distributor's folder would declare it."""

    endpoint_classes: ClassVar[frozenset[str]] = frozenset({"sale", "feed"})

    base_url: str
    organisation_id: str | None = None
    token_env: str | None = None
    page_size: int = 100
    gentle: bool = False
    grace: timedelta | None = None

    def __post_init__(self) -> None:
        if self.gentle and self.page_size > 500:
            raise ValueError("gentle and a page_size over 500 do not go together; lower page_size")


class FolderSettings(SourceSettings, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Another kind."""

    path: str


KINDS: dict[str, type[SourceSettings]] = {"shop": ShopSettings, "folder": FolderSettings}


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "syncengine.toml"
    file.write_text(text, encoding="utf-8", newline="")
    return load(file, KINDS)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        loaded(tmp_path, text)
    return list(caught.value.problems)


WHOLE = """\
[store]
url = "sqlite:state.db"

[sources.enq]
kind = "shop"
base_url = "https://shop.test/api"
organisation_id = "1234"
token_env = "ENQ_TOKEN"
timezone = "America/Toronto"
markets = ["CA/CAD", "us/usd"]
schedule = "6h"
full_every = "7d"
tax_rates = { CA = 5.10, US = "7.25", FR = 20 }
grace = "1h30min"

[sources.enq.limits]
sale = "10/s burst 5"
feed = { rate = "40/h", burst = 10 }

[sources.backlist]
kind = "folder"
path = "feeds/*.xml.gz"

[orders]
price_rule = "exact"
payment = "on_release"
release_grace = "12h"

[guards]
minimum_records = 5
removed_percent = 2.5
shrunk_percent = 50

[service]
max_passes = 3
workers = 4
log = "debug"
code_lists = "onix/issue76.json"
max_orders_per_hour = 500
max_money_per_hour = { CAD = 2500, EUR = "1999.99" }
"""


def test_a_whole_file_is_read_with_exact_types(tmp_path):
    settings = loaded(tmp_path, WHOLE)

    assert settings.directory == tmp_path
    assert settings.store.url == "sqlite:state.db"
    enq = settings.sources["enq"]
    assert isinstance(enq, ShopSettings)
    assert enq.base_url == "https://shop.test/api"
    assert enq.markets == (Market(country="CA", currency="CAD"), Market(country="US", currency="USD"))
    assert (enq.schedule, enq.full_every) == (timedelta(hours=6), timedelta(days=7))
    assert enq.grace == timedelta(minutes=90)
    assert enq.tax_rates == {"CA": Decimal("5.10"), "US": Decimal("7.25"), "FR": Decimal(20)}
    assert str(enq.tax_rates["CA"]) == "5.10"
    assert enq.limits == {
        "sale": Limit(calls=10, period_seconds=1.0, burst=5),
        "feed": Limit(calls=40, period_seconds=3600.0, burst=10),
    }
    assert isinstance(settings.sources["backlist"], FolderSettings)
    assert settings.orders.price_rule is PriceRule.EXACT
    assert settings.orders.payment is Payment.ON_RELEASE
    assert settings.orders.release_grace == timedelta(hours=12)
    assert settings.guards == GuardSettings(minimum_records=5, removed_percent=2.5, shrunk_percent=50.0)
    assert settings.service.code_lists == Path("onix/issue76.json")
    assert settings.service.max_orders_per_hour == 500
    assert settings.service.max_money_per_hour == {"CAD": Decimal(2500), "EUR": Decimal("1999.99")}


def test_an_empty_file_gives_the_defaults(tmp_path):
    settings = loaded(tmp_path, "")

    assert settings.store == StoreSettings()
    assert settings.service == ServiceSettings()
    assert settings.sources == {}


def test_all_problems_are_named_at_once_in_the_order_of_their_lines(tmp_path):
    found = problems(
        tmp_path,
        """\
[sources.enq]
kind = "shop"
timezone = "Toronto"
markets = ["CA/CAD", "XX/CAD"]
schedule = 6
colour = "red"

[sources.enq.limits]
sale = "0/s"
sael = "1/s"

[orders]
payment = "later"

[service]
workers = -1
log = "loud"

[gaurds]
""",
    )

    assert found == [
        "line 1: [sources.enq]: the key base_url is missing; add it",
        "line 3: [sources.enq] timezone: 'Toronto' is no time zone; write one like America/Toronto",
        "line 4: [sources.enq] markets[2]: 'XX/CAD' is no market; write country/currency, for example CA/CAD",
        'line 5: [sources.enq] schedule: a text is expected, not a number; write it in quotes, for example "6h"',
        "line 6: [sources.enq] colour: there is no such key; remove it or correct its name",
        (
            "line 9: [sources.enq] limits.sale: '0/s' is no rate; "
            'write calls per span, for example "10/s", "40/h burst 5"; at least 1, burst at most calls'
        ),
        "line 13: [orders] payment: one of paid, on_release is expected, not 'later'",
        "line 16: [service] workers: -1 will not do; write a whole number >= 0",
        "line 17: [service] log: one of debug, info, warning, error is expected, not 'loud'",
        "line 19: [gaurds]: there is no such key; did you mean guards?; remove it or correct its name",
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("base_url = 5", "base_url: a text in quotes is expected, not a number"),
        ('page_size = "many"', "page_size: a whole number is expected, not a text"),
        ("page_size = 1.5", "page_size: a whole number is expected, not a number"),
        ("page_size = true", "page_size: a whole number is expected, not true or false"),
        ("gentle = 1", "gentle: true or false is expected, not a number"),
        ("timezone = 1979-05-27", "timezone: a text in quotes is expected, not a date or a time"),
        ('timezone = "/etc/passwd"', "timezone: '/etc/passwd' is no time zone; write one like America/Toronto"),
        ('markets = "CA/CAD"', "markets: a list is expected, not a text; write [ … ]"),
        ('markets = ["CA/CAD", "CA/CAD"]', "markets[2]: CA/CAD is named twice; remove one"),
        ('schedule = "0s"', 'schedule: a second is the least; write a span like "6h"'),
        ("tax_rates = 5", "tax_rates: a table is expected, not a number; write { name = value, … }"),
        (
            'tax_rates = { CA = "lots" }',
            'tax_rates.CA: a number is expected; write it plainly, for example 5.5 or "5.5"',
        ),
        ("tax_rates = { CA = nan }", 'tax_rates.CA: a number is expected; write it plainly, for example 5.5 or "5.5"'),
        ("tax_rates = { CA = 120 }", "tax_rates.CA: 120 is no percentage; write a number from 0 to 100"),
        ("tax_rates = { Canada = 5 }", "tax_rates.Canada: this is no country; write its two letters, for example CA"),
        (
            'limits = { sael = "1/s" }',
            "limits.sael: there is no such class of calls; did you mean sale?; the classes are: feed, sale",
        ),
        (
            "limits = { sale = { rate = 10 } }",
            'limits.sale: a limit\'s table has a rate and a burst; write { rate = "10/s", burst = 5 }',
        ),
        (
            'token = "abc"',
            "token: a secret never stands in this file; name where it is with token_env or token_file",
        ),
        ("gentle = true\npage_size = 501", ": gentle and a page_size over 500 do not go together; lower page_size"),
    ],
)
def test_a_bad_value_is_named_with_what_to_write(tmp_path, keys, expected):
    base = "" if keys.startswith("base_url") else 'base_url = "https://shop.test"\n'
    found = problems(tmp_path, f'[sources.enq]\nkind = "shop"\n{base}{keys}\n')

    assert [expected] == [problem.split("[sources.enq]", 1)[1].removeprefix(" ") for problem in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[guards]\nremoved_percent = 101",
            "line 2: [guards] removed_percent: 101 will not do; write a number <= 100.0",
        ),
        ("[guards]\nremoved_percent = nan", "line 2: [guards] removed_percent: an ordinary number is expected"),
        (
            "[service]\nmax_orders_per_hour = 0",
            "line 2: [service] max_orders_per_hour: 0 will not do; write a whole number >= 1",
        ),
        (
            "[service]\nmax_money_per_hour = { CAD = 0 }",
            (
                "line 2: [service] max_money_per_hour.CAD: an amount above 0 is expected; "
                "leave the currency out to have no bound"
            ),
        ),
        ('[store]\nurl = "state.db"', "line 2: [store] url: 'state.db' is no store; write \"sqlite:\" and a path"),
        ("sources = 5", "line 1: [sources]: tables named [sources.NAME] are expected, not a number"),
        (
            "[sources]\nenq = 5",
            "line 2: [sources.enq]: a table is expected, not a number; write its keys below [sources.enq]",
        ),
        ("orders = []", "line 1: [orders]: a table is expected, not a list"),
    ],
)
def test_other_tables_are_checked_too(tmp_path, text, expected):
    assert [expected] == problems(tmp_path, text)


def test_an_unknown_kind_names_the_kinds_and_the_common_keys_are_still_checked(tmp_path):
    found = problems(tmp_path, '[sources.enq]\nkind = "shopp"\nbase_url = "x"\ntimezone = "Mars"\n')

    assert found == [
        "line 2: [sources.enq] kind: 'shopp' is no kind of source; did you mean shop?; the kinds are: folder, shop",
        "line 4: [sources.enq] timezone: 'Mars' is no time zone; write one like America/Toronto",
    ]


def test_a_source_without_a_kind_is_told_so(tmp_path):
    assert problems(tmp_path, "\n[sources.enq]\n") == ["line 2: [sources.enq]: the key kind is missing; add it"]


def test_a_source_name_has_small_letters_only(tmp_path):
    found = problems(tmp_path, '[sources."My Shop"]\nkind = "folder"\npath = "x"\n')

    assert found == ["line 1: [sources.My Shop]: a source's name has small letters, digits, - and _ only; rename it"]


def test_two_sources_of_one_account_are_refused(tmp_path):
    text = '[sources.a]\nkind = "folder"\npath = "x"\n[sources.b]\nkind = "folder"\npath = "x"\nschedule = "1h"\n'

    assert problems(tmp_path, text) == [
        "line 4: [sources.b]: this is the account of [sources.a] again; keep one of them, with the markets of both"
    ]
    assert set(loaded(tmp_path, text.replace('"x"\nschedule', '"y"\nschedule')).sources) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[orders]\npayment = \n", "line 2, column 11: no valid TOML: Invalid value; the rest was not looked at"),
        (
            "[sources.enq]\n[sources.enq]\n",
            "line 2, column 13: no valid TOML: Cannot declare ('sources', 'enq') twice; the rest was not looked at",
        ),
        ("[orders]\nlist = [1,", "line 2: no valid TOML: Invalid value; the rest was not looked at"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_line(tmp_path, text, expected):
    assert [expected] == problems(tmp_path, text)


def test_bytes_that_are_not_utf8_are_told_with_the_line(tmp_path):
    file = tmp_path / "syncengine.toml"
    file.write_bytes(b"[store]\n# caf\xe9\n")

    with pytest.raises(SettingsInvalid) as caught:
        load(file, KINDS)

    assert caught.value.problems == ("line 2: this is not UTF-8; save the file as UTF-8",)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SettingsInvalid) as caught:
        load(tmp_path / "absent.toml", KINDS)

    assert caught.value.problems == ("there is no such file",)
    assert "run.py sandbox" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_directory_cannot_be_read(tmp_path):
    with pytest.raises(SettingsInvalid, match="cannot be read: Is a directory"):
        load(tmp_path, KINDS)


def test_windows_line_ends_change_no_line_number(tmp_path):
    found = problems(tmp_path, "[orders]\r\n\r\npayment = 5\r\n")

    assert found == ["line 3: [orders] payment: one of paid, on_release is expected, not a number"]


def test_lines_are_found_through_every_way_of_writing_toml():
    lines = Lines(
        '''\
# a comment with [brackets] and = signs
title = """
[not.a.table]
key = "no" \\""" still inside""""
[a . "b.c"]   # quoted
d.e = { f = 1, "g" = [ 1,
  2, { h = 'x]}#' } ] }
i = [
  "one", # ] no end
  \'\'\'
two\'\'\',
  1979-05-27 07:32:00,
]
[[list]]
x = 1
[[list]]
x = 2
[list.below]
y = 3
'''
    )

    expected = {
        ("title",): 2,
        ("a", "b.c"): 5,
        ("a", "b.c", "d"): 6,
        ("a", "b.c", "d", "e", "f"): 6,
        ("a", "b.c", "d", "e", "g"): 6,
        ("a", "b.c", "d", "e", "g", 1): 7,
        ("a", "b.c", "d", "e", "g", 2, "h"): 7,
        ("a", "b.c", "i"): 8,
        ("a", "b.c", "i", 0): 9,
        ("a", "b.c", "i", 1): 10,
        ("a", "b.c", "i", 2): 12,
        ("list", 0, "x"): 15,
        ("list", 1): 16,
        ("list", 1, "x"): 17,
        ("list", 1, "below", "y"): 19,
        ("list", 1, "nowhere", "z"): 16,
        ("unknown",): 1,
    }
    assert expected == {path: lines.of(path) for path in expected}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("90min", 5400),
        ("6h", 21600),
        ("7d", 604800),
        ("1h30min", 5400),
        (" 1d 2h 3min 4s ", 93784),
        ("0s", 0),
    ],
)
def test_spans_of_time_are_read(text, seconds):
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize("text", ["", "6", "h", "6m", "-1h", "1.5h", "30min1h", "1h1h", "PT6H", "99999999999d"])
def test_anything_else_is_no_span(text):
    with pytest.raises(UsageInvalid) as caught:
        parse_duration(text)

    assert "6h" in caught.value.hint


def test_a_secret_is_read_by_reference_and_never_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", " canary-1 \n")
    file = tmp_path / "token"
    file.write_text("canary-2\n", encoding="utf-8")

    secrets = [Secret.read("[sources.enq]", env="SHOP_TOKEN"), Secret.read("[sources.enq]", file=str(file))]

    assert [secret.reveal() for secret in secrets] == ["canary-1", "canary-2"]
    assert "canary" not in f"{secrets!r} {secrets[0]}"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"env": "NOT_SET"}, "the environment variable NOT_SET is not set; export it before starting"),
        ({"file": "absent"}, "the secret file absent cannot be read: No such file or directory"),
        ({"file": os.devnull}, f"the secret file {os.devnull} is empty"),
        ({}, "no secret is named; set one of the keys that end in _env or _file"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named_by_its_reference(monkeypatch, tmp_path, reference, expected):
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsInvalid) as caught:
        Secret.read("[sources.enq]", **reference)

    assert caught.value.problems == (expected,)


def test_a_secret_file_that_is_no_text_is_not_quoted(tmp_path):
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfecanary")

    with pytest.raises(SettingsInvalid) as caught:
        Secret.read("[sources.enq]", file=str(file))

    assert "canary" not in str(caught.value)
    assert "is not UTF-8 text" in str(caught.value)
