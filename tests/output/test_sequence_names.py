from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virnucpro_tasks.output.sequence_names import bed_names, gff_names

ORDINARY = [
    b"NODE_1_length_500_cov_3.5",
    b"gi|1|ref|NC_001416.1|",
    b"k141_7",
    b"chr1",
    b"mytrack",
    b"a#b",
    b"x:1-200",
    b"100%",
    b"007",
]


@given(st.lists(st.binary(min_size=1)))
@example([b"%41", b"%", b"%4", b"%\x01", b"%2\x01", b"%%41", b"track\n", b"chrom\n", b".\n"])
def test_the_id_is_read_back(ids: list[bytes]) -> None:
    assert [unquote_to_bytes(name) for name in bed_names(ids)] == ids
    assert [unquote_to_bytes(name) for name in gff_names(ids)] == ids


@given(st.binary(min_size=1))
@pytest.mark.parametrize("of", [bed_names, gff_names])
def test_a_name_is_a_field_of_visible_ascii_without_quotes(of: type[bed_names], name: bytes) -> None:
    (written,) = of([name])
    assert re.fullmatch(rb"[!-~]+", written)
    assert b'"' not in written


def test_ordinary_ids_stay_as_they_are_in_fasta() -> None:
    assert bed_names(ORDINARY) == ORDINARY
    assert gff_names(ORDINARY[:5]) == ORDINARY[:5]


def test_gff_encodes_all_but_the_letters_of_its_specification() -> None:
    assert gff_names([b"read/1", b"a;b=c,d&e", b"100%", b"a#b", b"(x)"]) == [
        b"read%2F1",
        b"a%3Bb%3Dc%2Cd%26e",
        b"100%25",
        b"a%23b",
        b"%28x%29",
    ]


@pytest.mark.parametrize("of", [bed_names, gff_names])
def test_no_line_begins_like_a_header(of: type[bed_names]) -> None:
    headers = [b"#x", b">x", b"!x", b"@HD", b"track", b"track1", b"browser", b"visibility", b"chrom", b"."]
    encoded = [b"%23x", b"%3Ex", b"%21x", b"%40HD", b"%74rack", b"%74rack1", b"%62rowser", b"%76isibility", b"%63hrom"]
    assert of(headers) == [*encoded, b"%2E"]
