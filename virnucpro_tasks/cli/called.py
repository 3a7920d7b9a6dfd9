"""`virnucpro` as another Python process calls it: the error that it ends with is handed over as an object.

    python -m virnucpro_tasks.cli.called DESCRIPTOR [ARGUMENT]...

`virnucpro_tasks.classify` starts it so. A pickled VirnucproError is written to the open file DESCRIPTOR.
"""

from __future__ import annotations

import os
import pickle
import sys

from virnucpro_tasks.cli.main import main as virnucpro
from virnucpro_tasks.errors import VirnucproError


def main() -> None:
    """Take the descriptor from the command line, then run the command that follows."""
    descriptor = int(sys.argv.pop(1))

    def hand_over(error: VirnucproError) -> None:
        with os.fdopen(descriptor, "wb") as file:
            pickle.dump(error, file)

    virnucpro(tell=hand_over)


if __name__ == "__main__":
    main()
