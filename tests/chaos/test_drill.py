from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli.snapshots import split

from virnucpro_tasks.chaos.drill import _require_done
from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.jobs.progress import JobState


def test_an_input_that_fails_undisturbed_is_the_error_of_the_drill() -> None:
    done = split(JobState.DONE, shards_done=31, tokens_done=1)
    _require_done(done, Path("x.fasta"))
    failed = replace(done, state=JobState.FAILED, message="no valid record", exit_code=ExitCode.BAD_INPUT)
    with pytest.raises(InputError, match=r"x\.fasta: no valid record") as raised:
        _require_done(failed, Path("x.fasta"))
    assert raised.value.exit_code == ExitCode.BAD_INPUT
