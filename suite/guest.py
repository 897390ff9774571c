"""The guest: the process in which a method runs, and the warm parent that forks it. Needs numpy and pyarrow alone.

``python -m fourfold.suite.guest FD MODULE ...`` imports the modules once and then forks a guest for each order that
comes over the socket FD, so that a cell does not pay for imports. An order carries three pipe ends: asks, answers, log.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import random
import selectors
import signal
import socket
import sys
import traceback
from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np

from fourfold.suite import boundary, sandbox, state
from fourfold.suite.method import Budget, Ledger, Method

READY, ASK, RECORD, ANSWER, LEDGER, STATE, ERROR = (bytes([letter]) for letter in b"RKDALSE")


def main(arguments: list[str]) -> None:
    """Be the warm parent until the socket closes."""
    control = socket.socket(fileno=int(arguments[0]))
    sandbox.adopt_orphans()
    wakeup, wakener = os.pipe()
    os.set_blocking(wakener, False)
    signal.set_wakeup_fd(wakener, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the suite, which then closes the socket.
    for module in arguments[1:]:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    control.sendall(b"{}\n")
    while True:
        order, descriptors, *_ = socket.recv_fds(control, 1 << 16, 3)
        if not order:
            return
        pid = os.fork()
        if pid == 0:
            for descriptor in (control.fileno(), wakeup, wakener):
                os.close(descriptor)
            _be_guest(json.loads(order), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(json.dumps({"pid": pid}).encode() + b"\n")
        control.sendall(json.dumps(_attend(pid, control, wakeup)).encode() + b"\n")


def _attend(pid: int, control: socket.socket, wakeup: int) -> dict[str, float]:
    """Wait for the guest to end, and end it where the suite is gone first; return what the system counted for it."""
    with selectors.DefaultSelector() as selector:
        selector.register(wakeup, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        while True:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                break
            for key, _ in selector.select():
                if key.fileobj == wakeup:
                    os.read(wakeup, 4096)
                elif not control.recv(1, socket.MSG_PEEK):
                    os.killpg(pid, signal.SIGKILL)
                    sandbox.end_orphans()
                    sys.exit(1)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    sandbox.end_orphans()
    return {"status": os.waitstatus_to_exitcode(status), "cpu": usage.ru_utime + usage.ru_stime, "maxrss": usage.ru_maxrss}


def _be_guest(order: dict[str, Any], asks: int, answers: int, log: int) -> None:
    """Run one method from its import to its last answer, and leave without returning."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.stdout = open(1, "w", buffering=1, errors="replace", closefd=False)
        sys.stderr = open(2, "w", buffering=1, errors="replace", closefd=False)
        sandbox.confine(order["memory_limit"], order["scratch"])
        _serve(order, asks, answers)
        code = 0
    except BaseException as error:
        traceback.print_exc()
        with contextlib.suppress(OSError, ValueError):
            boundary.send(answers, ERROR, json.dumps(_told(error)).encode())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _told(error: BaseException) -> dict[str, str]:
    text = str(error)
    if "read-only" in text:
        text += " (records are given read-only: copy what you want to change)"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    where = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return {"kind": type(error).__name__, "text": text[:1000], "where": where}


def _serve(order: dict[str, Any], asks: int, answers: int) -> None:
    budget = Budget(**{name: float(value) if name in ("epsilon", "delta") else value
                       for name, value in order["budget"].items()})
    _seed(budget.seed)
    method = load(order["file"], order["class"])(budget, order["parameters"])
    boundary.send(answers, READY)
    while True:
        tag, body = boundary.receive(asks)
        if tag == STATE:
            boundary.send(answers, STATE, json.dumps(state.count(method)).encode())
            return
        verb = body.decode()
        tag, body = boundary.receive(asks)
        record = boundary.decode(body)
        answer = method.fit(record, budget) if verb == "fit" else getattr(method, verb)(record)
        boundary.send(answers, ANSWER, b"" if verb == "fit" else boundary.encode({"answer": _plain(answer, verb)}))
        boundary.send(answers, LEDGER, _ledger(method.ledger))


def load(file: str, name: str) -> type[Method]:
    """Import a method's class from its file; its folder comes first on the path, so that it finds its own modules."""
    sys.path.insert(0, os.path.dirname(file))
    spec = importlib.util.spec_from_file_location(f"method_{os.path.basename(file).removesuffix('.py')}", file)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


def _seed(seed: int) -> None:
    """Give the libraries' global generators the method's seed, so that who forgets to seed is reproducible too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _plain(answer: Any, verb: str) -> np.ndarray:
    array = np.asarray(answer)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{verb} must return an array of numbers; it returned {type(answer).__name__} of {array.dtype}")
    return array.astype(np.float64)


def _ledger(ledger: Ledger) -> bytes:
    mechanisms = getattr(ledger, "mechanisms", [])
    names = [field.name for field in fields(mechanisms[0])] if mechanisms else []
    return boundary.encode({name: np.array([getattr(each, name) for each in mechanisms]) for name in names} or {"kind": ()})


if __name__ == "__main__":
    main(sys.argv[1:])
