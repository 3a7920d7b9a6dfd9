from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError

from virnucpro_tasks.shards import arrays
from virnucpro_tasks.shards.arrays import EmbeddingKey, arrays_digest, read_valid_arrays, write_arrays
from virnucpro_tasks.shards.engine_stats import EngineStats

KEY = EmbeddingKey("shard", "bundle", "fp16")
ARRAYS = {"scores": np.arange(8, dtype=np.float32).reshape(4, 2), "quarantined": np.array([True, False, False, True])}
STATS = EngineStats(packs=3, tokens=700, capacity=800, attention={"esm2": "triton"})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arrays") / "000000.safetensors"
    write_arrays(path, ARRAYS, STATS, KEY)
    return path


def test_what_was_written_is_read(file: Path) -> None:
    found = read_valid_arrays(file, KEY, names=ARRAYS)
    assert found is not None
    arrays, stats = found
    assert stats == STATS and arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_a_folder_may_have_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"), "000000.safetensors")
    file.parent.mkdir()
    write_arrays(file, ARRAYS, STATS, KEY)
    assert read_valid_arrays(file, KEY, names=ARRAYS) is not None


def test_where_no_file_can_be_created_exclusively_they_are_written_all_the_same(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: Operation not supported (os error 95)")

    monkeypatch.setattr(arrays, "save_file", refuse)
    write_arrays(tmp_path / "new.safetensors", ARRAYS, STATS, KEY)
    assert (tmp_path / "new.safetensors").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("changed", ["shard_digest", "bundle_digest", "precision"])
def test_arrays_of_other_work_are_not_valid(file: Path, changed: str) -> None:
    other = {"shard_digest": "shard", "bundle_digest": "bundle", "precision": "fp16"} | {changed: "other"}
    assert read_valid_arrays(file, EmbeddingKey(**other), names=ARRAYS) is None


def test_a_missing_file_and_one_of_other_arrays_are_not_valid(file: Path) -> None:
    assert read_valid_arrays(file.with_name("none"), KEY, names=ARRAYS) is None
    assert read_valid_arrays(file, KEY, names=["scores"]) is None
    assert read_valid_arrays(file, KEY, names=[*ARRAYS, "more"]) is None


@given(st.data())
def test_a_flipped_bit_and_a_cut_end_anywhere_are_noticed(file: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    damaged = file.with_name("damaged")
    damaged.write_bytes(content)
    assert read_valid_arrays(damaged, KEY, names=ARRAYS) is None


def test_every_block_of_an_array_counts_and_so_does_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virnucpro_tasks.shards.arrays.DIGEST_BLOCK_BYTES", 64)
    array = np.arange(5 * 16 + 3, dtype=np.float32)
    swapped = np.concatenate([array[16:32], array[:16], array[32:]])
    changed = [array + (np.arange(array.size) == place) for place in (0, 15, 16, 79, 82)]
    versions = [array, swapped, array[:-1], array.astype(np.float64), *changed]
    assert len({arrays_digest({"protein": version}, {}) for version in versions}) == len(versions)
    assert arrays_digest({"protein": array}, {}) == arrays_digest({"protein": array.copy()}, {})


def test_a_file_system_without_mmap_will_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_mmap(*_: object, **__: object) -> None:
        raise OSError("No such device (os error 19)")

    whole = read_valid_arrays(file, KEY, names=ARRAYS)
    monkeypatch.setattr(arrays, "safe_open", no_mmap)
    found = read_valid_arrays(file, KEY, names=ARRAYS)
    assert found is not None and whole is not None
    assert found[1] == whole[1]
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, whole[0][name])


@pytest.mark.parametrize("words", ["Input/output error (os error 5)", "Too many open files (os error 24)"])
def test_a_file_that_the_file_system_does_not_give_is_not_called_invalid(
    file: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(words)

    monkeypatch.setattr(arrays, "safe_open", refuse)
    with pytest.raises(OSError, match="os error"):
        read_valid_arrays(file, KEY, names=ARRAYS)
