"""What is loaded is what was hashed, and large files are hashed once."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import pytest

from virnucpro_tasks.errors import BundleError, ExitCode
from virnucpro_tasks.models import file_state, verification
from virnucpro_tasks.models.bundle import Bundle, read_bundle
from virnucpro_tasks.models.file_state import DigestCache, FileState, hash_file, state_of
from virnucpro_tasks.models.locate import demo_bundle, find_bundle, locate_bundle
from virnucpro_tasks.models.verification import loading, read_part, verify_bundle, verify_once

MEMBERS = sorted(demo_bundle().description.sha256)
WEIGHTS = "esm2/model.safetensors"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return read_bundle(Path(shutil.copytree(demo_bundle().path, tmp_path / "bundle")))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Files count as large and as written long ago, in a process of its own; returns what is hashed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(file_state, "LARGE_BYTES", 0)
    monkeypatch.setattr(file_state, "RACY_SECONDS", -10.0)
    monkeypatch.setattr(verification, "_known", DigestCache())
    hashed: list[str] = []
    hash_file = verification.hash_file
    monkeypatch.setattr(
        verification, "hash_file", lambda path, stop: (hashed.append(path.name), hash_file(path, stop))[1]
    )
    return hashed


def flip(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_handles_that_go_stale_for_a_moment_are_no_damage(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()

    def every_other_time(call: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **options: Any) -> Any:
            if next(calls) % 2:
                return call(*arguments, **options)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

        return function

    for name in ("open", "is_file"):
        monkeypatch.setattr(Path, name, every_other_time(getattr(Path, name)))
    verify_bundle(read_bundle(bundle.path))
    with loading(bundle):
        assert read_part(bundle, WEIGHTS)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_bundle_with_a_flipped_byte_is_not_found(bundle: Bundle, name: str) -> None:
    flip(bundle.path / name, -1 if name.endswith(".safetensors") else 0)
    with pytest.raises(BundleError) as raised:
        find_bundle(str(bundle.path))
    assert name in str(raised.value) and raised.value.exit_code == ExitCode.BAD_INPUT


@pytest.mark.parametrize("harm", ["hole", "cut", "longer", "empty"])
def test_damaged_weights_are_named_with_what_to_do(bundle: Bundle, harm: str) -> None:
    weights = bundle.path / WEIGHTS
    content = weights.read_bytes()
    harmed = {
        "hole": content[:100_000] + bytes(4096) + content[104_096:],
        "cut": content[:-1],
        "longer": content + b"\0",
        "empty": b"",
    }
    weights.write_bytes(harmed[harm])
    with pytest.raises(BundleError, match=rf"{WEIGHTS} differs from the digest .*copy or convert the bundle again"):
        find_bundle(str(bundle.path))
    assert locate_bundle(str(bundle.path)).digest == bundle.digest


def test_a_file_is_hashed_once_until_it_changes(
    bundle: Bundle, settled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_once(bundle)
    assert len(settled) == len(MEMBERS)
    # By this process, and by another one.
    verify_once(bundle)
    monkeypatch.setattr(verification, "_known", DigestCache())
    verify_once(bundle)
    assert len(settled) == len(MEMBERS)
    (bundle.path / WEIGHTS).touch()
    verify_once(bundle)
    assert settled[len(MEMBERS) :] == ["model.safetensors"]
    # Whoever asks for it has all of them hashed.
    verify_bundle(bundle)
    assert len(settled) == 2 * len(MEMBERS) + 1


def test_a_change_that_keeps_size_and_time_is_found(bundle: Bundle, settled: list[str]) -> None:
    verify_once(bundle)
    before = (bundle.path / WEIGHTS).stat()
    flip(bundle.path / WEIGHTS)
    os.utime(bundle.path / WEIGHTS, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(BundleError, match=WEIGHTS):
        verify_once(bundle)


def test_a_digest_that_is_kept_wrongly_refuses_nothing(bundle: Bundle, settled: list[str], tmp_path: Path) -> None:
    verify_once(bundle)
    for entry in (tmp_path / "cache").rglob("*.json"):
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"sha256": "0" * 64}))
    verification._known._entries.clear()
    verify_once(bundle)
    assert len(settled) == 2 * len(MEMBERS)


def test_many_bytes_are_hashed_on_threads(bundle: Bundle, settled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "THREADED_BYTES", 0)
    states = verify_once(bundle)
    assert states == {name: state_of(bundle.path / name) for name in MEMBERS}
    flip(bundle.path / WEIGHTS)
    with pytest.raises(BundleError, match=WEIGHTS):
        verify_once(bundle)


def test_whoever_waits_is_told_how_much_is_hashed(
    bundle: Bundle, settled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "ANNOUNCED_BYTES", 1 << 20)
    told: list[int] = []
    find_bundle(str(bundle.path), announce=told.append)
    find_bundle(str(bundle.path), announce=told.append)
    assert told == [sum((bundle.path / name).stat().st_size for name in MEMBERS)]


def test_a_file_that_is_replaced_while_it_is_loaded_is_found(bundle: Bundle, settled: list[str]) -> None:
    with pytest.raises(BundleError, match=f"{WEIGHTS} was changed while it was loaded"), loading(bundle):
        shutil.copyfile(bundle.path / WEIGHTS, bundle.path / "new")
        (bundle.path / "new").replace(bundle.path / WEIGHTS)


def test_a_file_that_another_command_links_while_it_is_loaded_is_hashed_again(
    bundle: Bundle, settled: list[str]
) -> None:
    with loading(bundle):
        os.link(bundle.path / WEIGHTS, bundle.path / "link")
    with pytest.raises(BundleError, match=f"{WEIGHTS} differs"), loading(bundle):
        times = (bundle.path / WEIGHTS).stat()
        flip(bundle.path / WEIGHTS)
        os.utime(bundle.path / WEIGHTS, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_file_that_another_command_links_while_it_is_hashed_is_hashed_again(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, calls = FileState.of, []

    def linked(handle: BinaryIO) -> FileState:
        calls.append(handle)
        if len(calls) == 2:
            os.link(bundle.path / WEIGHTS, bundle.path / "link")
        return of(handle)

    monkeypatch.setattr(FileState, "of", linked)
    found = hash_file(bundle.path / WEIGHTS, Event())
    assert found is not None and found[1] == bundle.description.sha256[WEIGHTS]
    assert len(calls) == 4


def test_a_file_that_was_only_just_written_is_hashed_after_loading_too(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = verification._state
    states = {name: state(bundle, name) for name in MEMBERS}
    # As on a file system that counts in steps: the state stays the same.
    monkeypatch.setattr(verification, "_state", lambda _, name: states[name])
    now_ns = max(state.changed_ns for state in states.values())
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    with pytest.raises(BundleError, match=WEIGHTS), loading(bundle):
        flip(bundle.path / WEIGHTS)


def test_a_part_that_is_read_is_the_one_of_the_description(bundle: Bundle) -> None:
    assert read_part(bundle, "head/config.json") == (bundle.path / "head/config.json").read_bytes()
    flip(bundle.path / "head/model.safetensors")
    with pytest.raises(BundleError, match=r"head/model\.safetensors"):
        read_part(bundle, "head/model.safetensors")


def test_one_part_is_verified_alone(bundle: Bundle) -> None:
    flip(bundle.path / WEIGHTS)
    assert set(verify_once(bundle, part="head/")) == {name for name in MEMBERS if name.startswith("head/")}
    with pytest.raises(BundleError):
        verify_once(bundle, part="esm2/")
