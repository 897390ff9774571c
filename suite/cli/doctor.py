"""``doctor``: what this machine can do, and how to get what it lacks."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from fourfold.suite import devices
from fourfold.suite.cli import options

_EXTRAS = {
    "ray": "campaigns over several workers or nodes",
    "credit": "the baselines of fair-credit",
    "images": "dp-images and its baselines",
    "forecasts": "the baselines of driver-displacement",
    "dicom": "dicom-deid and its baselines",
    "dp": "accountants and baselines with differential privacy",
    "board": "pages and plots",
}


@dataclass(frozen=True)
class Finding:
    """One thing about this machine. state: ``ok`` or ``lacks``; remedy: how to get it."""

    what: str
    state: str
    said: str
    remedy: str = ""


@click.command()
@options.json_output
@options.data
def doctor(as_json: bool, cache: Path) -> None:
    """Say what this machine can do.

    Cores, memory, GPU, confinement, versions, datasets; and of what is missing, how to get it.
    """
    found = [*_machine(), *_gpu(), *_confinement(), *_memory(), *_packages(), *_datasets(cache)]
    if as_json:
        options.say_json([asdict(each) for each in found])
        return
    width = max(len(each.what) for each in found)
    for each in found:
        options.say(f"{each.state:5}  {each.what:{width}}  {each.said}")
        if each.remedy:
            options.say(f"{'':7}{'':{width}}  -> {each.remedy}")


def _machine() -> Iterator[Finding]:
    import psutil

    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    memory = psutil.virtual_memory()
    yield Finding("system", "ok", platform.platform())
    yield Finding("cores", "ok", f"{cores}; load of the last minute {os.getloadavg()[0]:.1f}")
    yield Finding("memory", "ok", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} available")
    version = platform.python_version()
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding(
        "python",
        "ok" if fits else "lacks",
        f"{version} ({sys.executable})",
        "" if fits else "Python 3.11, 3.12 or 3.13",
    )


def _gpu() -> Iterator[Finding]:
    found = devices.gpus()
    yield from (Finding("gpu", "ok", name) for name in found)
    if not found:
        yield Finding(
            "gpu",
            "lacks",
            "no NVIDIA GPU answers; methods that ask for one cannot run here",
            "a machine with one and its driver, or a Ray cluster's with --address",
        )


def _confinement() -> Iterator[Finding]:
    from fourfold.suite import sandbox

    level, why = sandbox.level(sandbox.shown())
    if level == "namespaces":
        said = "namespaces: guests have no network, see no file or process but their own, and many system calls fail"
        yield Finding("confinement", "ok", said)
        return
    yield Finding(
        "confinement",
        "lacks",
        f"process: guests run with limits only, as the user you are, and could read what you can read ({why})",
        "run on Linux 5.12 or later where user namespaces are allowed: as root, or with "
        "`sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0`, "
        "in a container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`",
    )


def _memory() -> Iterator[Finding]:
    from fourfold.suite import cgroups

    place, why = cgroups.home()
    if place is not None:
        said = f"cgroup: all that a guest holds is counted together, beneath {place}"
        yield Finding("guests' memory", "ok", said)
        return
    yield Finding(
        "guests' memory",
        "lacks",
        f"process: each process has a limit, and the suite looks at them all, but not at what they hold in files, "
        f"sockets and page tables ({why})",
        "on Linux with systemd, start fourfold by `systemd-run --user --scope -p Delegate=yes fourfold ...`; where "
        "cgroups are of version 1, as root",
    )


def _packages() -> Iterator[Finding]:
    yield Finding("fourfold", "ok", metadata.version("fourfold"))
    extras: dict[str, list[str]] = {"": []}
    for line in metadata.requires("fourfold") or []:
        name, condition = re.match(r"[\w.-]+", line), re.search(r"extra == [\"']([\w-]+)", line)
        if name and name[0] != "fourfold":
            extras.setdefault(condition[1] if condition else "", []).append(name[0])
    for extra in ("", *_EXTRAS):
        versions = {name: _version(name) for name in extras.get(extra, ())}
        missing = [name for name, version in versions.items() if not version]
        said = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
        yield Finding(
            extra or "packages",
            "lacks" if missing else "ok",
            said,
            f"pip install 'fourfold{f'[{extra}]' if extra else ''}'" + (f", for {_EXTRAS[extra]}" if extra else "")
            if missing
            else "",
        )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _datasets(cache: Path) -> Iterator[Finding]:
    from fourfold.suite import datasets, registry

    yield Finding(
        "cache",
        "ok",
        f"{cache} ({'set' if os.environ.get('FOURFOLD_DATA') else 'the default; FOURFOLD_DATA names another'})",
    )
    for name in registry.task_names():
        try:
            known = registry.task(name).datasets.values()
        except Exception as error:
            yield Finding(
                name, "lacks", f"the task cannot be loaded: {type(error).__name__}: {error}", "what the message names"
            )
            continue
        for dataset in known:
            state = datasets.state(dataset, cache)
            there = state in ("embedded", "present")
            yield Finding(
                dataset.name,
                "ok" if there else "lacks",
                state,
                "" if there else dataset.by_hand or f"fourfold data fetch {name} {dataset.name}",
            )
