"""Fetches one file into its partial file: goes on where it stopped, and tries again what may pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from virnucpro_tasks.errors import BundleError, DownloadError
from virnucpro_tasks.models.http import FROM_ELSEWHERE, Answer, PassingError, requested, shown
from virnucpro_tasks.models.manifest import PublishedFile
from virnucpro_tasks.models.partial import Origin, PartialFile

PROGRESS_BYTES = 64 << 10
"""A try that brings this many new bytes is a success: the tries are counted from 0 again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a transfer is tried without bringing anything new, and the pauses between, which double."""

    tries: int = 6
    first_tries: int = 3
    """The tries for as long as nobody was reached: a host without network is told so within seconds."""

    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    longest_wait_seconds: float = 600.0
    """A server that asks for a longer pause than this is not waited for."""

    def pause_seconds(self, failures: int, asked_seconds: float | None) -> float:
        """The pause after so many failures in a row, or the one that the server has asked for."""
        if asked_seconds is not None:
            return max(asked_seconds, self.first_pause_seconds)
        return min(self.first_pause_seconds * 2.0 ** (failures - 1), self.longest_pause_seconds)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told of a transfer: `moved` with the bytes that are there and, if known, all; `say` with a sentence."""

    moved: Callable[[int, int | None], None] = field(default=lambda done, total: None)
    say: Callable[[str], None] = field(default=lambda text: None)


def download(
    client: httpx2.Client,
    address: str,
    part: PartialFile,
    *,
    wanted: PublishedFile,
    patience: Patience,
    watcher: Watcher,
) -> None:
    """Fetch `address` until `part` is complete; its digest is not compared with the published one.

    Raises DownloadError, OutputError; BundleError if the server has a file of another size.
    """
    if part.size > wanted.limit_bytes:
        part.clear()
    failures, furthest, was_reached = 0, part.size, False
    while part.size != wanted.bytes:
        try:
            _transfer(client, address, part, wanted, watcher)
            return
        except PassingError as error:
            if part.size >= furthest + PROGRESS_BYTES:
                failures = 0
            furthest = max(furthest, part.size)
            failures += 1
            was_reached = was_reached or error.reached
            tries = patience.tries if was_reached else min(patience.tries, patience.first_tries)
            pause = patience.pause_seconds(failures, error.wait_seconds)
            if failures >= tries or pause > patience.longest_wait_seconds:
                raise _gave_up(error, address, part, failures, pause) from None
            place = f", from byte {part.size:,} on" if part.size else ""
            watcher.say(f"{part.final.name}: {error}; next try in {pause:.0f} s{place}")
            time.sleep(pause)
        except DownloadError as error:
            raise DownloadError(f"{shown(address)}: {error.what}", hint=error.hint) from None


def _gave_up(error: PassingError, address: str, part: PartialFile, failures: int, pause: float) -> DownloadError:
    advice = f"repeat the command, which goes on from byte {part.size:,}" if part.size else "repeat the command later"
    if error.wait_seconds is not None and pause == error.wait_seconds:
        what = f"{error}, and asks for a pause of {pause:,.0f} s"
    else:
        what = f"{error}; {failures} tries brought nothing new"
    return DownloadError(
        f"{shown(address)}: {what}", hint=", ".join(filter(None, [error.hint, advice, FROM_ELSEWHERE]))
    )


def _transfer(client: httpx2.Client, address: str, part: PartialFile, wanted: PublishedFile, watcher: Watcher) -> None:
    """One request, and whatever bytes it brings. Raises PassingError if more are to come."""
    here = shown(address)
    start, version = _resumption(part, wanted, here)
    with requested(client, address, start=start, version=version) as answer:
        if answer.start is None:
            _settle_end(part, answer, wanted)
            return
        _check_size(part, answer, wanted)
        if answer.start == 0 or _is_another(part, answer, here):
            if part.size:
                watcher.say(f"{part.final.name}: the server does not go on where it stopped: from the beginning")
            if answer.start:
                part.clear()
                raise PassingError("the file was changed on the server meanwhile")
            part.begin(Origin(here, answer.version, answer.total_bytes))
        part.pieces += 1
        if answer.total_bytes is not None:
            part.require_room(answer.total_bytes)
        for block in answer.blocks:
            if part.size + len(block) > wanted.limit_bytes:
                part.clear()
                raise BundleError(
                    f"the server sends more than {wanted.limit_bytes:,} bytes: this is another file",
                    path=part.final,
                    hint="check the manifest, or try --mirror",
                )
            part.append(block)
            watcher.moved(part.size, answer.total_bytes or wanted.bytes)
    expected = wanted.bytes or answer.total_bytes
    if expected is not None and part.size < expected:
        raise PassingError(f"the server ended after {part.size:,} of {expected:,} bytes")


def _resumption(part: PartialFile, wanted: PublishedFile, here: str) -> tuple[int, str]:
    """From which byte to go on, and the version that the server must still have.

    Bytes of another address, or of no known version, are only continued if a digest tells in the end whether they fit.
    """
    if not part.size or part.origin is None:
        return 0, ""
    if part.origin.address == here and part.origin.version:
        return part.size, part.origin.version
    return (part.size, "") if wanted.sha256 else (0, "")


def _is_another(part: PartialFile, answer: Answer, here: str) -> bool:
    """Whether an answer that goes on is of another version than the bytes that are there."""
    before = part.origin
    if before is None or (before.total_bytes and answer.total_bytes and before.total_bytes != answer.total_bytes):
        return True
    return before.address == here and bool(before.version and answer.version) and before.version != answer.version


def _settle_end(part: PartialFile, answer: Answer, wanted: PublishedFile) -> None:
    """The server has nothing from the end of `part` on: it is complete, or of another version."""
    expected = wanted.bytes or answer.total_bytes or (part.origin.total_bytes if part.origin else None)
    if part.size != expected:
        part.clear()
        raise PassingError("the file was changed on the server meanwhile")


def _check_size(part: PartialFile, answer: Answer, wanted: PublishedFile) -> None:
    total = answer.total_bytes
    if total is None or total == wanted.bytes or (wanted.bytes is None and total <= wanted.limit_bytes):
        return
    published = f"{wanted.bytes:,}" if wanted.bytes is not None else f"at most {wanted.limit_bytes:,}"
    raise BundleError(
        f"the server has {total:,} bytes, the published file has {published}: this is another file",
        path=part.final,
        hint="check the manifest, or try --mirror",
    )
