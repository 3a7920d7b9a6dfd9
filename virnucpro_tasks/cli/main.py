"""`virnucpro`: the group of commands, and the translation of errors into messages and exit codes."""

from __future__ import annotations

from virnucpro_tasks.system.start_module import leave_out_current_folder

if __name__ == "__main__":
    leave_out_current_folder()

import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.complaint import complain
from virnucpro_tasks.cli.earlier_exit_codes import ExitCodes, exit_codes_option
from virnucpro_tasks.cli.interrupted import interruption
from virnucpro_tasks.cli.log_file import close_log, log, open_log
from virnucpro_tasks.cli.terminal_text import fitted
from virnucpro_tasks.earlier_variables import earlier_warnings
from virnucpro_tasks.errors import ExitCode, SettingsError, VirnucproError
from virnucpro_tasks.settings import CONFIG_VARIABLE, TRACEBACK_VARIABLE, service_variables
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.interruption import catch_ending_signals
from virnucpro_tasks.system.isolation import forget_foreign_variables
from virnucpro_tasks.system.streams import protect_streams

PROGRAM = "virnucpro"
"""The name of this program in messages, however it was started."""

COMMANDS = {
    "predict": "Classify reads and contigs on this host; needs no server.",
    "submit": "Submit a job to a running deployment.",
    "import": "Submit a job that takes over work of an earlier tool.",
    "rescore": "Score and tabulate again, without computing vectors.",
    "status": "Show one job.",
    "watch": "Follow one job until it ends.",
    "list": "List the jobs of a store.",
    "top": "Show jobs and workers live.",
    "results": "Copy the results of a finished job.",
    "report": "Make the report page of results again.",
    "extract": "Write the sequences of viral records anew, with other cutoffs.",
    "workbook": "Put result tables into an Excel workbook, ids as text.",
    "cancel": "Stop a job.",
    "resume": "Continue a job from what is on disk.",
    "remove": "Delete a job and its files.",
    "prune": "Delete jobs that ended long ago, or all but their results.",
    "worker": "Start workers on this host, one process per device.",
    "flower": "Start Flower, on loopback and with a password.",
    "exporter": "Serve metrics of the deployment for Prometheus.",
    "models": "Fetch published models; make, check, list bundles.",
    "train": "Fit a head to labelled records.",
    "evaluate": "Measure a bundle on labelled records.",
    "bench": "Measure the speed of the models on this host.",
    "parity": "Compare the models with independent ones in FP32.",
    "chaos": "Inject faults into a private instance and compare results.",
    "doctor": "Check this installation and deployment.",
    "config": "Show the effective settings; convert a settings file.",
}
"""The commands and what --help says of them. Each is the function `command` in the module of its name."""

EARLIER_COMMANDS = {
    "utils": "List devices, check FASTA, make a settings file, check .pt files.",
    "benchmark": "Compare speed and memory of this host; as 'bench'.",
    "profile": "Find the size of a batch that is fastest on a device.",
}
"""The commands of earlier versions that have no other name here."""

MODULES = {
    "list": "list_jobs",
    "import": "import_work",
    "utils": "earlier_utils",
    "benchmark": "earlier_benchmark",
    "profile": "earlier_profile",
}
"""Modules whose name is not that of their command."""

HOW_TO_GO_ON = {
    "train": "the same command goes on from the vectors in its --work folder",
    "evaluate": "the same command goes on from the vectors in its --work folder",
    "results": "repeat the command: the results stay in the store",
    "extract": "nothing is left behind: repeat the command",
    "rescore": "nothing is left behind: repeat the command",
    "top": "nothing is kept: repeat the command",
    "chaos": "nothing is kept: the same command injects the same faults again",
    "bench": "nothing is kept: repeat the command",
    "parity": "nothing is kept: repeat the command",
}
"""Commands that say themselves how to go on, or leave nothing behind, are not among them."""

FITTING_COMMANDS = frozenset({"train", "evaluate"})
"""The commands that compute with NumPy in their own process."""


class LazyGroup(click.Group):
    """Imports the module of a command when the command is used, so that `--help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *EARLIER_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in FITTING_COMMANDS:
            # NumPy's BLAS starts a thread for each core when it is imported, more than some hosts allow.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        module = import_module(f"virnucpro_tasks.cli.{MODULES.get(cmd_name, cmd_name)}")
        return module.command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; if it is interrupted, the message says how to go on, where there is something to say."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if advice := HOW_TO_GO_ON.get(ctx.invoked_subcommand or ""):
                error.add_note(advice)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        with formatter.section("Commands of earlier versions"):
            formatter.write_dl(list(EARLIER_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="virnucpro-tasks", prog_name=PROGRAM)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Settings file, TOML or YAML.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the log of workers, in all detail.")
@click.option("-q", "--quiet", "silent", is_flag=True, help="Print errors and results only.")
@click.option("-l", "--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Append messages to this file.")
@exit_codes_option("Exit codes of this version, or of the earlier package.")
@click.pass_context
def cli(context: click.Context, /, config: Path | None, *, verbose: bool, silent: bool, log_file: Path | None) -> None:
    """Tell which reads and contigs are viral.

    Settings come from --config, VIRNUCPRO_* variables and flags; a flag counts most. See 'virnucpro config show'.
    """
    if log_file is not None:
        open_log(log_file)
    # The commands of 'config' look at a file themselves, also at one with faults.
    if (config is not None or os.environ.get(CONFIG_VARIABLE)) and context.invoked_subcommand != "config":
        # Imported here: most commands read no settings file.
        from virnucpro_tasks.cli.config_file import use_file

        use_file(context, config)
        silent = context.params["silent"]
        if log_file is None and context.params["log_file"] is not None:
            open_log(context.params["log_file"])
    if names := service_variables(os.environ):
        text = (
            f"ignored {', '.join(sorted(names))}: Kubernetes or Docker sets them for a service of this name, they are"
        )
        _warn(f"{text} no settings", silent=silent)
    for line in earlier_warnings(os.environ):
        _warn(line, silent=silent)


def _warn(text: str, *, silent: bool) -> None:
    log(text, level="WARNING")
    if not silent:
        click.echo(fitted(f"{PROGRAM}: warning: {text}", sys.stderr), err=True)


def main(*, tell: Callable[[VirnucproError], None] | None = None) -> None:
    """Run the command line; every error ends with one message on standard error and a documented exit code.

    Errors meant for a user are given to `tell`, if there is one, instead of being printed.
    """
    tell = tell or _print
    codes, code = ExitCodes(), 0
    leave_out_current_folder()
    forget_foreign_variables()
    protect_streams(output_is_product=True)
    catch_ending_signals()
    try:
        code = cli.main(prog_name=PROGRAM, standalone_mode=False, obj=codes)
        code = code if isinstance(code, int) else ExitCode.OK
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        code = _complain(interruption(error.__cause__ or error), ExitCode.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        tell(SettingsError(_usage_message(error)))
        code = error.exit_code
    except VirnucproError as error:
        tell(error)
        code = error.exit_code
    except OSError as error:
        cause = cause_of(error)
        hint = f" ({cause.advice})" if cause.advice else ""
        code = _complain(f"{error.filename or 'system'}: {cause.words}{hint}", ExitCode.UNEXPECTED)
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        code = _complain(
            f"unexpected {type(error).__name__}: {error} (please report it; {TRACEBACK_VARIABLE}=1 shows where)",
            ExitCode.UNEXPECTED,
        )
    close_log()
    sys.exit(codes.of(code))


def _usage_message(error: click.ClickException) -> str:
    """The message of click in one line, and the help of the command concerned."""
    message = " ".join(error.format_message().split()).removesuffix(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} (see '{context.command_path if context else PROGRAM} --help')"


def _print(error: VirnucproError) -> None:
    complain(str(error))


def _complain(message: str, code: ExitCode) -> ExitCode:
    complain(message)
    return code


if __name__ == "__main__":
    main()
