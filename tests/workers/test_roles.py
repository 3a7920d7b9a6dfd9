from __future__ import annotations

import subprocess
import sys

from virnucpro_workers.roles import COORDINATE, EMBED, ROLES, process_name


def test_roles_and_their_processes_have_names_of_their_own() -> None:
    assert ROLES == (EMBED, COORDINATE, "coordinate-small")
    assert len({process_name(role, "0") for role in ROLES}) == len(ROLES)


def test_the_supervisor_needs_no_celery() -> None:
    code = "import sys, virnucpro_workers.__main__; assert not {'celery', 'kombu', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
