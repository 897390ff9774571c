"""The system calls that a guest may not make: a filter for Linux's seccomp. Standard library alone.

Denied are calls that reach into other processes, the kernel's own programs, mounts, namespaces, keys, clocks and
modules, that hold memory where no limit counts it or use up what the whole machine has once, and every socket but local
ones. To set what is done on the end of a child does nothing. What a numerical library calls stays as it was.
"""

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Sequence

# Numbers from asm/unistd_64.h and asm-generic/unistd.h; those from 424 on are the same everywhere.
_X86_64 = {
    "ptrace": 101, "syslog": 103, "personality": 135, "modify_ldt": 154, "pivot_root": 155, "adjtimex": 159,
    "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
    "reboot": 169, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
    "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "unshare": 272, "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    "shmget": 29, "semget": 64, "msgget": 68, "io_setup": 206,
}
_AARCH64 = {
    "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89,
    "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106,
    "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142, "settimeofday": 170, "adjtimex": 171,
    "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "move_pages": 239,
    "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
    "io_setup": 0, "msgget": 186, "semget": 190, "shmget": 194,
}
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "open_tree_attr": 467,
}
_CLONE3 = 435
_MACHINES = {  # By machine: its audit number (linux/audit.h), what is denied; socket, clone, memfd_create,
    "x86_64": (0xC000003E, _X86_64, 41, 56, 319, 13, 53, 72),  # rt_sigaction, socketpair and fcntl.
    "aarch64": (0xC00000B7, _AARCH64, 198, 220, 279, 134, 199, 25),
}
_LEASE, _NOTIFY = 1024, 1026  # F_SETLEASE and F_NOTIFY, linux/fcntl.h
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
_X32 = 0x40000000

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_SIGCHLD = 17


def denied(machine: str) -> dict[str, int]:
    """The calls that fail with EPERM whatever their arguments, and their numbers, on a machine such as ``x86_64``."""
    return _MACHINES[machine][1] | _EVERYWHERE


@functools.cache
def program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter, as instructions (code, jump if true, jump if false, operand) of classic BPF; see seccomp(2)."""
    audit, _, socket, clone, memfd_create, rt_sigaction, socketpair, fcntl = _MACHINES[machine]
    refuse, absent, as_if_done = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS, _ERRNO
    made = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, refuse),
        # The C library then takes clone, whose flags a filter can see.
        (_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, absent),
        # What it makes is memory that no limit counts. Who finds it absent takes a file.
        (_EQUAL, 0, 1, memfd_create), (_RETURN, 0, 0, absent),
    ]
    for number in sorted(denied(machine).values()):
        made += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    made += [
        (_EQUAL, 1, 0, socket), (_EQUAL, 0, 4, socketpair), (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, 1), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, refuse),  # AF_UNIX alone.
        # By a lease on a file, one guest would keep others of the same user from opening it.
        (_EQUAL, 0, 5, fcntl), (_LOAD, 0, 0, _SECOND_ARGUMENT), (_EQUAL, 1, 0, _LEASE), (_EQUAL, 0, 1, _NOTIFY),
        (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW),
        # Who ignored the end of its children would hide what they used: the system then counts it for nobody.
        (_EQUAL, 0, 9, rt_sigaction), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 1, 0, _SIGCHLD), (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _SECOND_ARGUMENT), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, _SECOND_ARGUMENT + 4), (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, as_if_done), (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return made


def install() -> None:
    """Bind this process and all it starts to the filter, for good. Raises OSError where the system has none of it."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no filter of system calls is written for {machine}")
    _load(program(machine))


def _load(instructions: Sequence[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
    listed = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.addressof(listed), 0, 0)):  # PR_SET_NO_NEW_PRIVS, _SECCOMP
        if libc.prctl(arguments[0], *map(ctypes.c_ulong, arguments[1:])) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl({arguments[0]}): {os.strerror(number)}")
