"""Compares the files of a bundle with the digests in its bundle.json, so that what is loaded is what was hashed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import AGAIN, Bundle
from virnucpro_tasks.models.file_state import DigestCache, FileState, hash_file, state_of
from virnucpro_tasks.system.file_operations import persistently

HASHING_THREADS = 4
"""Files that are hashed beside each other; a bundle has two large ones."""

THREADED_BYTES = 64 << 20
"""Less is hashed in the time that threads take to start."""

ANNOUNCED_BYTES = 256 << 20
"""If more is to be hashed, whoever waits is told."""

_known = DigestCache()


def verify_bundle(bundle: Bundle) -> None:
    """Hash every file. Raises BundleError naming one that differs from its digest in bundle.json."""
    _verify(bundle, anew=True)


def verify_once(
    bundle: Bundle, *, part: str = "", announce: Callable[[int], None] | None = None
) -> dict[str, FileState]:
    """Hash the files, or those of one `part`, whose state is not known to have the right digest; returns their states.

    `announce` is called with the number of bytes before many are hashed. Raises BundleError as `verify_bundle` does.
    """
    return _verify(bundle, part=part, anew=False, announce=announce)


@contextmanager
def loading(bundle: Bundle) -> Iterator[None]:
    """Verify the files of `bundle`, and after the block, which loads them, that they are still the same.

    Raises BundleError.
    """
    before_ns = time.time_ns()
    states = verify_once(bundle)
    yield
    after = {name: _state(bundle, name) for name in states}
    for name, state in states.items():
        if after[name] != state and not after[name].has_new_links_or_rights(state):
            raise BundleError(
                f"{name} was changed while it was loaded", path=bundle.path, hint="repeat when nobody writes there"
            )
    if after != states or not all(state.is_settled(before_ns) for state in states.values()):
        # What was changed just now may have been changed once more without a new time.
        _verify(bundle, anew=True)


def read_part(bundle: Bundle, name: str) -> bytes:
    """The content of the file `name` of a bundle. Raises BundleError if it differs from its digest."""
    try:
        content = persistently((bundle.path / name).read_bytes)
    except OSError as error:
        raise BundleError(error.strerror or "cannot be read", path=bundle.path / name, hint=AGAIN) from None
    if hashlib.sha256(content).hexdigest() != bundle.description.sha256[name]:
        raise _differs(bundle, name)
    return content


def _verify(
    bundle: Bundle, *, part: str = "", anew: bool = False, announce: Callable[[int], None] | None = None
) -> dict[str, FileState]:
    wanted = {name: digest for name, digest in bundle.description.sha256.items() if name.startswith(part)}
    states = {name: _state(bundle, name) for name in wanted}
    paths = {name: Path(bundle.path / name).resolve() for name in wanted}
    # A digest that is kept is only believed if it says that all is well.
    unknown = [name for name in wanted if anew or _known.find(paths[name], states[name]) != wanted[name]]
    total = sum(states[name].size for name in unknown)
    if announce is not None and total > ANNOUNCED_BYTES:
        announce(total)
    return states | dict(zip(unknown, _hash_all(bundle, unknown, total), strict=True))


def _hash_all(bundle: Bundle, names: list[str], total: int) -> list[FileState]:
    stop = Event()
    if total < THREADED_BYTES:
        return [_hash(bundle, name, stop) for name in names]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        try:
            return list(threads.map(lambda name: _hash(bundle, name, stop), names))
        finally:
            stop.set()  # an error or Ctrl-C does not wait for the other files


def _hash(bundle: Bundle, name: str, stop: Event) -> FileState:
    path = (bundle.path / name).resolve()
    began_ns = time.time_ns()
    try:
        found = hash_file(path, stop)
    except OSError as error:
        raise BundleError(f"{name}: {error.strerror}", path=bundle.path, hint=AGAIN) from None
    if found is None:
        raise BundleError(
            f"{name} was changed while it was checked", path=bundle.path, hint="repeat when nobody writes there"
        )
    state, digest = found
    if digest != bundle.description.sha256[name]:
        raise _differs(bundle, name)
    _known.keep(path, state, digest, hashed_from_ns=began_ns)
    return state


def _state(bundle: Bundle, name: str) -> FileState:
    try:
        return state_of(bundle.path / name)
    except OSError as error:
        raise BundleError(f"{name}: {error.strerror}", path=bundle.path, hint=AGAIN) from None


def _differs(bundle: Bundle, name: str) -> BundleError:
    shipped = bundle.path.is_relative_to(Path(__file__).parent)
    hint = "install virnucpro-tasks again" if shipped else AGAIN
    return BundleError(f"{name} differs from the digest in bundle.json", path=bundle.path, hint=hint)
