"""A connection to Ray: a cluster that runs, or one started on this machine for one campaign."""

import atexit
import contextlib
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from fourfold.suite import leftovers
from fourfold.suite.events import Setting

_LOCAL = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
_HEALTH = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "8000",
    "RAY_health_check_failure_threshold": "1",
}
"""Have Ray notice in under ten seconds that a node hangs; by itself it takes a minute. One question that may take eight
seconds, not several short ones: a machine that is merely busy misses those."""
_GUARD = """
import contextlib, psutil, shutil, sys
found = []
for pid in sys.argv[2:]:
    with contextlib.suppress(psutil.Error):
        found.append(psutil.Process(int(pid)))
sys.stdin.read()
for each in found:
    with contextlib.suppress(psutil.Error):
        each.kill()
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
"""Waits until its standard input closes, then ends those of the processes that are still the same, and the folder."""
_PATIENCE = 10.0  # Seconds that Ray may take to end an actor, or to disconnect.
_SILENCE = 5.0  # Seconds without an answer after which its node is asked after.
_QUIET: Any = {"log_to_driver": False, "logging_level": logging.ERROR}


class ClusterError(RuntimeError):
    """The cluster cannot be used, or was lost: what is wrong, and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says; Ray's go on for many."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def awaited(ray: Any, ref: Any) -> Any:
    """What a reference of this node's comes to. Raises what it failed with, and NodeDiedError where the node is lost.

    Ray tells those that wait for an actor when it dies with its node, but not always: so the node is asked after.
    """
    here = ray.get_runtime_context().get_node_id()
    while not ray.wait([ref], timeout=_SILENCE)[0]:
        if here not in {node["NodeID"] for node in ray.nodes() if node["Alive"]}:
            raise ray.exceptions.NodeDiedError("the node of this process was lost")
    return ray.get(ref)


def bounded(call: Callable[[], object]) -> bool:
    """Whether a call to Ray came back in time: where a raylet hangs, some never do."""
    calling = threading.Thread(target=call, daemon=True)
    calling.start()
    calling.join(_PATIENCE)
    return not calling.is_alive()


@contextlib.contextmanager
def connected(setting: Setting) -> Iterator[Any]:
    """Ray, joined at an address or started on this machine, until the end of the campaign.

    A Ray started here listens on every interface: only who knows its token may use it. It has no dashboard, reports
    nothing to its makers, and keeps its files in a folder of its own. A cluster that is joined asks for the token in
    the user's environment, if for any.
    """
    with contextlib.ExitStack() as stack:
        if not setting.address:
            chosen = {name: os.environ.get(name, value) for name, value in _HEALTH.items()}
            # Ray reads them when it is imported, and its servers when they start.
            stack.enter_context(_environment(RAY_AUTH_TOKEN=_token(), **_LOCAL, **chosen))
        try:
            import ray
        except ImportError as error:
            raise ClusterError("Ray is not installed: pip install 'fourfold[ray]', or use --backend process") from error
        if setting.address:
            _join(ray, setting.address)
            stack.callback(_leave, ray)
        else:
            stack.enter_context(_started(ray, max(os.cpu_count() or 1, setting.workers or 1)))
        _hush()
        yield ray


@contextlib.contextmanager
def _started(ray: Any, cpus: int) -> Iterator[None]:
    """Start Ray. Its processes and its folder are gone when this process is, however it ends: a guard sees to that.

    When this process is killed, all of Ray's notice by themselves but two, which would stay for a minute.
    """
    # Sockets lie beneath the folder, and their paths may have no more than 107 bytes.
    short = Path("/tmp") if os.path.isdir("/tmp") else None
    with contextlib.ExitStack() as stack:
        folder = str(stack.enter_context(leftovers.folder("fourfold-ray-", short)))
        stack.enter_context(_environment(TMPDIR=folder))
        before = _children()
        ray.init("local", num_cpus=cpus, include_dashboard=False, _temp_dir=folder, **_QUIET)
        started = _children() - before
        guard = subprocess.Popen(
            [sys.executable, "-I", "-c", _GUARD, folder, *started], stdin=subprocess.PIPE, process_group=0)
        stack.callback(lambda: _leave(ray) and guard.communicate())
        yield


def _leave(ray: Any) -> bool:
    """Disconnect; False where Ray does not come back from that. The process then ends so."""
    came_back = bounded(ray.shutdown)
    if not came_back:
        atexit.unregister(ray.shutdown)
    return came_back


def _children() -> set[str]:
    return {str(each.pid) for each in psutil.Process().children(recursive=True)}


def _hush() -> None:
    """Keep Ray from printing, among what this prints, that workers died: the campaign tells of it itself."""
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.ray_logging import global_worker_stdstream_dispatcher

        global_worker_stdstream_dispatcher.remove_handler("ray_print_logs")


def _join(ray: Any, address: str) -> None:
    if address.startswith("ray://"):
        raise ClusterError(f"{address} is an address for Ray Client, whose driver is on no node that could keep the "
                           "results; run this command on a node of the cluster, with --address auto")
    try:
        host, colon, port = address.rpartition(":")
        if colon:  # Ray itself tries for minutes.
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        ray.init(address, **_QUIET)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(f"no Ray cluster at {address} lets this machine in: {first_line(error)}; if it asks for a "
                           "token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN") from error


@cache
def _token() -> str:
    """What a client of the Ray started here must know. Ray's own code keeps the first that a process has used."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
