"""The shards of a job that have a file in one of its folders."""

from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.paths import shard_number


def shards_in(folder: Path, suffix: str) -> set[int]:
    """The shards with a file of this suffix in `folder`, as its listing says; none if there is no such folder.

    Names of another form, as file systems, editors and programs for synchronisation make them, count for nothing.
    """
    try:
        names = [file.name for file in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    numbers = (shard_number(name) for name in names if name.endswith(suffix))
    return {number for number in numbers if number is not None}
