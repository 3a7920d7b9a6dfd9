"""The lock of a run on its folder: a second run into the same folder is refused before it makes or deletes anything.

The lock is a mark (`owners`) in the folder itself, so all spellings of its path lead to the same one. The first is
`.virnucpro-lock.1`. A lock whose run is gone stays where it is, and the next run makes the one with the next number:
it alone succeeds of several that try, on any file system that can make a file exclusively. Locks are removed at the end
of a run, its own as the last.

Where nothing else tells whether a run lives (on another host, or in another container on a file system without flock),
it counts as gone after STALE_SECONDS without a renewal, and then only if it is not renewed while it is watched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import by_name, persistently
from virnucpro_tasks.system.files import store_write_error
from virnucpro_tasks.system.owners import Found, Life, Mark, read_mark, temporary_name
from virnucpro_tasks.system.processes import folder_of_children

LOCK_NAME = ".virnucpro-lock."
RENEW_SECONDS = 5.0
STALE_SECONDS = 60.0
WATCH_SECONDS = 15.0
"""Time that a lock which seems stale is watched: a server of files that was away may have delayed its renewal."""

MOST_TRIES = 100
TRY_SECONDS = 0.02
"""Others may take and leave the folder while this run looks at it."""

USED_HINT = "wait for that run to end, or give every run a folder of its own, such as one for each task of an array"


class RunLock:
    """Context manager: while it is held, no other run uses `folder`, which exists. `say` tells of a wait.

    Raises OutputError if another run has the folder, StoreError if the lock cannot be written.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None] = lambda line: None) -> None:
        self._folder = folder
        self._say = say
        self._mark: Mark | None = None
        self._number = 0
        self._released = threading.Event()

    def __enter__(self) -> Self:
        for _ in range(MOST_TRIES):
            if self._taken():
                break
            time.sleep(TRY_SECONDS)
        else:
            raise OutputError(f"{self._folder} is being taken and left by other runs, again and again", hint=USED_HINT)
        threading.Thread(target=self._renew, name="run-lock", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        assert self._mark is not None
        with suppress(OSError, OutputError):
            if self._is_held():
                # Its own as the last: until then nobody else may begin.
                for number in range(1, self._number + 1):
                    persistently(partial(self._file(number).unlink, missing_ok=True))
        self._mark.close()

    def check(self) -> None:
        """Raise OutputError if the lock was taken over or removed, so that the folder may be another run's by now."""
        if not self._is_held():
            raise OutputError(
                f"{self._folder} was taken over by another run, or removed, while this one was running",
                hint="nothing was changed in it; repeat the command with a folder of its own",
            )

    def _taken(self) -> bool:
        """Try to take the lock; False if others have changed it meanwhile."""
        before: Found | None = None
        number = 1
        while True:
            try:
                mark = persistently(partial(Mark.create, self._file(number), follows=_token(before)))
            except FileExistsError:
                try:
                    before = self._require_gone(self._file(number))
                except FileNotFoundError:
                    return False
                number += 1
                continue
            except OSError as error:
                raise store_write_error(error, self._folder) from error
            break
        try:
            if before is not None and not self._is_unchanged(self._file(number - 1), before):
                mark.remove()
                return False
            self._remove_from(number + 1)
        except BaseException:
            mark.remove()
            raise
        self._mark, self._number = mark, number
        return True

    def _remove_from(self, number: int) -> None:
        """Remove the locks from `number` on, which a run left that was killed while it removed its own."""
        with suppress(FileNotFoundError):
            while True:
                self._require_gone(self._file(number))
                self._file(number).unlink()
                number += 1

    def _require_gone(self, file: Path) -> Found:
        """The lock `file`, whose run is gone. Raises OutputError if it is not, FileNotFoundError."""
        found = self._read(file)
        if found.life is Life.UNKNOWN:
            seconds = self._seconds_ago(found)
            if abs(seconds) > STALE_SECONDS:
                self._say(
                    f"{self._folder} was in use by {found}; no sign of life for {seconds:.0f} s: "
                    f"watching it for {WATCH_SECONDS:.0f} s"
                )
                if self._is_unchanged(file, found, for_seconds=WATCH_SECONDS):
                    return found
        elif found.life is Life.GONE:
            return found
        lapses = f"; if it is gone, repeat the command after {STALE_SECONDS:.0f} s"
        raise OutputError(
            f"{self._folder} is in use by another run: {found}",
            hint=USED_HINT + (lapses if found.life is Life.UNKNOWN else ""),
        )

    def _is_unchanged(self, file: Path, before: Found, *, for_seconds: float = 0.0) -> bool:
        deadline = time.monotonic() + for_seconds
        while True:
            try:
                now = self._read(file)
            except FileNotFoundError:
                return False
            if (now.maker, now.renewed_at) != (before.maker, before.renewed_at):
                return False
            if time.monotonic() >= deadline:
                return True
            time.sleep(min(1.0, for_seconds))

    def _read(self, file: Path) -> Found:
        try:
            return by_name(lambda: read_mark(file), file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise OutputError(
                f"{file} cannot be read: {error.strerror or error}", hint="it is the lock of a run on this folder"
            ) from error

    def _seconds_ago(self, found: Found) -> float:
        """The seconds since the mark was renewed, by the clock of the file system; less than 0 for a clock set back."""
        probe = self._folder / temporary_name("clock")
        try:
            probe.touch(exist_ok=False)
            return probe.stat().st_mtime - found.renewed_at
        except OSError as error:
            raise store_write_error(error, self._folder) from error
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    def _is_held(self) -> bool:
        """Whether the lock is still there and nobody has followed it. Raises OutputError if that cannot be told."""
        assert self._mark is not None
        own = self._mark.maker.token
        try:
            found = self._read(self._file(self._number))
        except FileNotFoundError:
            return False
        try:
            # One that follows another mark is of a run that came too late, and removes it at once.
            return _token(found) == own and self._follows(self._file(self._number + 1)) != own
        except FileNotFoundError:
            return True

    def _follows(self, file: Path) -> str:
        maker = self._read(file).maker
        return "" if maker is None else maker.follows

    def _file(self, number: int) -> Path:
        return self._folder / f"{LOCK_NAME}{number}"

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            with suppress(OSError):
                assert self._mark is not None
                self._mark.renew()


def _token(found: Found | None) -> str:
    return "" if found is None or found.maker is None else found.maker.token


@contextmanager
def own_folder(folder: Path, *, say: Callable[[str], None], mode: int = 0o777) -> Iterator[RunLock]:
    """Make `folder` if needed, and have it for this run; one that was made and has stayed empty is removed.

    A new one has `mode` less the umask.

    Raises OutputError if it cannot be made or another run has it, StoreError if the lock cannot be written.
    """
    is_new = not folder.exists()
    make_folder(folder, mode=mode)
    try:
        with RunLock(folder, say=say) as lock:
            yield lock
    finally:
        if is_new:
            # Only an empty folder can be removed in this way.
            with suppress(OSError):
                folder.rmdir()


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make `folder` with `mode` less the umask unless it is there. Raises OutputError."""
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another folder"
        if not folder.is_absolute() and folder_of_children() is not None:
            hint = "the current folder was removed: go to another one, or give whole paths"
        raise OutputError(f"{folder} cannot be made: {cause_of(error).words}", hint=hint) from None


def lock_files(folder: Path) -> list[Path]:
    """The locks in `folder`, whoever has made them."""
    return sorted(file for file in folder.glob(f"{LOCK_NAME}*") if file.name.removeprefix(LOCK_NAME).isdigit())
