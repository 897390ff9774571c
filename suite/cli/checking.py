"""``check``: does a method keep the contract?"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import OK, USAGE, options, tell
from fourfold.suite.cli.completion import Name

if TYPE_CHECKING:
    from fourfold.suite.check import Finding
    from fourfold.suite.pack import Pack


@click.command()
@click.argument("method", metavar="PATH|NAME", type=Name("method"))
@options.json_output
@options.sandboxed
@options.data
def check(method: str, as_json: bool, sandboxed: bool, cache: Path) -> int:
    """Tell whether a method keeps the contract.

    It is fitted and asked, twice, on a small problem in its guest. PATH: its file, folder or archive,
    also as path[parameter=value] or path:Class. NAME: an installed method. The exit code is 2 where the contract is
    broken.
    """
    from fourfold.suite import registry
    from fourfold.suite.pack import PackError

    try:
        pack, parameters = registry.select(method)
    except (registry.UnknownName, PackError) as error:
        if as_json:
            options.say_json(
                {
                    "ok": False,
                    "method": method,
                    "findings": [{"level": "wrong", "what": "found", "said": str(error), "remedy": ""}],
                }
            )
            return USAGE
        raise
    if as_json:
        findings = list(_findings(pack, parameters, cache, sandboxed))
        fine = all(each.level != "wrong" for each in findings)
        options.say_json({"ok": fine, "method": pack.card(), "findings": [asdict(each) for each in findings]})
    else:
        fine = checked(pack, parameters, cache, sandboxed)
        options.say(f"{pack.name} keeps the contract" if fine else f"{pack.name} breaks the contract")
    return OK if fine else USAGE


def checked(pack: "Pack", parameters: Sequence[tuple[str, Any]], cache: Path, sandboxed: bool) -> bool:
    """Print the findings as they come; True where the contract is kept."""
    fine = True
    for finding in _findings(pack, parameters, cache, sandboxed):
        for line in _lines(finding):
            options.say(line)
        fine &= finding.level != "wrong"
    return fine


def _findings(
    pack: "Pack", parameters: Sequence[tuple[str, Any]], cache: Path, sandboxed: bool
) -> "Iterator[Finding]":
    from fourfold.suite import campaign
    from fourfold.suite import check as checks

    with campaign.scratch() as scratch:
        def building(line: str) -> None:
            tell(line, "fourfold check")

        yield from checks.check(pack, parameters, cache, scratch, building, sandboxed=sandboxed)


def _lines(finding: "Finding") -> Iterator[str]:
    said = [options.printable(line) for line in finding.said.splitlines()] or [""]
    yield f"{finding.level:5}  {finding.what:12}  {said[0]}"
    for line in said[1:]:
        yield f"{'':21}{line}"
    if finding.remedy:
        yield f"{'':21}-> {finding.remedy}"


def described(pack: "Pack") -> Iterator[str]:
    """What is submitted: name, version, author, licence, files, digest."""
    card = pack.card()
    for name in ("name", "version", "author", "licence", "digest"):
        yield f"{name:8}  {card[name] or '-'}"
    for path, data in sorted(pack.files.items()):
        yield f"{'file':8}  {path} ({len(data):,} bytes, SHA-256 {card['files'][path][:12]}...)"
