"""The container's command line: virnucpro_cli.py INPUT OUTPUT, such as `virnucpro_cli.py input.bam output.tsv`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virnucpro.forward import SWITCH, parsed, virnucpro

TABLES = {"chunks": "prediction_results_highestscore.csv", "frames": "prediction_results.txt"}
RESULTS = ".virnucpro"
OPTIONS: dict[str, dict[str, Any]] = {
    "--expected-length": {"type": int, "help": "length of chunks, in bases; 300 and 500 choose the model"},
    "--no-gpu": SWITCH | {"help": "compute on the processor"},
    "--gpus": {"help": "GPUs, such as 0,1"},
    "--table": {"choices": list(TABLES), "default": "chunks", "help": "rows of the table (chunks)"},
    "--force": SWITCH | {"help": "replace the table"},
}
FAILED = 1
_PUBLISHED = (300, 500)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: a command line of `virnucpro` on `source`, and the table of its results that becomes `output`."""

    arguments: tuple[str, ...]
    table: Path
    source: Path
    output: Path
    force: bool


def call_of(arguments: Sequence[str]) -> Call:
    """The call that the container's `arguments` stand for."""
    parser = argparse.ArgumentParser(
        prog="virnucpro_cli.py", description=__doc__, epilog="Options that follow are those of 'virnucpro predict'."
    )
    parser.add_argument("input", type=Path, help="BAM, FASTA or FASTQ file")
    parser.add_argument("output", type=Path, help="table to write")
    asked, more = parsed(parser, arguments, OPTIONS)
    results = asked.output.parent / f"{asked.output.name}{RESULTS}"
    flags = ["--dialect", "broad", "--allow-empty", "--incomplete-ok", "--output", str(results)]
    if asked.expected_length is not None:
        flags += ["--expected-length", str(asked.expected_length)]
        named = {"-m", "-p", "--bundle", "--model-type", "--model-path"}
        if asked.expected_length in _PUBLISHED and not named & {word.partition("=")[0] for word in more}:
            flags += ["--model-type", str(asked.expected_length)]
    if asked.no_gpu:
        flags += ["--device", "cpu"]
    elif asked.gpus is not None:
        flags += ["--gpus", asked.gpus]
    force = asked.force or "-f" in more
    flags.append("--force" if force else "--resume")
    command = ("--exit-codes", "old", "predict", *flags, *more, "--", str(asked.input))
    return Call(command, results / TABLES[asked.table], asked.input, asked.output, force)


def run(call: Call) -> int:
    """Run the call, and put its table in place; returns the exit code."""
    if call.output.exists() and call.source.exists() and call.output.samefile(call.source):
        return _complain(f"{call.output} is the input (choose another file for the table)")
    if call.output.is_dir():
        return _complain(f"{call.output} is a folder (name a file for the table)")
    if os.path.lexists(call.output) and not call.force and not call.table.exists():
        return _complain(f"{call.output} exists already (use --force to replace it)")
    code = virnucpro(call.arguments)
    if code:
        return code
    try:
        content = call.table.read_bytes()
        if os.path.lexists(call.output) and not call.force:
            if call.output.is_file() and call.output.read_bytes() == content:
                return 0
            return _complain(f"{call.output} exists already, with other content (use --force to replace it)")
        _write(call.output, content)
    except OSError as error:
        return _complain(f"{call.output} cannot be written: {error.strerror} (the table is {call.table})")
    return 0


def _write(output: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        Path(temporary).replace(output)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _complain(text: str) -> int:
    print(f"virnucpro_cli.py: error: {text}", file=sys.stderr)
    return FAILED


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(call_of(sys.argv[1:])))


if __name__ == "__main__":
    main()
