from __future__ import annotations

import random
import re

import pytest

from virnucpro_tasks.output.natural_order import natural_keys
from virnucpro_tasks.reads.letters import WHITE_SPACE


def natural_key(record_id: bytes) -> bytes:
    return natural_keys([record_id])[0]


def expected_key(record_id: bytes) -> list[int | bytes]:
    """Text and numbers in turn, as natural order is usually written down."""
    parts = re.split(rb"([0-9]+)", record_id.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def test_numbers_in_ids_compare_as_numbers() -> None:
    ids = [b"NODE_1", b"NODE_2_length_9", b"node_2_length_10", b"NODE_10", b"NODE_10a", b"NODES", b"x"]
    assert sorted(reversed(ids), key=natural_key) == ids


def test_leading_zeros_and_case_make_no_difference() -> None:
    assert natural_key(b"contig_007") == natural_key(b"Contig_7") != natural_key(b"contig_70")


@pytest.mark.parametrize("alphabet", [bytes(range(256)), b"a0129", b"\0\1\2\x03a09", b"Aa_.-10", b"Aa_.1234"])
def test_any_bytes_sort_as_their_texts_and_numbers_do(alphabet: bytes) -> None:
    letters = [letter for letter in alphabet if letter not in WHITE_SPACE]
    chosen = random.Random(0)
    ids = [bytes(chosen.choices(letters, k=chosen.randrange(12))) for _ in range(5_000)]
    keys = natural_keys(ids)
    # Few ids, and many, are written in different ways.
    assert keys == list(map(natural_key, ids))
    known = dict(zip(ids, keys, strict=True))
    assert sorted(ids, key=known.__getitem__) == sorted(ids, key=expected_key)
    assert keys == [key for start in range(0, len(ids), 50) for key in natural_keys(ids[start : start + 50])]
    assert not set(WHITE_SPACE) & set(b"".join(keys))
    assert natural_keys([]) == []


def test_ids_of_ten_thousand_digits_are_numbers_too() -> None:
    long, longer = b"9" * 9_999, b"1" + b"0" * 9_999
    assert sorted([longer + b"a", b"10", longer, long, b"0" * 10_000], key=natural_key) == [
        b"0" * 10_000,
        b"10",
        long,
        longer,
        longer + b"a",
    ]
