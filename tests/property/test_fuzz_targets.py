"""The fuzz targets, without the fuzzer: they hold for what it starts from, for what it once found, and for a little chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import fuzz_envelope, fuzz_framing, seeds
from tests.fuzz.__main__ import TARGETS
from tests.property.messages import Message, messages

CHECKS = {"framing": fuzz_framing.check, "envelope": fuzz_envelope.check}

ROOT = b"<ONIXMessage release='3.0'>"
FOUND = {
    "characters that UTF-32 cannot have, told once however they are cut": (
        b"\xff\xfe\x00\x00" + ROOT.decode().encode("utf-32-le") + b"ype>" * 5
    ),
    "a reference with a number too long for any character": (
        ROOT + b"<Product><RecordReference>&#" + b"9" * 5000 + b";</RecordReference></Product></ONIXMessage>"
    ),
    "a number too long for any release": b"<ONIXMessage release='&#" + b"9" * 5000 + b";'><Product/></ONIXMessage>",
    "a start tag of very many letters and no value, read but once": ROOT + b"<Product " + b"x" * 400_000 + b"/>",
    "a root of very many quotes and no value, read but once": b"<ONIXMessage " + b"'" * 400_000 + b">",
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_keeps_the_promises(target: str):
    for seed in seeds.of(target):
        CHECKS[target](seed)


@pytest.mark.parametrize("content", FOUND.values(), ids=FOUND)
def test_what_broke_a_promise_keeps_it_now(content: bytes):
    fuzz_framing.check(content)


@given(
    message=messages(junk=True), at=st.integers(0, 1 << 20), taken=st.integers(0, 30), word=st.sampled_from(seeds.WORDS)
)
def test_a_word_in_the_wrong_place_breaks_no_promise(message: Message, at: int, taken: int, word: str):
    """What the fuzzer does, from messages that it would take long to come upon."""
    at %= len(message.content) + 1
    content = message.content[:at] + word.encode() + message.content[at + taken :]
    for check in CHECKS.values():
        check(content)
