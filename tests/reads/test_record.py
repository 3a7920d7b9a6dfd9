"""Limits, letters, and printable text for messages."""

from __future__ import annotations

import pytest

from virnucpro_tasks.reads.letters import LETTERS, UPPER_DNA
from virnucpro_tasks.reads.record import (
    SHOWN_CHARACTERS,
    Limits,
    illegal_letter,
    record_id_of,
    shown,
)


def test_upper_case_and_rna() -> None:
    assert b"acgtnryUu".translate(UPPER_DNA) == b"ACGTNRYTT"


def test_every_iupac_letter_is_legal_in_both_cases() -> None:
    assert illegal_letter(LETTERS + LETTERS.lower() + b"Uu \t\n", line=1) == ""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"ACGT\nAC-T", "illegal character '-' on line 8: a gap"),
        (b"ACGT.", "illegal character '.' on line 7: a gap"),
        (b"\n\nAC\0", "illegal character '\\x00' on line 9: a NUL byte"),
        (b"MLEKKW", "illegal character 'L' on line 7: this looks like protein"),
        (b"MK*", "illegal character '*' on line 7: a stop, so this looks like protein"),
        (b"ACXX", "illegal character 'X' on line 7: write N"),
        (b"AC 60 GT", "illegal character '6' on line 7: remove the numbers"),
        (b"AC>GT", "illegal character '>' on line 7: a header"),
        (b"AC\xe9", "illegal character byte 0xe9 on line 7"),
    ],
)
def test_first_illegal_character_is_named(body: bytes, message: str) -> None:
    assert illegal_letter(body, line=7).startswith(message)


@pytest.mark.parametrize(
    ("header", "record_id"),
    [
        (b"a b c", b"a"),
        (b"a\tb", b"a"),
        (b"  a b", b"a"),
        (b"", b""),
        (b" \t", b""),
        (b"\xff\xfe|x y", b"\xff\xfe|x"),
        (b"a\xc2\xa0b", b"a\xc2\xa0b"),
        (b"x" * 10_000 + b" y", b"x" * 10_000),
        (b"x" * 70_000, b"x" * 1_024),
    ],
)
def test_record_id(header: bytes, record_id: bytes) -> None:
    assert record_id_of(header, Limits()) == record_id


def test_shown_text_is_short_and_without_control_characters() -> None:
    assert shown(b"plain|id") == "plain|id"
    assert shown(b"\x1b[31mred\n\0") == "\\x1b[31mred\\n\\x00"
    assert shown(b"\xff") == "\\xff"
    assert len(shown(b"x" * 5_000_000)) == SHOWN_CHARACTERS
    assert shown("\u202egnp.exe".encode()) == "\\u202egnp.exe"
