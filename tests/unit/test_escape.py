"""Untrusted text: whatever goes in, a terminal and a log see one harmless line."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farpool_common.escape import printable

ANYTHING = st.text(st.characters(exclude_categories=())) | st.binary()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ümläute, 漢字 and 🙂", "plain text, ümläute, 漢字 and 🙂"),
        ("\x1b[2J", "\\x1b[2J"),
        ("one\ntwo\r\tthree", "one\\x0atwo\\x0d\\x09three"),
        ("\x00\x7f\x9b\xad", "\\x00\\x7f\\x9b\\xad"),
        ("\u2028\u2029\u202e\u2066\u200b", "\\u2028\\u2029\\u202e\\u2066\\u200b"),
        ("\ud800\U000e0041", "\\ud800\\U000e0041"),
        (b"caf\xc3\xa9 \xff\n", "café \\xff\\x0a"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_spelled_out(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


def test_every_character_becomes_printable_and_encodable() -> None:
    for code in range(sys.maxunicode + 1):
        shown = printable(chr(code))
        assert shown.isprintable(), hex(code)
        shown.encode()


@given(ANYTHING)
def test_any_text_becomes_one_printable_line(text: str | bytes) -> None:
    shown = printable(text, 20)
    assert shown.isprintable()
    assert len(shown) < 20 * 10 + 40


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 10_000, 10) == "x" * 10 + "... (10,000 in all)"
    assert printable(b"x" * 10_000, 10) == "x" * 10 + "... (10,000 in all)"
    assert printable("漢".encode() * 10, 10) == "漢" * 10
