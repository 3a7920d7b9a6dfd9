from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError, StoreError
from virnucpro_tasks.jobs import sharing
from virnucpro_tasks.jobs.rights import JobRights
from virnucpro_tasks.jobs.sharing import Submitter, job_rights
from virnucpro_tasks.system.users import Account, SharedFolder

ANN, SERVICE, LAB = 1_000, 1_001, 500


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fa"
    file.touch()
    file.chmod(0o600)
    return file


def rights(
    store: Path,
    *inputs: Path,
    mode: int,
    owner: int = ANN,
    uid: int = ANN,
    umask: int = 0o002,
    others: bool | None = None,
    shares: bool = False,
) -> JobRights:
    who = Submitter(Account(uid, (uid, LAB)), umask, uid, shares, lambda: others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing.SharedFolder, "at", lambda _: SharedFolder(owner, LAB, mode))
        return job_rights(store, inputs, who)


@pytest.mark.parametrize(
    ("mode", "others", "is_shared"),
    [
        (0o755, None, False),  # nobody else could write there
        (0o755, True, False),
        (0o775, None, False),  # as a umask of 002 makes each folder
        (0o775, False, False),
        (0o775, True, True),
        (0o2775, None, True),  # set up for a group
        (0o2775, False, False),  # for that of a user whose workers are himself
        (0o2775, True, True),
    ],
)
def test_workers_are_others_where_the_store_is_made_for_that_or_they_say_so(
    store: Path, private: Path, mode: int, others: bool | None, is_shared: bool
) -> None:
    if not is_shared:
        assert rights(store, private, mode=mode, others=others) == JobRights(0o700)
        return
    with pytest.raises(InputError, match="--share-input"):
        rights(store, private, mode=mode, others=others)
    with pytest.raises(StoreError, match="type: umask 002"):
        rights(store, private, mode=mode, others=others, umask=0o022, shares=True)


def test_a_shared_job_is_open_to_its_group_and_to_nobody_else(store: Path, private: Path) -> None:
    assert rights(store, private, mode=0o2775, shares=True) == JobRights(0o770, LAB)
    assert rights(store, mode=0o2775) == JobRights(0o777, LAB)
    # Where the store does not hand on its group it is that of the user.
    assert rights(store, private, mode=0o1777, owner=SERVICE, shares=True) == JobRights(0o770, ANN, sets_group=True)


def test_workers_are_asked_only_if_that_decides_something(store: Path) -> None:
    def ask() -> bool:
        raise AssertionError

    who = Submitter(Account(ANN, (ANN, LAB)), 0o002, ANN, workers_are_others=ask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing.SharedFolder, "at", lambda _: SharedFolder(SERVICE, LAB, 0o2775))
        assert job_rights(store, [], who).group == LAB


def test_root_in_the_store_of_another_user_is_refused_only_if_workers_are_not_root(store: Path) -> None:
    assert rights(store, mode=0o755, owner=SERVICE, uid=0, others=None) == JobRights(0o777)
    with pytest.raises(StoreError, match="chmod 2775"):
        rights(store, mode=0o755, owner=SERVICE, uid=0, others=True)


def test_a_store_that_is_not_there_yet_is_of_who_makes_it(tmp_path: Path, private: Path) -> None:
    assert job_rights(tmp_path / "new", [private], Submitter.here()) == JobRights(0o700)
