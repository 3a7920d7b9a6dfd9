"""Creates folders that appear complete or not at all."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.system.file_operations import persistently, rename_folder, sync, temporary_beside

NOT_EXECUTABLE = 0o666


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `output`; on success its files are fsynced and it becomes `output`.

    File modes follow the umask, except those of hard links, which are not changed. On an exception the folder is
    removed. Raises OutputError if `output` exists or cannot be made.
    """
    output = output.absolute()
    if output.exists() or output.is_symlink():
        raise OutputError(f"{output} exists already", hint="name a new folder")
    temporary = temporary_beside(output)
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror}", hint="name a folder you can write") from None
    try:
        yield temporary
        for place in [*temporary.rglob("*"), temporary]:
            # Some libraries create files that only their owner may read; workers may run as another user.
            if not persistently(place.is_dir) and persistently(place.stat).st_nlink == 1:
                # A file system without modes, or with those of its mount, refuses.
                with suppress(OSError):
                    place.chmod(stat.S_IMODE(temporary.stat().st_mode) & NOT_EXECUTABLE)
            sync(place)
        try:
            rename_folder(temporary, output)
        except OSError as error:
            raise OutputError(f"{output} cannot be made: {error.strerror}", hint="name a new folder") from None
        sync(output.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
