from __future__ import annotations

import json

import pytest

from virnucpro_tasks.cli.messages import bundle_line, print_json, require_chunk_length, say
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.models.locate import demo_bundle


def test_json_goes_to_standard_output_and_messages_to_standard_error(capsys: pytest.CaptureFixture) -> None:
    print_json({"one": 1})
    say("two")
    say("three", quiet=True)
    shown = capsys.readouterr()
    assert (json.loads(shown.out), shown.err) == ({"one": 1}, "two\n")


def test_the_line_about_a_bundle_names_its_models() -> None:
    line = bundle_line(demo_bundle())
    assert line.startswith("demonstration (DEMONSTRATION): DNABERT-S") and "ESM-2" in line


@pytest.mark.parametrize(
    ("chunk_length", "quiet", "warned"),
    [(None, False, False), (500, False, False), (300, False, True), (300, True, False)],
)
def test_a_warning_for_chunks_of_another_length(
    chunk_length: int | None, quiet: bool, warned: bool, capsys: pytest.CaptureFixture
) -> None:
    require_chunk_length(chunk_length, demo_bundle(), allow_mismatch=True, quiet=quiet)
    assert bool(capsys.readouterr().err) == warned


@pytest.mark.parametrize("chunk_length", [300, 501])
def test_chunks_of_another_length_are_refused(chunk_length: int) -> None:
    with pytest.raises(SettingsError, match=f"chunks of {chunk_length} bases, but the head was trained on 500"):
        require_chunk_length(chunk_length, demo_bundle(), allow_mismatch=False)
    require_chunk_length(None, demo_bundle(), allow_mismatch=False)
    require_chunk_length(500, demo_bundle(), allow_mismatch=False)
