from __future__ import annotations

import os
from pathlib import Path

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.jobs.authority import foreign_owner, require_authority
from virnucpro_tasks.paths import JobPaths, new_job_id
from virnucpro_tasks.settings import Settings


def test_a_job_of_ones_own_and_one_that_is_gone_are_nobody_elses(settings: Settings) -> None:
    require_authority(make_job(settings, SAMPLE).paths, "cancel")
    assert foreign_owner(JobPaths.of(settings.store, new_job_id())) is None


def test_where_files_have_one_owner_whoever_makes_them_that_says_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make_job(settings, SAMPLE).paths
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert foreign_owner(paths) is None
    # But where this user may make no file at all the owner counts.
    monkeypatch.setattr(Path, "touch", lambda *_, **__: (_ for _ in ()).throw(PermissionError))
    with pytest.raises(JobError, match=r"submitted it; you are 12345 .*can remove it"):
        require_authority(paths, "remove")
    assert not [place for place in paths.root.parent.iterdir() if place.name.startswith(".")]
