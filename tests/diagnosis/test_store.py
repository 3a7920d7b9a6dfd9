from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Status
from virnucpro_tasks.diagnosis.store import (
    check_file_system,
    check_latency,
    check_rights,
    check_store,
    rights_outcome,
    room_outcome,
)
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.users import Account, SharedFolder

STORE = Path("/store")
ANN, SERVICE, LAB = 1000, 1001, 500


def room(*, size: float = 1e12, files: int = 10**9, blocks: int = 1, inodes: int = 10**9) -> Any:
    return SimpleNamespace(f_bavail=int(size), f_frsize=1, f_blocks=blocks, f_files=inodes, f_favail=files)


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (room(), Status.OK, "1.0 TB free"),
        (room(size=9e9), Status.WARNING, "9.0 GB free"),
        (room(size=0), Status.FAILED, "0 B free"),
        (room(files=99_999), Status.WARNING, "99,999 inodes free"),
        (room(files=1), Status.FAILED, "1 inode free"),
        (room(size=0, blocks=0, files=0, inodes=0), Status.OK, "writable"),
    ],
)
def test_room_in_bytes_and_inodes(found: Any, status: Status, words: str) -> None:
    outcome = room_outcome(STORE, found)
    assert outcome.status is status and words in outcome.detail
    assert bool(outcome.advice) is (status is not Status.OK)


def rights(mode: int, *, worker: ProcessFacts, umask: int = 0o002, uid: int = ANN, owner: int = SERVICE) -> Status:
    outcome = rights_outcome(
        STORE,
        SharedFolder(owner, LAB, mode),
        Account(uid, (uid, LAB)),
        umask=umask,
        group=uid,
        workers={"embed-gpu0@host": worker},
    )
    assert bool(outcome.advice) is (outcome.status is not Status.OK)
    return outcome.status


def service(umask: int = 0o002, groups: tuple[int, ...] = (LAB, SERVICE)) -> ProcessFacts:
    return ProcessFacts(uid=SERVICE, groups=groups, umask=umask)


def test_users_of_a_group_share_a_store_that_hands_on_its_group() -> None:
    assert rights(0o2775, worker=service()) is Status.OK
    assert rights(0o2775, worker=service(groups=(SERVICE, LAB))) is Status.OK
    # What a worker writes with umask 022 he can read, and not delete.
    assert rights(0o2775, worker=service(umask=0o022)) is Status.WARNING
    # A client with umask 022 makes jobs that the worker may not write.
    assert rights(0o2775, worker=service(), umask=0o022) is Status.FAILED
    # A worker with umask 077 writes what the client may not read.
    assert rights(0o2775, worker=service(umask=0o077)) is Status.FAILED
    assert rights(0o2775, worker=service(groups=(SERVICE,))) is Status.FAILED
    # Without setgid a job has the first group of its maker.
    assert rights(0o775, worker=service()) is Status.FAILED
    assert rights(0o755, worker=service()) is Status.FAILED


def test_one_user_and_workers_that_tell_no_user_share_any_store() -> None:
    assert rights(0o700, worker=ProcessFacts(uid=ANN), owner=ANN, umask=0o077) is Status.OK
    assert rights(0o700, worker=ProcessFacts(), owner=ANN, umask=0o077) is Status.OK
    assert rights(0o700, worker=ProcessFacts(uid=0), owner=ANN, umask=0o022) is Status.OK
    assert rights(0o775, worker=ProcessFacts(), owner=ANN) is Status.WARNING


def test_the_checks_of_a_store_leave_nothing_in_it(tmp_path: Path) -> None:
    deployment = Deployment(Settings(store=tmp_path, broker_url="redis://127.0.0.1:1/0"), make_app)
    for check in (check_store, check_rights, check_latency, check_file_system):
        assert check(deployment).status in (Status.OK, Status.WARNING)
    assert list(tmp_path.iterdir()) == []
    assert check_latency(deployment).values["seconds"] > 0
