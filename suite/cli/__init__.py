"""The command line. The module of a command is imported when it is called, and what that needs when it runs."""

import contextlib
import difflib
import importlib
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import click

from fourfold.suite.cli import configuration

COMMANDS = {
    "ls": "listing",
    "check": "checking",
    "submit": "running",
    "run": "running",
    "status": "reading",
    "show": "reading",
    "verify": "verifying",
    "merge": "storing",
    "compact": "storing",
    "board": "boarding",
    "compare": "boarding",
    "data": "data",
    "doctor": "doctor",
}
"""Each command and the module here that holds it."""

USER_ERRORS = frozenset(
    {
        "BackendError", "BadKey", "ClusterError", "DatasetError", "EnvironmentFailed", "GuestLost", "MissingExtra",
        "PackError", "StoreError", "UnfitError", "UnknownName", "WorkerError",
    }
)  # fmt: skip
"""Errors of fourfold whose message tells the user what to do; known by name, so that none is imported for it."""

OK, SOME_FAILED, USAGE, CONFLICT, INTERRUPTED = 0, 1, 2, 3, 130


class Commands(click.Group):
    """A group whose commands are imported when they are wanted, and then know the environment and the TOML file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"fourfold.suite.cli.{COMMANDS[name]}")
        command: click.Command = getattr(module, name)
        return configuration.configured(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command in the arguments; where there is none of that name, offer the nearest."""
        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, 1)
            raise click.UsageError(
                f"there is no command {name}; " + (f"did you mean {near[0]}?" if near else "see fourfold --help"), ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("fourfold"), prog_name="fourfold")
def fourfold() -> None:
    """Score machine-learning methods on accuracy, privacy, fairness and cost, all measured here.

    Each option may also come from the environment (--time-limit as FOURFOLD_TIME_LIMIT) or from a TOML file, by its
    name (time-limit = 60): ./fourfold.toml, or the one given with --config.

    \b
    Exit codes: 0 fine, 1 some cells failed, 2 usage or contract, 3 conflict, 130 interrupted.
    Completion: eval "$(_FOURFOLD_COMPLETE=bash_source fourfold)", or zsh_source, or fish_source.
    """


def main() -> None:
    """Run a command and leave with its exit code. A user's mistake is told in a line or two, without a traceback."""
    sys.exit(_outcome(lambda: fourfold.main(prog_name="fourfold", standalone_mode=False)))


def _outcome(call: Callable[[], Any]) -> int:
    try:
        return call() or OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        tell(error.format_message(), context.command_path if context else "fourfold")
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        tell("interrupted; what was stored stays")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("fourfold"):
            tell(f"{error.name} is not installed: pip install 'fourfold[all]', or what brings it")
            return USAGE
        kinds = {each.__name__ for each in type(error).__mro__ if each.__module__.startswith("fourfold.")}
        if not kinds & USER_ERRORS:
            raise
        tell(str(error))
        return USAGE


def tell(message: str, who: str = "fourfold") -> None:
    """Say a line on the error stream; where nobody listens there any more, say nothing."""
    with contextlib.suppress(OSError):
        click.echo(f"{who}: {message}", err=True)
