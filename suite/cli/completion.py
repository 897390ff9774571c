"""What a shell offers for a half-typed name. Nothing here raises: a shell has no place for errors."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


class Name(click.ParamType):
    """The name of a ``task``, a ``dataset`` or a ``method``. Any text is let through: the plan knows better."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; for a method also files."""
        found = [CompletionItem(each) for each in sorted(names(self.name)) if each.startswith(incomplete)]
        if self.name == "method" and not found:
            return [CompletionItem(incomplete, type="file")]
        return found


def names(kind: str) -> Iterable[str]:
    """All names of a kind."""
    from fourfold.suite import registry

    if kind == "method":
        return registry.method_names()
    if kind == "task":
        return registry.task_names()
    found = set()
    for name in registry.task_names():
        try:
            found |= set(registry.task(name).datasets)
        except Exception:  # A task that cannot be imported has no datasets to offer.
            continue
    return found
