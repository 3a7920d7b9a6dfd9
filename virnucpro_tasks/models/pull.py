"""Brings the published files of a manifest into a folder: fetched or copied, verified, complete or not at all.

    OUTPUT/MODEL/FILE               a verified file
    OUTPUT/MODEL/SHA256SUMS         digests of these files, as they were found
    OUTPUT/MODEL/.partial/          what is not complete, see `partial`

A mirror, and a folder to copy from, have the same layout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event

from virnucpro_tasks.errors import BundleError, OutputError, SettingsError, StoreError
from virnucpro_tasks.models.archive import check_archive
from virnucpro_tasks.models.download import Patience, Watcher, download
from virnucpro_tasks.models.file_state import CACHE_VARIABLE, hash_file
from virnucpro_tasks.models.filekind import FileKind, file_kind
from virnucpro_tasks.models.manifest import SUMS_FILE, Manifest, PublishedFile
from virnucpro_tasks.models.partial import Origin, PartialFile, partial_path
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import persistently
from virnucpro_tasks.system.files import write_bytes
from virnucpro_tasks.system.run_lock import own_folder

_COPY_BYTES = 4 << 20
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_WEIGHTS = (".pt", ".pth", ".bin", ".safetensors")


class Way(StrEnum):
    """How a file came to be where it is."""

    KEPT = "kept"
    FETCHED = "fetched"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file that is there, complete; `is_published` if its digest is the published one, not merely what was found."""

    model: str
    path: Path
    bytes: int
    sha256: str
    way: Way
    is_published: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to pull: from a `mirror` (address) or a folder `source` instead of the published addresses.

    With `replace` an existing file that is another one is replaced when the right one is complete.
    """

    mirror: str | None = None
    source: Path | None = None
    replace: bool = False
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if self.mirror is not None and not re.fullmatch(r"https?://[^\s?#]+", self.mirror, re.ASCII):
            raise SettingsError(
                f"--mirror {self.mirror!r} is not an address", hint="it begins with https://, and has no query"
            )


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: `begin` gives the watcher of a file that is about to move, `say` takes a sentence."""

    begin: Callable[[str, PublishedFile], Watcher] = field(default=lambda model, file: Watcher())
    say: Callable[[str], None] = field(default=lambda text: None)


def default_folder() -> Path:
    """The folder of pulled files unless told otherwise: virnucpro/downloads in the user's cache folder."""
    stated = Path(os.environ.get(CACHE_VARIABLE) or "")
    try:
        base = stated if stated.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise OutputError("there is no home folder", hint="name a folder with --output") from None
    return base / "virnucpro" / "downloads"


def pull(manifest: Manifest, models: list[str], *, output: Path, wishes: Wishes, audience: Audience) -> list[Pulled]:
    """Bring the files of `models` into `output`; what is there and right is kept.

    Raises BundleError for a file that is another one, OutputError for a folder that cannot be used, DownloadError.
    """
    if wishes.source is not None and not wishes.source.is_dir():
        raise BundleError("no such folder", path=wishes.source, hint="--from names the folder to copy from")
    return [
        pulled
        for model in models
        for pulled in _pull_model(model, manifest.models[model].files, output / model, wishes, audience)
    ]


def _pull_model(
    model: str, files: tuple[PublishedFile, ...], folder: Path, wishes: Wishes, audience: Audience
) -> list[Pulled]:
    # Looked at without the lock, because a folder where all is there need not be writable.
    there = {file.name: _existing(model, file, folder / file.name, wishes, audience) for file in files}
    if all(there.values()):
        return [found for found in there.values() if found is not None]
    try:
        with own_folder(folder, say=audience.say) as lock:
            pulled = []
            for file in files:
                pulled.append(there[file.name] or _one(model, file, folder / file.name, wishes, audience))
                _note_digest(pulled[-1])
            lock.check()
            return pulled
    except StoreError as error:
        cause = cause_of(error.__cause__ or error, folder)
        raise OutputError(
            f"{folder} cannot be written: {cause.words}", hint=cause.advice or "give another folder with --output"
        ) from None


def _one(model: str, file: PublishedFile, final: Path, wishes: Wishes, audience: Audience) -> Pulled:
    # Another run may have brought it before this one had the lock.
    if (kept := _existing(model, file, final, wishes, audience)) is not None:
        return kept
    with suppress(OSError):
        if before := partial_path(final).stat().st_size:
            audience.say(f"{model}/{file.name}: {before:,} bytes are there already")
    with PartialFile(final) as part:
        watcher = audience.begin(model, file)
        if wishes.source is not None:
            _copy(_found_in(wishes.source, model, file), part, file, watcher)
            way = Way.COPIED
        else:
            _fetch(_address(model, file, wishes.mirror), part, file, wishes.patience, watcher)
            way = Way.FETCHED
        if file.sha256 is None:
            try:
                _require_plausible(part.path)
            except BundleError as error:
                part.clear()
                raise BundleError(error.what, path=final, hint=error.hint) from None
        found = Pulled(model, final, part.size, part.sha256, way, file.sha256 is not None)
        part.publish(replace=wishes.replace)
    return found


def _existing(model: str, file: PublishedFile, final: Path, wishes: Wishes, audience: Audience) -> Pulled | None:
    """The file if it is there and right; None if it is not there, or to be replaced. Raises OutputError otherwise."""
    if not (final.exists() or final.is_symlink()):
        return None
    if not final.is_file():
        raise OutputError(f"{final} is not a file", hint="remove it, or give another folder with --output")
    size = final.stat().st_size
    if size >= _COPY_BYTES:
        audience.say(f"{final} is there: checking its {size / 1e9:.2f} GB")
    try:
        hashed = hash_file(final, Event())
    except OSError as error:
        raise OutputError(f"{final} cannot be read: {cause_of(error).words}", hint="check it, or --output") from None
    sha256 = hashed[1] if hashed is not None else "it was changed meanwhile"
    if file.sha256 is None:
        right = _is_plausible(final) and noted_digests(final.parent).get(file.name, sha256) == sha256
        right = right and file.bytes in (None, size)
    else:
        right = sha256 == file.sha256
    if right:
        return Pulled(model, final, size, sha256, Way.KEPT, file.sha256 is not None)
    if wishes.replace:
        return None
    expected = f"the published one {file.sha256}" if file.sha256 else "not what was fetched, or no weights at all"
    raise OutputError(
        f"{final} is there, but it is another file: its SHA-256 is {sha256}, {expected}",
        hint="--force replaces it; or give another folder with --output",
    )


def _address(model: str, file: PublishedFile, mirror: str | None) -> str:
    return file.url if mirror is None else f"{mirror.rstrip('/')}/{model}/{file.name}"


def _fetch(address: str, part: PartialFile, file: PublishedFile, patience: Patience, watcher: Watcher) -> None:
    from virnucpro_tasks.models.http import http_client

    was_there = part.size > 0
    with http_client() as client:
        download(client, address, part, wanted=file, patience=patience, watcher=watcher)
        if file.sha256 not in (None, part.sha256) and (was_there or part.pieces > 1):
            watcher.say(f"{file.name}: its pieces do not belong together: from the beginning")
            part.clear()
            download(client, address, part, wanted=file, patience=patience, watcher=watcher)
    _require_published(part, file, origin="the server")


def _require_published(part: PartialFile, file: PublishedFile, *, origin: str) -> None:
    """Raise BundleError, and forget the bytes, unless they are the published ones, as far as these are known."""
    size, sha256 = part.size, part.sha256
    if file.bytes not in (None, size) or file.sha256 not in (None, sha256):
        part.clear()
        raise BundleError(
            f"{origin} has another file: {size:,} bytes with SHA-256 {sha256}, published are"
            f" {f'{file.bytes:,} bytes' if file.bytes else 'bytes'} with {file.sha256 or 'a digest not known to us'}",
            path=part.final,
            hint="check the manifest, or try another source",
        )


def _found_in(source: Path, model: str, file: PublishedFile) -> Path:
    """The file in a folder of the same layout, or directly in the folder."""
    for candidate in (source / model / file.name, source / file.name):
        if candidate.is_file():
            return candidate
    raise BundleError(
        f"neither {model}/{file.name} nor {file.name} is here",
        path=source,
        hint=f"bring it from {file.url}",
    )


def _copy(source: Path, part: PartialFile, file: PublishedFile, watcher: Watcher) -> None:
    size = source.stat().st_size
    if size > file.limit_bytes:
        raise BundleError(f"it has {size:,} bytes, the published file {file.limit_bytes:,}", path=source)
    part.begin(Origin(str(source).encode(errors="backslashreplace").decode(), "", size))
    part.require_room(size)
    try:
        with persistently(lambda: source.open("rb", buffering=0)) as handle:
            while block := handle.read(_COPY_BYTES):
                part.append(block)
                watcher.moved(part.size, size)
    except OSError as error:
        raise BundleError(f"cannot be read: {cause_of(error).words}", path=source, hint="check it") from None
    _require_published(part, file, origin=str(source))


def _require_plausible(path: Path) -> None:
    """Raise BundleError unless a file without a known digest is at least complete, and of the kind its name says."""
    kind = file_kind(path)
    if kind is FileKind.TORCH_ZIP:
        check_archive(path)
    if kind is FileKind.OTHER and path.suffix in _WEIGHTS:
        raise BundleError("this is neither a torch file nor safetensors", path=path, hint="try another source")


def _is_plausible(path: Path) -> bool:
    with suppress(BundleError):
        _require_plausible(path)
        return True
    return False


def noted_digests(folder: Path) -> dict[str, str]:
    """Digests by file name, as the file of sums in `folder` has them."""
    try:
        lines = (folder / SUMS_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {found[2]: found[1] for found in map(_SUM_LINE.fullmatch, lines) if found}


def _note_digest(pulled: Pulled) -> None:
    folder = pulled.path.parent
    before = noted_digests(folder)
    sums = before | {pulled.path.name: pulled.sha256}
    if sums == before:
        return
    try:
        write_bytes(folder / SUMS_FILE, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
    except OSError as error:
        cause = cause_of(error, folder)
        raise OutputError(f"{folder / SUMS_FILE} cannot be written: {cause.words}", hint=cause.advice) from None
