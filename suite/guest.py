"""The guest: the process in which a method runs, and the warm parent that forks it. Needs numpy and pyarrow alone.

``python -m fourfold.suite.guest FD FOLDER DEVICES MODULE ...`` imports the modules once and then forks a guest for each
order that comes over the socket FD, so that a cell does not pay for imports. An order is one byte that carries three
pipe ends: asks, answers, log. Everything else a guest is told, it reads from its asks; the parent reads nothing but
single bytes. FOLDER is an empty one, where guests are; DEVICES ``gpus`` or ``none``.
"""

import contextlib
import gc
import importlib
import importlib.util
import inspect
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any, NoReturn

import numpy as np
import numpy.random  # which numpy would otherwise import in each guest

from fourfold.suite import boundary, cgroups, sandbox, state
from fourfold.suite import folder as folders
from fourfold.suite.boundary import Bytes
from fourfold.suite.evidence import Rehearsed, Secret
from fourfold.suite.method import Budget, Mechanism, Method
from fourfold.suite.namespaces import ConfinementError

ORDER, READY, ASK, RECORD, ANSWER, LEDGER, STATE, ERROR = (bytes([letter]) for letter in b"ORKDALSE")
EVIDENCE, CALL, REPLY, FAULT = (bytes([letter]) for letter in b"VCYF")
WARM, FORK, KILL = b"W", b"F", b"K"
FORKED = struct.Struct("<qq")
"""What the warm parent tells once it has a guest for an order: its process id, and that of the one to come after it."""
REAPED = struct.Struct("<qdq")
"""What it tells once the guest and all it started are gone: exit status, CPU seconds, largest resident bytes."""


_GIVEN: dict[str, tuple[str, ...]] = {
    "fit": ("train", "budget"), "model": (), "deidentify": ("source", "target", "policy"),
}


_IMPORTING = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


class AnswerError(TypeError):
    """A method's answer is no array of numbers."""


def main(arguments: list[str]) -> None:
    """Be the warm parent until the socket closes.

    One process is always ahead, forked while the guest before it runs, and as far confined as it can be before its
    order, so that no cell waits for it.
    """
    control, folder, gpus = socket.socket(fileno=int(arguments[0])), arguments[1], arguments[2] == "gpus"
    sandbox.adopt_orphans()
    sandbox.open_many()
    wakeup, wakener = os.pipe()
    os.set_blocking(wakener, False)
    signal.set_wakeup_fd(wakener, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with sandbox.ended_with(control):
        for module in arguments[3:]:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    _practise()
    gc.collect()
    gc.freeze()  # The collector would write to, and so copy, the pages that guests share with this process.
    cgroups.home()  # Which those that are forked then know.
    shown = sandbox.shown()
    level, _ = sandbox.level(shown, folder)
    control.sendall(WARM + bytes([sandbox.LEVELS.index(level)]))

    def ahead() -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for descriptor in (control.fileno(), wakeup, wakener):
                os.close(descriptor)
            _be_guest(theirs, lambda: sandbox.prepare(level, folder, shown, gpus, [theirs.fileno()]))
        theirs.close()
        return pid, ours

    pid, link = ahead()
    while True:
        order, descriptors, *_ = socket.recv_fds(control, 1, 3, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        if not order:
            sandbox.end_orphans()
            return
        if order != FORK:  # A kill that came after its guest had gone.
            continue
        try:
            socket.send_fds(link, [FORK], descriptors)
        except OSError:  # It was killed while it waited, by a system short of memory.
            link.close()
            sandbox.end_orphans()
            pid, link = ahead()
            socket.send_fds(link, [FORK], descriptors)
        link.close()
        for descriptor in descriptors:
            os.close(descriptor)
        following, link = ahead()
        control.sendall(FORKED.pack(pid, following))
        control.sendall(REAPED.pack(*_attend(pid, following, control, wakeup)))
        pid = following


def _practise() -> None:
    """Do what every guest does, so that what is found out or set up the first time is there for all."""
    boundary.decode(boundary.encode({"numbers": np.zeros(1)}))


def _attend(pid: int, following: int, control: socket.socket, wakeup: int) -> tuple[int, float, int]:
    """Wait for the guest to end, or end it where the suite says so or is gone; return what ``REAPED`` holds.

    following: the process that is left alone, as it will be the next guest.
    """
    gone = False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        sources = [wakeup] if gone else [wakeup, control.fileno()]
        ready, _, _ = select.select(sources, [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
        if control.fileno() in ready:
            gone = not control.recv(1)
            _kill(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    used = usage.ru_utime + usage.ru_stime + sandbox.end_orphans(0 if gone else following)
    if gone:
        sys.exit(1)
    return os.waitstatus_to_exitcode(status), used, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # Until it has called setsid, it leads no group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _be_guest(link: socket.socket, prepare: Callable[[], sandbox.Place]) -> NoReturn:
    """Wait for an order, run one method from its import to its last answer, and leave without returning."""
    code, answers = 1, -1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        refused, place = None, None
        try:
            place = prepare()
        except ConfinementError as error:
            refused = error
        _practise()  # Its pages become ours.
        asks, answers, log = _ordered(link)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, errors="replace", closefd=False) for number in (1, 2))
        if place is None:
            raise refused or RuntimeError("no place")
        order = json.loads(boundary.receive(asks)[1])
        files = boundary.decode(boundary.receive(asks)[1])
        sandbox.confine(place, order, partial(folders.unpack, files))
        if order["role"] == "custodian":
            from fourfold.suite import custodian

            custodian.serve(order, asks, answers)
        else:
            _serve(order, os.path.join(place.method, order["file"]), asks, answers)
        code = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            _tell(error, answers)
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _ordered(link: socket.socket) -> list[int]:
    """The pipe ends for asks, answers and log, once they come; ends this process where they will not."""
    order, descriptors, *_ = socket.recv_fds(link, 1, 3, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    link.close()
    if not order:
        os._exit(0)
    return list(descriptors)


def _serve(order: dict[str, Any], file: str, asks: int, answers: int) -> None:
    budget = Budget(**order["budget"])
    _seed(budget.seed)
    kind = load(file, order["class"])
    _check_signatures(kind, order["verbs"])
    _seed(budget.seed)  # Again, for what the method's file imported, or drew.
    method = kind(budget, order["parameters"])

    def call(request: Bytes) -> bytearray:
        boundary.send(answers, CALL, request)
        return boundary.receive(asks)[1]

    secret = Secret.read(boundary.fields(boundary.receive(asks)[1]))
    method._curate, curators = _curate(order, budget, secret, call)
    boundary.send(answers, READY, b"model" if callable(getattr(kind, "model", None)) else b"")
    while True:
        tag, body = boundary.receive(asks)
        if tag == STATE:
            boundary.send(answers, STATE, json.dumps(state.count(method)).encode())
            return
        verb = body.decode()
        record = boundary.decode(boundary.receive(asks)[1])
        answer: Bytes = b""
        if verb == "fit":
            with contextlib.suppress(Rehearsed):
                method.fit(record, budget)
        elif verb == "model":
            answer = _model(method, record)
        else:
            try:
                answer = boundary.encode(_answered(method, verb, record, order["most"]))
            except Exception as error:
                _tell(error, answers, FAULT)  # The suite knows whether it may go on.
                continue
        boundary.send(answers, ANSWER, answer)
        here = curators if order["access"] == "records" else []
        boundary.send(answers, LEDGER, json.dumps(told(method.ledger.mechanisms)).encode())
        if verb == "fit":
            boundary.send(answers, EVIDENCE, boundary.encode(here[0].account()) if here else b"")


def _answered(method: Method, verb: str, record: Any, most: int) -> Any:
    """What a method answers: an array, or, where it was given a folder, what it wrote into another."""
    if not hasattr(record, "ends"):
        return {"answer": _plain(getattr(method, verb)(record), verb)}
    policy = SimpleNamespace(**{name: value for name, value in vars(record).items() if name not in folders.FIELDS})
    with tempfile.TemporaryDirectory(dir=os.getcwd(), ignore_cleanup_errors=True) as place:
        source, target = Path(place, "in"), Path(place, "out")
        folders.unpack(record, source)
        target.mkdir()
        getattr(method, verb)(str(source), str(target), policy)
        return folders.gather(target, most)


def _curate(
    order: dict[str, Any], budget: Budget, secret: Secret, call: Callable[[Bytes], Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """What ``Method.curator`` calls, and what it made: a curator in this process, or a proxy that ``call``s one."""
    made: list[Any] = []

    def curate(train: Any, unit: Any) -> Any:
        if made:
            raise RuntimeError("a fit has one curator: keep the one that self.curator(train) gave")
        if order["access"] == "curator":
            from fourfold.suite.curator_proxy import CuratorProxy

            made.append(CuratorProxy(train, budget, call, unit))
        else:
            from fourfold.suite.curator import Curator

            made.append(Curator([getattr(train, name) for name in train.private], budget, secret, unit))
        return made[0]

    return curate, made


def _model(method: Method, query: Any) -> Bytes:
    """The method's ``model()``, a function of (parameters, *one query), as a graph with its parameters."""
    from fourfold.suite import model

    function, parameters = method.model()  # type: ignore[attr-defined]
    example = model.example([getattr(query, name) for name in query.private])
    return boundary.encode(model.packed(function, parameters, example))


def load(file: str, name: str) -> type[Method]:
    """Import a method's class from its file; its folder comes first on the path, so that it finds its own modules."""
    folder = os.path.dirname(file)
    sys.path.insert(0, folder)
    for place, _, names in os.walk(folder):
        modules = [each for each in names if each.endswith(".py")]
        if place != folder and modules and "__init__.py" not in modules:  # Of a package that is not here as a whole.
            package = ModuleType(os.path.relpath(place, folder).replace(os.sep, "."))
            package.__path__ = [place]
            sys.modules[package.__name__] = package
    spec = importlib.util.spec_from_file_location(f"method_{os.path.basename(file).removesuffix('.py')}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    kind: type[Method] = getattr(module, name)
    return kind


def _check_signatures(kind: type[Method], verbs: list[str]) -> None:
    """Raise TypeError, before anything is fitted, where a method of the class is missing or takes something else."""
    for verb in verbs:
        given = _GIVEN.get(verb, ("query",))
        wanted = f"write def {verb}({', '.join(('self', *given))})"
        function = getattr(kind, verb, None)
        if function is None or function is getattr(Method, verb, None):
            raise TypeError(f"{kind.__name__} has no {verb}; {wanted}")
        signature = inspect.signature(function)
        try:
            signature.bind(kind, *given)
        except TypeError:
            takes = f"{kind.__name__}.{verb} is called with ({', '.join(given)}) and takes {signature}"
            raise TypeError(f"{takes}; {wanted}") from None


def _seed(seed: int) -> None:
    """Give the libraries' global generators the method's seed, so that who forgets to seed is reproducible too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def _plain(answer: Any, verb: str) -> np.ndarray:
    array = np.asarray(answer)
    if array.dtype.kind not in "fiub":
        came = f"{type(answer).__name__} of {array.dtype}"
        raise AnswerError(f"{verb} must return an array of numbers, such as a numpy array of floats; {came} came")
    return array.astype(np.float64)


def told(mechanisms: Sequence[Mechanism]) -> list[list[Any]]:
    """A ledger as plain lists of [kind, noise multiplier, sample rate, steps, sampling, unit]."""
    types = (str, float, float, int, str, str)
    if not all(isinstance(each, Mechanism) for each in mechanisms):
        raise TypeError("the ledger holds what is no Mechanism; record them by self.ledger.gaussian(...) and the like")
    return [[to(value) for to, value in zip(types, astuple(each), strict=True)] for each in mechanisms]


def _tell(error: BaseException, answers: int, tag: bytes = ERROR) -> None:
    """Print an exception for the author, and send its kind, text and place to the suite.

    tag: ``ERROR`` as the guest's last words, ``FAULT`` where it stands ready for the next ask.
    """
    text, kind = str(error), type(error).__name__
    if isinstance(error, MemoryError):
        traceback.clear_frames(error.__traceback__)  # Their variables are what filled the memory.
        kind = "MemoryError"
    elif isinstance(error, SystemExit):
        text = f"it called exit({error.code!r}) before it had answered; let fit and predict return"
    elif "read-only" in text:
        text += "; records are given read-only: copy what you want to change, as in x = x.copy()"
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        traceback.print_exception(type(error), error, _of_author(error.__traceback__))
    told = {"kind": kind, "text": text[:1000], "where": _where(error.__traceback__)}
    boundary.send(answers, tag, json.dumps(told).encode())


def _of_author(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame that is not the suite's way into the method; none where the suite objected."""
    while trace and trace.tb_frame.f_code.co_filename in (__file__, *_IMPORTING):
        trace = trace.tb_next
    return trace


def _where(trace: TracebackType | None) -> str:
    """The last line of the method's own that an exception passed through, else the last of anyone's but this file."""
    frames = [frame for frame in traceback.extract_tb(trace) if frame.filename not in (__file__, boundary.__file__)]
    own = [frame for frame in frames if sys.path and frame.filename.startswith(sys.path[0] + os.sep)]
    return "".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in (own or frames)[-1:])


if __name__ == "__main__":
    main(sys.argv[1:])
