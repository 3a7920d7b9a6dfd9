"""Commands and settings of the deployment files, held against the real command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from click.testing import CliRunner
from virnucpro_workers.__main__ import STOP_GRACE_SECONDS, build_parser

from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.settings import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SETTING_VARIABLES = {ENVIRONMENT_PREFIX + setting.name.upper() for setting in fields(Settings)} | {CONFIG_VARIABLE}
STOP_SECONDS = Settings().soft_shutdown_seconds + STOP_GRACE_SECONDS
"""How long a supervisor with the default settings may take to stop."""

SUPERVISOR = ("-m", "virnucpro_workers")
HEALTH = ("-m", "virnucpro_workers.health")


def check_command(words: Sequence[str]) -> None:
    """Fail unless `words` is a command of ours whose every flag exists."""
    program, *arguments = words
    name = Path(program).name
    if name == "virnucpro":
        # Unknown commands and flags are refused before --help is obeyed.
        result = CliRunner().invoke(cli, [*arguments, "--help"])
        assert result.exit_code == 0, result.output
    elif name == "python" and tuple(arguments[:2]) == SUPERVISOR:
        build_parser().parse_args(arguments[2:])
    elif name == "python" and tuple(arguments[:2]) == HEALTH:
        assert len(arguments) == 3, words
    else:
        raise AssertionError(f"not a command of ours: {' '.join(words)}")


def run_dir(words: Sequence[str]) -> str:
    """The folder of the heartbeats that a supervisor writes, or a probe reads."""
    words = list(words)
    if tuple(words[1:3]) == HEALTH:
        return words[3]
    return str(build_parser().parse_args(words[3:]).run_dir)


def variables_of(text: str) -> set[str]:
    """Every name that the settings would be asked for."""
    return set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z][A-Z_]*", text))
