"""Options from the environment and from a TOML file: each option of each command, under its own name."""

import difflib
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

DEFAULT = Path("fourfold.toml")


def configured(command: click.Command) -> click.Command:
    """Give a command, and what is beneath it, ``--config`` and an environment variable for each option."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            configured(each)
        return command
    if not any(each.name == "config" for each in command.params):
        for option in _options(command):
            option.envvar = option.envvar or f"FOURFOLD_{_spelled(option).replace('-', '_').upper()}"
        command.params.append(
            click.Option(
                ["--config"],
                type=click.Path(dir_okay=False, path_type=Path),
                envvar="FOURFOLD_CONFIG",
                is_eager=True,
                expose_value=False,
                callback=_read,
                help="A TOML file that sets options by their names.  [default: fourfold.toml, if there]",
            )
        )
    return command


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make a file's keys the defaults of this command's options."""
    if context.resilient_parsing or (path is None and not DEFAULT.is_file()):
        return
    path = path or DEFAULT
    try:
        given = tomllib.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.UsageError(f"{path} cannot be read: {reason}", context) from error
    known = _known()
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1) or sorted(known)
            raise click.UsageError(f"{path} sets {key}, which is no option; did you mean {', '.join(near)}?", context)
    mine = {_spelled(option): option for option in _options(context.command)}
    context.default_map = {
        str(option.name): _value(option, given[key], f"{path}: {key}", context)
        for key, option in mine.items()
        if key in given
    }


def _value(option: click.Option, value: Any, where: str, context: click.Context) -> Any:
    """A TOML value as the option takes it: a single one stands for a list of one."""
    if isinstance(value, dict) or (isinstance(value, list) and not option.multiple):
        raise click.UsageError(f"{where} must be a single value", context)
    if isinstance(option.type, click.Path) and not all(
        isinstance(each, str) for each in (value if isinstance(value, list) else [value])
    ):
        raise click.UsageError(f"{where} must be text: a path", context)
    return value if isinstance(value, list) or not option.multiple else [value]


def _known() -> set[str]:
    """The names of all options of all commands."""
    from fourfold.suite.cli import COMMANDS

    names = set()
    for name, module in COMMANDS.items():
        command = getattr(importlib.import_module(f"fourfold.suite.cli.{module}"), name)
        beneath = command.commands.values() if isinstance(command, click.Group) else [command]
        names |= {_spelled(option) for each in beneath for option in _options(each)}
    return names


def _options(command: click.Command) -> Iterator[click.Option]:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("config", "help"):
            yield parameter


def _spelled(option: click.Option) -> str:
    """An option's long name without its dashes."""
    return max(option.opts, key=len).lstrip("-")
