"""A world of its own for each guest, on Linux: fresh namespaces around a read-only system. Standard library alone.

What bubblewrap does for a command, done for a fork, so that what a warm parent has imported need not be imported again.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from fourfold.suite import seccomp

USERS = 1 << 30
"""Where the suite runs as root, a guest is the user of this number and its process id: one that owns nothing."""
PROCESSES = 512
"""Processes and threads that a guest may have at a time."""
SHARED_MEMORY = 1 << 28
"""Bytes of a guest's /dev/shm, and of its /tmp."""
FILES = 1 << 18
"""Files that a guest may have in its scratch, and in /dev/shm: each takes a kibibyte of the kernel's, be it empty."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone", "nsswitch.conf", "fonts"),
    *("ssl/certs", "ssl/openssl.cnf", "mime.types", "services", "protocols", "gai.conf", "host.conf", "OpenCL"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
HOME = "/scratch"
"""Where a guest may write: its home, its scratch, empty."""
METHOD = "/method"
"""Where it finds its own files."""

# sched.h, sys/mount.h, linux/mount.h, linux/prctl.h
_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 0x1000, 0x4000, 1 << 18
_DETACH = 2
_RDONLY_NOSUID_NODEV = 1 | 2 | 4
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PDEATHSIG, _DUMPABLE, _BOUNDING_DROP, _AMBIENT = 1, 4, 24, 47
_CAP_KILL = 1 << 5


class ConfinementError(OSError):
    """This machine does not let a guest be confined."""


def enter(root: str, size: int, shown: Sequence[str], gpus: bool, held: Sequence[int]) -> tuple[int, int]:
    """Go on as a process that is alone in a new world; the caller stays behind, and ends as that process does.

    It has rights in that world until it ``settle``s there. root: an empty folder to build on. size: bytes of scratch.
    shown: what can be read beside the system's, each under its own path. gpus: whether the devices are there.
    held: descriptors that go along. Returns the user and the group to settle as.
    Raises ConfinementError, in whichever process it happens; it must then end.
    """
    with _told():
        return _enter(root, size, shown, gpus, held)


def settle(user: int, group: int, method: Callable[[Path], None]) -> None:
    """Give up every right that is left. method: puts there what the guest can read at METHOD.

    Raises ConfinementError.
    """
    with _told():
        method(Path(METHOD))
        _restrict(METHOD, _RDONLY_NOSUID_NODEV, 0)
        _become(user, group)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfinementError(error.errno, f"this machine lets no guest be confined: {error}") from error


def _enter(root: str, size: int, shown: Sequence[str], gpus: bool, held: Sequence[int]) -> tuple[int, int]:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        user = group = USERS + os.getpid()
    else:
        _own_user_namespace()
    _unshare(_NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP)
    _build(root, size, shown, gpus, user, group)
    read, write = os.pipe()
    first = os.fork()
    if first:
        os.close(write)
        _stay_behind(first, read, held)
    os.close(read)
    _prctl(_PDEATHSIG, signal.SIGKILL)
    _move_in(root)
    os.setsid()
    second = os.fork()
    if second:
        _be_init(second, write, held)
    os.close(write)
    os.setsid()
    seccomp.program(platform.machine())  # Compiled while nobody waits.
    return user, group


def _build(root: str, size: int, shown: Sequence[str], gpus: bool, user: int, group: int) -> None:
    """Mount at ``root`` what the guest will see."""
    _mount("none", "/", "", _REC | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m,nr_inodes=4k")
    for path in _SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            _show(root, path)
    for name in _SETTINGS:
        if os.path.exists(f"/etc/{name}"):
            _show(root, f"/etc/{name}")
    Path(root, "etc/passwd").write_text(f"guest:x:{user}:{group}::{HOME}:/bin/sh\n")
    Path(root, "etc/group").write_text(f"guest:x:{group}:\n")
    _devices(root, gpus, user, group)
    os.makedirs(root + "/proc")
    with contextlib.suppress(OSError):  # What cores there are; nothing depends on it.
        _show(root, "/sys/devices/system")
    os.makedirs(root + HOME, exist_ok=True)
    options = f"mode=700,size={size},nr_inodes={FILES},uid={user},gid={group}"
    _mount("tmpfs", root + HOME, "tmpfs", _NOSUID | _NODEV, options)
    os.makedirs(root + METHOD)
    _mount("tmpfs", root + METHOD, "tmpfs", _NOSUID | _NODEV, "mode=755,size=256m,nr_inodes=16k")
    os.makedirs(root + "/tmp")  # For what was told so before the fork, or is told nothing else.
    options = f"mode=700,size={SHARED_MEMORY},nr_inodes={FILES},uid={user},gid={group}"
    _mount("tmpfs", root + "/tmp", "tmpfs", _NOSUID | _NODEV, options)
    for path in sorted(set(shown), key=len):
        if os.path.exists(path) and not os.path.exists(root + path):
            _show(root, path)


def _devices(root: str, gpus: bool, user: int, group: int) -> None:
    os.makedirs(root + "/dev/shm")
    found = [f"/dev/{name}" for name in _DEVICES]
    if gpus:
        found += [str(path) for path in Path("/dev").glob("nvidia*") if not path.is_dir()]
        with contextlib.suppress(OSError):
            _show(root, "/sys")
    for path in found:
        Path(root + path).touch()
        _mount(path, root + path, "", _BIND)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{root}/dev/{name}")
    options = f"mode=700,size={SHARED_MEMORY},nr_inodes={FILES},uid={user},gid={group}"
    _mount("tmpfs", root + "/dev/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, options)


def _show(root: str, path: str) -> None:
    """Let a folder or file be read under its own path."""
    place = root + path
    if os.path.isdir(path):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        Path(place).touch()
    _mount(path, place, "", _BIND | _REC)
    _restrict(place, _RDONLY_NOSUID_NODEV, _AT_RECURSIVE)


def _move_in(root: str) -> None:
    """Make ``root`` the root, of this process and of those it will start, and forget the old one."""
    _mount("proc", root + "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    os.chdir(root)
    here = ctypes.c_char_p(b".")
    _check(_libc.syscall(_PIVOT_ROOT[platform.machine()], here, here), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount2")
    _restrict("/", _RDONLY_NOSUID_NODEV, 0)
    os.chdir(HOME)


def _become(user: int, group: int) -> None:
    """Give up every right that is left."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        _prctl(_DUMPABLE, 1)  # Else what /proc says of it would be root's.
        _own_user_namespace()
    _drop_capabilities()
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    processes = PROCESSES if hard == resource.RLIM_INFINITY else min(PROCESSES, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    seccomp.install()


def _own_user_namespace() -> None:
    """A user namespace in which this process is the user that it was."""
    user, group = os.geteuid(), os.getegid()
    _unshare(_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _drop_capabilities(kept: int = 0) -> None:
    _prctl(_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    for capability in range(64):
        if _libc.prctl(_BOUNDING_DROP, capability, 0, 0, 0) != 0:
            break
    head = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _check(_libc.capset(head, struct.pack("=6I", kept, kept, 0, 0, 0, 0)), "capset")


def _stay_behind(child: int, read: int, held: Sequence[int]) -> NoReturn:
    """Wait for the first process of the new world, and end as the guest in it did."""
    _let_go(held)
    told = b""
    while len(told) < 4 and (more := os.read(read, 4 - len(told))):
        told += more
    _, status = os.waitpid(child, 0)
    if len(told) == 4:
        (status,) = struct.unpack("=i", told)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _be_init(child: int, write: int, held: Sequence[int]) -> NoReturn:
    """Wait for whatever loses its parent in the new world; when the guest ends, everything does."""
    _let_go(held)
    _prctl(_DUMPABLE, 0)
    if os.geteuid() == 0:
        _drop_capabilities(_CAP_KILL)
    with contextlib.suppress(BaseException):
        while True:
            pid, status = os.wait()
            if pid == child:
                break
        os.write(write, struct.pack("=i", status))
        os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
    os._exit(0)


def _let_go(held: Sequence[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for descriptor in (null, *held):
        os.close(descriptor)


_libc: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = (text.encode() for text in (source, target, kind))
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _restrict(path: str, attributes: int, how: int) -> None:
    """Add to a mount's attributes, whatever it has; see mount_setattr(2)."""
    wanted = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0))
    _check(_libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path.encode(), how, wanted, len(wanted) - 1), f"restrict {path}")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
