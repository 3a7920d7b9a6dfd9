from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import InputError, StoreError
from virnucpro_tasks.jobs.room import Room, require_room, room_of, shards_of
from virnucpro_tasks.jobs.room_for_copies import require_room_for_copies
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import shard_token_budget

ROOM = Room(store_bytes=2_000_000_000, kept_bytes=300_000_000, files=500, redis_bytes=0)


def free(monkeypatch: pytest.MonkeyPatch, *, size: int, files: int = 1_000, blocks: int = 1, inodes: int = 1) -> None:
    """A file system with so many bytes and files free, which tells its `blocks` and `inodes` unless they are 0."""
    told = SimpleNamespace(f_bavail=size, f_frsize=1, f_blocks=blocks, f_files=inodes, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: told)


def test_what_is_computed_more_needs_more_room(settings: Settings) -> None:
    plain, kept, both = (
        room_of(make_job(settings, SAMPLE, chunk_length=400, **more))
        for more in ({}, {"keep_embeddings": True}, {"both_strands": True})
    )
    assert plain.store_bytes < both.store_bytes and plain.kept_bytes < kept.kept_bytes <= kept.store_bytes
    assert plain.kept_bytes < plain.store_bytes
    tiny = room_of(make_job(replace(settings, shard_tokens=1), SAMPLE))
    assert 10 < tiny.redis_bytes / plain.redis_bytes < 20


def test_a_long_record_is_estimated_by_its_beginning(settings: Settings, tmp_path: Path) -> None:
    frame = "GCC" * 200_000
    once, often = tmp_path / "once.fasta", tmp_path / "often.fasta"
    once.write_text(f">a\n{frame}\n")
    often.write_text(f">a\n{frame * 5}\n")
    small, large = (room_of(make_job(settings, path)) for path in (once, often))
    vectors = small.store_bytes - small.kept_bytes
    assert 4.8 * vectors < large.store_bytes - large.kept_bytes < 5.2 * vectors


def test_compressed_and_unreadable_inputs(settings: Settings, tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "packed.fasta.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert 0.5 < room_of(make_job(settings, packed)).store_bytes / room_of(make_job(settings, SAMPLE)).store_bytes < 2
    job = make_job(settings, packed)
    job.paths.input(0).write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(InputError, match="ends early"):
        room_of(job)


@pytest.mark.parametrize("tokens", [0, 99, 1_000, 200_000, 400_000, 10**8])
def test_shards_grow_as_they_do_in_splitting(tokens: int) -> None:
    cut, left = 0, tokens
    while left > 0:
        left -= shard_token_budget(cut, first_budget=100)
        cut += 1
    assert 0 <= shards_of(tokens, first_budget=100) - cut <= 1


def test_a_store_without_room_is_refused_with_numbers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(settings, SAMPLE)
    free(monkeypatch, size=2_000_000_000)
    require_room(job, ROOM)
    free(monkeypatch, size=1_999_999_999)
    with pytest.raises(StoreError, match=r"2\.0 GB free.*about 2\.0 GB.*300\.0 MB afterwards.*prune.*--anyway"):
        require_room(job, ROOM)
    free(monkeypatch, size=3_000_000_000, files=499)
    with pytest.raises(StoreError, match=r"takes 499 more files \(inodes\).*about 500"):
        require_room(job, ROOM)
    # File systems that do not count
    free(monkeypatch, size=0, blocks=0, files=0, inodes=0)
    require_room(job, ROOM)


def test_copies_are_refused_and_links_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, size=10)
    require_room_for_copies(tmp_path / "not made yet" / "store", [SAMPLE.parent / "absent", tmp_path, Path("-")])
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system alone")
    with pytest.raises(StoreError, match="which are copied into it"):
        require_room_for_copies(elsewhere, [SAMPLE])


def test_segments_are_counted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(settings, SAMPLE)
    plain = room_of(job)
    monkeypatch.setattr(type(job.spec.parameters), "has_segments", property(lambda self: True))
    assert room_of(job).store_bytes > plain.store_bytes
    assert job.spec.parameters.coverage is Coverage.FRAMES
