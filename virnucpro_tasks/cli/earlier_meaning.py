"""Translates the options of `predict` of earlier versions into those of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virnucpro_tasks.cli.earlier_layout import BROAD, default_output, merged_folder
from virnucpro_tasks.cli.earlier_options import without_effect
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.errors import BackendError, SettingsError, VirnucproError

SEGMENTS_VARIABLE, SEGMENTS = "PYTORCH_CUDA_ALLOC_CONF", "expandable_segments"
SDPA = "sdpa"

_INDEX = re.compile(r"(?:(?:cuda|gpu):?)?([0-9]{1,9})", re.IGNORECASE)
_GPU = re.compile(r"[0-9]{1,9}|(?:GPU|MIG)-[\w/-]+")
_ALL_GPUS = ("auto", "cuda", "gpu")


@dataclass(frozen=True, slots=True)
class Run:
    """The choices of a run that earlier options have a part in.

    `resumes` says that a finished run is left alone; `starts_over` that unfinished work of the same command is not
    continued. `merged` is the folder that the two classic tables also go to, `failures_of` the input whose
    failures are also listed as in the earlier package.
    """

    output: Path
    devices: str
    quiet: bool
    shows_progress: bool
    keeps_embeddings: bool
    resumes: bool
    starts_over: bool
    merged: Path | None
    failures_of: Path | None


def run_of(
    earlier: Mapping[str, Any],
    flags: dict[str, Any],
    *,
    inputs: Sequence[Path],
    output: Path | None,
    devices: str,
    quiet: bool,
    keep_embeddings: bool,
    force: bool,
) -> Run:
    """The run that own and `earlier` options ask for; `flags`, which become settings, get theirs from them.

    Says which options have no effect any more. Raises SettingsError, BackendError.
    """
    quiet = quiet and not earlier["earlier_verbose"]
    for line in without_effect(earlier):
        say(line, quiet=quiet)
    layout = earlier["earlier_layout"]
    output = output or default_output(inputs)
    _set(flags, "threads", earlier["earlier_merge_threads"])
    _set(flags, "attention", SDPA if earlier["earlier_v1_attention"] else None)
    # A layout is one of a tool, and so is a dialect.
    _set(flags, "dialect", layout)
    if earlier["earlier_expandable_segments"]:
        _grow_segments()
    resumes = bool(earlier["earlier_resume"])
    return Run(
        output=output,
        devices=among_gpus(devices, earlier["earlier_gpus"]),
        quiet=quiet,
        shows_progress=not earlier["earlier_no_progress"],
        keeps_embeddings=keep_embeddings or bool(earlier["earlier_keep_intermediate"]),
        resumes=resumes,
        starts_over=not resumes and bool(force or earlier["earlier_force_resume"]),
        merged=None if layout is None else merged_folder(layout, inputs, output),
        failures_of=inputs[0] if layout == BROAD else None,
    )


@contextmanager
def saying_resume(run: Run) -> Iterator[None]:
    """Have errors that advise to repeat the command, which would start over, say that --resume does not."""
    try:
        yield
    except VirnucproError as error:
        if run.starts_over and "repeat the command" in error.hint:
            error.hint += "; with --resume it does not start over"
        raise


def among_gpus(devices: str, gpus: str | None) -> str:
    """`devices`, whose indices count among the GPUs that `gpus` lists, as in CUDA_VISIBLE_DEVICES.

    Raises SettingsError for what is no list of GPUs, BackendError for an index beyond it.
    """
    if gpus is None:
        return devices
    listed = [word.strip() for word in gpus.split(",")]
    if not all(map(_GPU.fullmatch, listed)):
        raise SettingsError(f"--gpus {gpus!r:.80} is not a list of GPUs", hint="write numbers, as 0 or 2,3")
    words: list[str] = []
    for word in (word.strip() for word in devices.split(",")):
        if word.lower() in _ALL_GPUS:
            words += listed
        elif found := _INDEX.fullmatch(word):
            if int(found[1]) >= len(listed):
                raise BackendError(f"device {word!r} is not one of --gpus {gpus}", hint="it counts among them, from 0")
            words.append(listed[int(found[1])])
        else:
            words.append(word)
    return ",".join(words)


def _set(flags: dict[str, Any], name: str, value: Any) -> None:
    if flags.get(name) is None:
        flags[name] = value


def _grow_segments() -> None:
    """Set the variable by which torch grows its segments of GPU memory; the workers inherit it."""
    words = [word for word in os.environ.get(SEGMENTS_VARIABLE, "").split(",") if word]
    if not any(word.partition(":")[0].strip() == SEGMENTS for word in words):
        os.environ[SEGMENTS_VARIABLE] = ",".join([*words, f"{SEGMENTS}:True"])
