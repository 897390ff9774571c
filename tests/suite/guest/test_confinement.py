"""What a confined guest finds of the world: for each level, by a real guest that looks."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.suite import sandbox, seccomp
from fourfold.suite.method import Budget
from fourfold.suite.task import Ask
from fourfold.suite.visit import Visit, visit
from fourfold.suite.warm import Parents

LEVEL, WHY = sandbox.level(sandbox.shown())
CONFINED = pytest.mark.skipif(LEVEL != "namespaces", reason=f"guests cannot be confined here: {WHY}")

Run = Callable[..., Visit]


@pytest.fixture
def found(run: Run, heard: Callable[[Visit], Any]) -> Callable[[str], Any]:
    """What an expression is, in a guest."""

    def found(expression: str, *, before: str = "pass") -> Any:
        return heard(run(f"""
            def fit(self, train, budget):
                import json, socket, subprocess, glob, ctypes
                {before}
                print()
                print(json.dumps({expression}))
        """))

    return found


@CONFINED
def test_it_is_alone(found: Callable[..., Any]) -> None:
    assert found("[os.getpid(), os.getppid()]") == [2, 1]
    assert found("sorted(p for p in os.listdir('/proc') if p.isdigit())") == ["1", "2"]
    assert found("[os.getuid() == 0, sorted(os.listdir('/sys')) in (['devices'], [])]") == [False, True]


@CONFINED
def test_it_sees_no_file_but_the_systems_and_its_own(
    found: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("answers") / "secret"
    secret.write_text("answers")
    here = str(Path(__file__).resolve())
    looked = ["/root/.ssh", "/home", "/etc/shadow", "/etc/hostname", "/var", str(secret), here]
    assert found(f"[path for path in {looked!r} if os.path.exists(path)]") == []
    assert found("sorted(os.listdir('/method'))") == ["guest_method.py"]
    assert found("[os.getcwd(), os.listdir('.'), os.environ['HOME']]") == ["/scratch", [], "/scratch"]


@CONFINED
@pytest.mark.parametrize("place", ["/", "/usr/lib", "/etc", "/method", "/dev", "/proc/sys/kernel/hostname", sys.prefix])
def test_it_writes_nowhere_but_in_its_scratch(found: Callable[..., Any], place: str) -> None:
    name = place if place.startswith("/proc") else f"{place}/written"
    assert found(f"os.access({place!r}, os.W_OK)") is False
    script = f"try:\n    open({name!r}, 'w')\n    print(0)\nexcept OSError as error:\n    print(error.errno)"
    tried = f"subprocess.run([{sys.executable!r}, '-c', {script!r}], capture_output=True, text=True).stdout.strip()"
    assert found(tried) in ("13", "30", "1")


@CONFINED
def test_its_scratch_has_an_end(found: Callable[..., Any]) -> None:
    full = "[os.statvfs('/scratch').f_blocks * os.statvfs('/scratch').f_frsize, os.statvfs('/dev/shm').f_blocks > 0]"
    assert found(full) == [sandbox.SCRATCH, True]


@CONFINED
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"])
def test_it_has_no_network(run: Run, family: str) -> None:
    seen = run(f"def fit(self, train, budget): import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM)")
    assert seen.status == "failed"
    assert seen.reason.startswith("PermissionError: [Errno 1] Operation not permitted (at guest_method.py")


@CONFINED
def test_local_sockets_and_subprocesses_work(found: Callable[..., Any]) -> None:
    assert found("len(socket.socketpair())") == 2
    home = "subprocess.run(['/bin/sh', '-c', 'echo $HOME'], capture_output=True, text=True).stdout"
    assert found(home) == "/scratch\n"
    pooled = "__import__('multiprocessing').get_context('fork').Pool(2).map(abs, [-1, -2])"
    assert found(pooled) == [1, 2]


@CONFINED
def test_it_has_no_rights_and_cannot_get_any(found: Callable[..., Any]) -> None:
    lines = found("dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())")
    assert {lines[name].strip().strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert (lines["NoNewPrivs"].strip(), lines["Seccomp"].strip()) == ("1", "2")


CALLS = seccomp.denied(platform.machine()) if platform.machine() in ("x86_64", "aarch64") else {}


@CONFINED
def test_calls_that_are_denied_fail_and_leave_it_running(found: Callable[..., Any]) -> None:
    made = "ctypes.get_errno() if libc.syscall(n, 0, 0, 0, 0, 0) == -1 else 'made'"
    came = found(f"[{made} for n in {list(CALLS.values())!r}]", before="libc = ctypes.CDLL(None, use_errno=True)")
    assert dict(zip(CALLS, came, strict=True)) == dict.fromkeys(CALLS, 1)


@CONFINED
@pytest.mark.parametrize("flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
def test_no_namespace_is_made_by_clone(found: Callable[..., Any], flag: int) -> None:
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    tried = f"[libc.syscall({clone}, {flag | 17}, 0, 0, 0, 0), ctypes.get_errno()]"
    assert found(tried, before="libc = ctypes.CDLL(None, use_errno=True)") == [-1, 1]


def test_numbers_are_those_of_the_systems_headers() -> None:
    header = Path(f"/usr/include/{platform.machine()}-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the headers of Linux are not installed (linux-libc-dev)")
    lines = (line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    numbers = {name.removeprefix("__NR_"): int(number) for _, name, number in lines}
    assert {name: numbers[name] for name in CALLS if name in numbers} == {
        name: number for name, number in CALLS.items() if name in numbers
    }
    assert len([name for name in CALLS if name in numbers]) > len(CALLS) - 5


@CONFINED
def test_what_was_told_of_tmp_before_the_fork_can_still_write_there(found: Callable[..., Any]) -> None:
    assert found("open('/tmp/written', 'w').write('text')") == 4


@CONFINED
def test_two_guests_share_nothing_they_wrote(run: Run, heard: Callable[[Visit], Any]) -> None:
    write = "def fit(self, train, budget): [open(f'{d}/left', 'w') for d in ('/scratch', '/dev/shm')]; print([])"
    assert heard(run(write)) == []
    listed = "json.dumps(os.listdir('/scratch') + os.listdir('/dev/shm'))"
    look = f"def fit(self, train, budget): import json; print({listed})"
    assert heard(run(look)) == []


@CONFINED
def test_signals_to_what_started_it_do_nothing(run: Run) -> None:
    seen = run("""
        def fit(self, train, budget):
            for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
                try:
                    os.kill(os.getppid(), number)
                except PermissionError:
                    pass
    """)
    assert seen.status == "ok", seen.reason


@CONFINED
def test_so_many_processes_and_no_more(found: Callable[..., Any]) -> None:
    count = """
                made = 0
                try:
                    while made < 2000:
                        if not os.fork():
                            time.sleep(60)
                        made += 1
                except BlockingIOError:
                    pass"""
    assert 100 < found("made", before=count.strip()) <= 512


def test_a_row_says_how_far_its_guest_was_confined(
    tmp_path: Path, asks: tuple[Ask, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plain.py"
    file.write_text(
        "import numpy as np\nfrom fourfold.suite import Method\nclass Plain(Method):\n"
        "    def fit(self, train, budget): pass\n"
        "    def predict(self, query): return np.full(len(query.features), 0.5)\n"
    )
    for asked, level in (("", LEVEL), ("process", "process")):
        monkeypatch.setenv(sandbox.PLAIN, asked)
        with Parents() as parents:
            seen = visit(parents.get((), 1), str(file), "Plain", {}, Budget(), asks)
        assert (seen.status, seen.confinement) == ("ok", level)


@pytest.fixture
def another_user() -> list[str]:
    """A command's beginning that makes it run as an ordinary user, with a Python that such a user can run."""
    python = "/usr/bin/python3"
    if os.geteuid() != 0 or not os.path.exists(python):
        pytest.skip("needs root, to become somebody else, and the system's Python")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python]


LEVEL_OF_ANOTHER = f"""
import importlib.util, json, os, sys, types
package = types.ModuleType("fourfold"); package.__path__ = []
suite = types.ModuleType("fourfold.suite"); suite.__path__ = [{str(Path(sandbox.__file__).parent)!r}]
sys.modules.update({{"fourfold": package, "fourfold.suite": suite}})
from fourfold.suite import sandbox
print(json.dumps([os.getuid(), *sandbox.level(["/usr"])]))
"""


@CONFINED
def test_it_works_as_an_ordinary_user(another_user: list[str]) -> None:
    command = [*another_user, "-c", LEVEL_OF_ANOTHER]
    ran = subprocess.run(command, capture_output=True, text=True, env={"TMPDIR": "/tmp"}, cwd="/")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [65534, "namespaces", ""]


def test_of_a_project_on_the_path_its_modules_alone_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results/cells").mkdir(parents=True)
    for name in ("results/key", "data.csv", "plugin/m.py", "spaced/part/m.py", "lone.py", "plugin.dist-info/METADATA"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    shown = {path for path in sandbox.shown() if path.startswith(str(tmp_path))}
    assert shown == {str(tmp_path / name) for name in ("plugin", "spaced", "lone.py", "plugin.dist-info")}


@CONFINED
def test_what_is_shown_of_such_a_project_can_be_imported_and_its_key_not_be_read(
    parents: Parents, tmp_path: Path, asks: tuple[Ask, ...], heard: Callable[[Visit], Any]
) -> None:
    project, python = tmp_path / "project", tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (library,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    here = sysconfig.get_path("purelib")  # Where what this Python imports is, which that one needs too.
    (library / "project.pth").write_text(f"{project}\nimport site; site.addsitedir({here!r})\n")
    (project / "results").mkdir(parents=True)
    (project / "results/key").write_text("secret")
    (project / "lone.py").write_text("found = True\n")
    method = tmp_path / "looks.py"
    method.write_text(
        "import json, os\nimport lone\nfrom fourfold.suite import Method\n"
        "class Looks(Method):\n    task = 'test'\n    def fit(self, train, budget):\n"
        "        print(json.dumps([lone.found, os.listdir(os.path.dirname(lone.__file__))]))\n"
        "    def predict(self, query): return [0.5] * 50\n"
    )
    budget = Budget(time_limit=20.0, memory_limit=2 << 30)
    seen = visit(parents.get((), 1, str(python)), str(method), "Looks", {}, budget, asks)
    assert heard(seen) == [True, ["lone.py"]]


@CONFINED
@pytest.mark.parametrize("family", ["AF_INET", "AF_NETLINK"])
def test_it_has_no_pairs_of_sockets_but_local_ones(found: Callable[..., Any], family: str) -> None:
    call = {"x86_64": 53, "aarch64": 199}[platform.machine()]
    tried = f"[libc.syscall({call}, int(socket.{{}}), 1, 0, (ctypes.c_int * 2)()), ctypes.get_errno()]"
    before = "libc = ctypes.CDLL(None, use_errno=True)"
    assert found(tried.format(family), before=before) == [-1, 1]
    assert found(tried.format("AF_UNIX"), before=before)[0] == 0


@CONFINED
@pytest.mark.parametrize("command", [1024, 1026])
def test_it_takes_no_lease_on_a_file(found: Callable[..., Any], command: int) -> None:
    lease = f"[libc.fcntl(os.open('.', os.O_RDONLY), {command}, 0), ctypes.get_errno()]"
    assert found(lease, before="libc = ctypes.CDLL(None, use_errno=True)") == [-1, 1]


@CONFINED
def test_fewer_processes_than_a_guest_may_have_are_no_reason_to_confine_it_less(another_user: list[str]) -> None:
    code = ("import resource; resource.setrlimit(resource.RLIMIT_NPROC, (300, 300))\n" + LEVEL_OF_ANOTHER)
    ran = subprocess.run([*another_user, "-c", code], capture_output=True, text=True, env={"TMPDIR": "/tmp"}, cwd="/")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [65534, "namespaces", ""]
