"""`python -m virnucpro …` is `virnucpro …`."""

from __future__ import annotations

from virnucpro_tasks.cli.main import main

if __name__ == "__main__":
    main()
