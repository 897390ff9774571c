"""``run`` and ``submit``: score what the store lacks."""

import math
import shlex
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from fourfold.suite.cli import CONFLICT, INTERRUPTED, OK, SOME_FAILED, USAGE, options, tell
from fourfold.suite.cli.completion import Name
from fourfold.suite.cli.storing import disagreements

if TYPE_CHECKING:
    from fourfold.suite.campaign import Backend, Campaign
    from fourfold.suite.evaluate import Job
    from fourfold.suite.events import Event, Setting
    from fourfold.suite.plan import Request
    from fourfold.suite.remote import Remote



def _finite(_: click.Context, __: click.Parameter, value: float) -> float:
    """Refuse NaN and infinity, at which no clock arrives."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds; give one such as 3600.")
    return value


def _numbers(_: click.Context, __: click.Parameter, values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse NaN, which lies in every range."""
    if any(value != value for value in values):
        raise click.BadParameter("nan is not in the range x>0.")
    return values


_OPTIONS = (
    click.option(
        "--dataset",
        "-d",
        "datasets",
        multiple=True,
        type=Name("dataset"),
        help="A dataset; may be repeated.  [default: the embedded ones]",
    ),
    click.option(
        "--seeds", type=click.IntRange(min=1), default=5, show_default=True, metavar="N", help="Run seeds 0 to N-1."
    ),
    click.option(
        "--seed",
        "only",
        multiple=True,
        type=click.IntRange(0, 2**31 - 1),  # as the store's column takes
        metavar="K",
        help="Run exactly this seed; may be repeated.",
    ),
    click.option(
        "--epsilon",
        "epsilons",
        multiple=True,
        type=click.FloatRange(min=0, min_open=True),
        callback=_numbers,
        help="A budget for methods that claim privacy, inf among them; may be repeated.  [default: the task's own]",
    ),
    options.place,
    options.key,
    click.option(
        "--backend",
        type=click.Choice(["ray", "process", "serial"]),
        default="ray",
        show_default=True,
        help="What runs the cells: Ray, processes of this machine, or this process.",
    ),
    click.option("--address", default="", help="A running Ray cluster's, such as auto.  [default: start a local one]"),
    click.option(
        "--workers", type=click.IntRange(min=1), metavar="N", help="Cells at once.  [default: as many as fit]"
    ),
    options.sandboxed,
    click.option(
        "--time-limit",
        type=click.FloatRange(min=0, min_open=True),
        callback=_finite,
        default=3600.0,
        show_default=True,
        metavar="SECONDS",
        help="Wall-clock time of a cell.",
    ),
    click.option(
        "--rerun",
        type=click.Choice(["missing", "failed", "all"]),
        default="missing",
        show_default=True,
        help="Which cells to run: those that the store lacks; also those that failed; all.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would run, and write nothing."),
    click.option(
        "--display",
        type=click.Choice(["auto", "rich", "plain", "none"]),
        default="auto",
        show_default=True,
        help="How to show progress.",
    ),
    options.data,
)


_NO_KEY = b"that of a plan which nobody runs"


@dataclass(frozen=True)
class Orders:
    """How ``run`` and ``submit`` do it, as given on the command line. results: a URL's are also in ``remote``."""

    results: Path
    key: Path | None
    backend: str
    address: str
    workers: int | None
    sandboxed: bool
    rerun: str
    dry_run: bool
    display: str
    cache: Path
    remote: "Remote | None" = None

    @property
    def place(self) -> str:
        """Where the results are, as the user gave it."""
        return self.remote.url if self.remote else str(self.results)


def _orders(results: Path | str, **given: Any) -> Orders:
    source = click.get_current_context().get_parameter_source("address")
    if given["address"] and given["backend"] != "ray" and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(
            f"--address {given['address']} is that of a Ray cluster, and --backend {given['backend']} runs the cells "
            "on this machine: leave out one of them"
        )
    if isinstance(results, Path):
        return Orders(results, **given)
    remote = options.fetched(results)
    return Orders(remote.mirror, **given, remote=remote)


def _scoring(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.option(
    "--task", "-t", "tasks", multiple=True, type=Name("task"), help="A task; may be repeated.  [default: all]"
)
@click.option(
    "--method",
    "-m",
    "methods",
    multiple=True,
    type=Name("method"),
    help="A method, as name[parameter=value], or its file, folder or archive; may be repeated.  "
    "[default: all of the tasks]",
)
@_scoring
def run(
    tasks: tuple[str, ...],
    methods: tuple[str, ...],
    datasets: tuple[str, ...],
    seeds: int,
    only: tuple[int, ...],
    epsilons: tuple[float, ...],
    time_limit: float,
    **orders: Any,
) -> int:
    """Score methods: each cell of (task, dataset, method, budget, seed) that the results folder lacks.

    The same command again goes on where it was stopped, and does nothing where nothing is missing. Of methods that
    nobody named, those that ask for a GPU are left out where this machine has none and no cluster is given.
    """
    from fourfold.suite import plan
    from fourfold.suite.devices import gpus

    able = bool(orders["address"] or gpus())
    request = plan.Request(
        tasks, datasets, methods, only or range(seeds), epsilons, gpus=able, sandboxed=orders["sandboxed"],
        time_limit=time_limit,
    )
    return _score(request, _orders(**orders))


@click.command()
@click.argument("path", metavar="PATH")
@_scoring
def submit(
    path: str,
    datasets: tuple[str, ...],
    seeds: int,
    only: tuple[int, ...],
    epsilons: tuple[float, ...],
    time_limit: float,
    **orders: Any,
) -> int:
    """Check a method, pack it by its content, and score it.

    PATH: its file, folder or archive, also as path[parameter=value].
    """
    from fourfold.suite import plan, registry
    from fourfold.suite.cli.checking import checked, described

    pack, parameters = registry.select(path)
    if not checked(pack, parameters, orders["cache"], orders["sandboxed"]):
        tell(f"{path} breaks the contract, as said above; nothing was scored", "fourfold submit")
        return USAGE
    for line in described(pack):
        options.say(line)
    request = plan.Request([pack.task], datasets, [path], only or range(seeds), epsilons, time_limit=time_limit,
                           sandboxed=orders["sandboxed"])
    return _score(request, _orders(**orders))


def _score(request: "Request", orders: Orders) -> int:
    from fourfold.suite import campaign, plan, remote

    place = orders.key or orders.results / "key"
    made = not place.exists() and not orders.dry_run
    if made:
        plan.jobs(request, _NO_KEY, orders.cache)  # What cannot be asked for leaves no folder and no key behind.
        campaign.store.create(orders.results)
    key = _NO_KEY if orders.dry_run and not place.exists() else campaign.read_key(place)
    if made and orders.key:
        tell(f"there was no {place}: a new key was made there, whose draws are like no other's", "fourfold run")
    if orders.remote and not orders.dry_run:
        remote.push(orders.remote)
        key = campaign.read_key(place)  # Another machine may have made one first.
    planned = campaign.planned(request, orders.results, key, orders.cache, orders.rerun)
    if orders.dry_run:
        return _tell_plan(planned, orders, named=key != _NO_KEY)
    if not planned.plan.todo:
        return _nothing(planned, orders)
    with campaign.scratch() as scratch:
        return _carry_out(planned, key, orders, scratch)


def _tell_plan(planned: "Campaign", orders: Orders, named: bool) -> int:
    """Print the cells, what is cached, and the estimated hours. named: there is a key, so that cells have their ids."""
    from fourfold.suite import display, schedule

    for job in planned.plan.todo:
        options.say(f"run     {job.cell.id[:12] if named else '-':12}  {display.where(job.cell)}")
    for job in planned.plan.cached:
        options.say(f"cached  {job.cell.id[:12]}  {display.where(job.cell)}  {planned.statuses[job.cell.id]}")
    hours = (
        schedule.remaining([planned.estimate(job.cell) for job in planned.plan.todo], [], orders.workers or 1) / 3600
    )
    how = f"on {orders.workers} workers" if orders.workers else "one after the other"
    guess = "" if planned.learned else "; the store knows nothing like them, 1 s each is assumed"
    counted = f"{len(planned.plan.todo)} cells to run, {len(planned.plan.cached)} cached"
    options.say(f"{counted}; about {hours:.2g} hours, {how}{guess}")
    return OK


def _nothing(planned: "Campaign", orders: Orders) -> int:
    statuses = [planned.statuses[job.cell.id] for job in planned.plan.cached]
    failed = len(statuses) - statuses.count("ok")
    if not statuses:
        tell("no method fits what was asked for; see `fourfold ls`", "fourfold run")
        return USAGE
    hint = "; --rerun failed tries those again" if failed else ""
    options.say(
        f"nothing to run: {orders.place} has all {len(statuses)} cells, {failed} of them without a score{hint}"
    )
    return SOME_FAILED if failed else OK


def _carry_out(planned: "Campaign", key: bytes, orders: Orders, scratch: Path) -> int:
    from fourfold.suite import campaign, display
    from fourfold.suite.events import Setting

    jobs, slots = planned.plan.todo, 1 if orders.backend == "serial" else orders.workers or 1
    backend = campaign.backend(orders.backend)
    progress = display.Progress(jobs, planned.estimate, planned.learned, slots)
    shown = display.display(orders.display, progress)
    options.say(f"{len(jobs)} cells to run, {len(planned.plan.cached)} cached")
    with _interruptible() as listen:
        try:
            _prepare(planned, orders)
            setting = Setting(
                orders.results,
                orders.cache,
                scratch,
                key,
                planned.estimate,
                orders.workers,
                orders.address,
                shlex.join(["fourfold", *sys.argv[1:]]),
                shown.show,
                orders.sandboxed,
            )
            with closing(_events(backend, jobs, setting, orders)) as events, shown:
                for event in events:
                    listen()
                    shown.take(event)
        except (KeyboardInterrupt, SystemExit) as ending:
            if isinstance(ending, SystemExit) and ending.code != signal.SIGTERM:  # Ray makes that one of the signal.
                raise
            _summarize(progress, orders)
            rest = " without --rerun all" if orders.rerun == "all" else ""
            tell(f"interrupted; the same command{rest} does the rest", "fourfold run")
            return INTERRUPTED
    _summarize(progress, orders)
    if orders.remote and (fought := orders.remote.clashes).conflicts:
        for line in disagreements(fought, orders.place):
            tell(line, "fourfold run")
        return CONFLICT
    missing = sum(planned.statuses[job.cell.id] != "ok" for job in planned.plan.cached)
    return SOME_FAILED if progress.failures or missing else OK


def _prepare(planned: "Campaign", orders: Orders) -> None:
    from fourfold.suite import campaign, remote

    if orders.remote:
        remote.retire(orders.remote, planned.again)
    campaign.prepare(planned, orders.results)
    if orders.remote:
        remote.push(orders.remote)


def _events(backend: "Backend", jobs: "Sequence[Job]", setting: "Setting", orders: Orders) -> "Generator[Event]":
    """What happens in the campaign; a cell is finished once it is where the results are."""
    from fourfold.suite import remote

    with closing(backend(jobs, setting)) as events:  # type: ignore[type-var]
        yield from remote.uploaded(orders.remote, events) if orders.remote else events


def _summarize(progress: Any, orders: Orders) -> None:
    """Say how it ended: counts, the reason of each failure once a method, and where to look."""
    from fourfold.suite.display import duration, reasons

    for reason in reasons(progress.failures.items()):
        options.say(f"  {reason}")
    counted = ", ".join(
        f"{count} {status}"
        for status, count in sorted(progress.statuses.items(), key=lambda pair: (pair[0] != "ok", pair))
    )
    results = shlex.quote(orders.place)
    options.say(f"{counted or 'no cell done'}, in {duration(progress.elapsed)}")
    options.say(f"results: {results}; to see the board: fourfold board {results}")


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM end a campaign as Ctrl-C does; what is yielded makes it so again after Ray, as it starts, took it."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def listen() -> None:
        signal.signal(signal.SIGTERM, end)

    before = signal.getsignal(signal.SIGTERM)
    listen()
    try:
        yield listen
    finally:
        signal.signal(signal.SIGTERM, before)
