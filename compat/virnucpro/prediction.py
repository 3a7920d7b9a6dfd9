"""The original's command line: prediction.py FILE LENGTH MODEL, such as `prediction.py reads.fa 500 500_model.pth`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from virnucpro.forward import parsed, virnucpro

_PUBLISHED = re.compile(r"(300|500)_model\.pth")
SUFFIX = "_predictions"
FAILED = 1


def forwarded(arguments: Sequence[str]) -> list[str]:
    """The command line of `virnucpro` that does what the original does with `arguments`.

    Ends the process for wrong use, and for a classifier that is not there.
    """
    parser = argparse.ArgumentParser(
        prog="prediction.py", description=__doc__, epilog="Options that follow are those of 'virnucpro predict'."
    )
    parser.add_argument("file", type=Path, help="FASTA file")
    parser.add_argument("length", type=int, help="length of chunks, in bases")
    parser.add_argument("model", type=Path, help="classifier, such as 500_model.pth, or a bundle")
    asked, more = parsed(parser, arguments)
    published = _PUBLISHED.fullmatch(asked.model.name)
    if not asked.model.exists() and published is None:
        print(f"prediction.py: error: there is no {asked.model} (name the classifier, or a bundle)", file=sys.stderr)
        sys.exit(FAILED)
    if published is None or asked.model.exists():
        model = ["--model-path", str(asked.model)]
    else:
        print(
            f"prediction.py: there is no {asked.model}: the bundle that is set for chunks of {published[1]} is used",
            file=sys.stderr,
        )
        model = ["--model-type", published[1]]
    output = asked.file.parent / f"{asked.file.name.partition('.fa')[0] or asked.file.name}{SUFFIX}"
    return [
        *("--exit-codes", "old", "predict", "--expected-length", str(asked.length), *model),
        *("--layout", "original", "--compat", "original", "--output", str(output), *more, "--", str(asked.file)),
    ]


def main() -> None:
    """Run the command line of this process."""
    sys.exit(virnucpro(forwarded(sys.argv[1:])))


if __name__ == "__main__":
    main()
