"""``verify``: re-run some of somebody's cells and tell whether the numbers agree."""

import random
import tempfile
from pathlib import Path

import click

from fourfold.suite.cli import CONFLICT, OK, SOME_FAILED, options, tell


class Share(click.ParamType):
    """A share of the cells, ``5%``, or so many of them, ``20``."""

    name = "share"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, bool]:
        """Return (number, whether it is per cent)."""
        text, percent = str(value).removesuffix("%"), str(value).endswith("%")
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not number > 0 or (percent and number > 100) or (not percent and number % 1):
            self.fail(f"{value!r} is no share; write 5% or a number of cells", param, ctx)
        return number, percent


@click.command()
@options.results_read
@click.option(
    "--sample", type=Share(), default="5%", show_default=True, help="How many of the cells: a share, or a number."
)
@options.key
@options.json_output
@options.data
def verify(results: Path, sample: tuple[float, bool], key: Path | None, as_json: bool, cache: Path) -> int:
    """Re-run a random sample of somebody's cells.

    RESULTS: the folder, with its key and its methods' archives. The cells run in a temporary folder; every metric but
    cost must come out the same. The exit code is 3 where one does not, and 1 where no cell could be re-run.
    """
    from fourfold.suite import verify as verifying
    from fourfold.suite.display import spoken

    secret = verifying.read_key(key or results / "key")
    cells = verifying.candidates(results)
    number = sample[0] * len(cells) / 100 if sample[1] else sample[0]
    chosen = sorted(random.SystemRandom().sample(cells, min(len(cells), max(1, round(number)))) if cells else [])
    with tempfile.TemporaryDirectory(prefix="fourfold-") as folder:
        report = verifying.verify(results, chosen, secret, cache, Path(folder))
    code = CONFLICT if report.disagreements else SOME_FAILED if chosen and not report.agreeing else OK
    if as_json:
        options.say_json(report.plain())
        return code
    for note in report.notes:
        tell(note, "fourfold verify")
    for cell, reason in report.impossible.items():
        options.say(f"not re-run: {cell[:12]}: {spoken(reason, 300)}")
    for each in report.disagreements:
        options.say(f"disagrees: {each.cell[:12]} {each.what}: {each.stored} stored, {each.found} here")
    options.say(
        f"{len(report.agreeing)} of {len(chosen)} cells agree in all of {report.numbers} numbers, "
        f"{len({each.cell for each in report.disagreements})} disagree, {len(report.impossible)} could not be re-run"
    )
    return code
