"""Reading what a method must not know: answers, keys, results, the suite's memory, what other processes hold."""

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path

import pytest

Strike = Callable[..., object]
Judge = Callable[[bool], None]

attack = pytest.mark.attack
GONE = "it sees no file but the system's and its own"
ALONE = "it sees no process but its own"
USER = "SUCCEEDS: the same user may read it"


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory, token: str) -> Path:
    place = tmp_path_factory.mktemp("campaign") / "results" / "answers.csv"
    place.parent.mkdir()
    place.write_text(token)
    return place


@attack(namespaces=GONE, process=USER)
def test_reads_a_file_of_answers(strike, judge, secret, token):
    judge(token in strike(f"print(open({str(secret)!r}).read())").log)


@attack(namespaces=GONE, process=USER)
def test_searches_the_disk_for_the_campaigns_key(strike, judge, secret, token):
    key = secret.parent.parent / "key"
    key.write_text(token)
    key.chmod(0o600)
    judge(token in strike(f"print([open(p).read() for p in glob.glob({str(key.parent.parent)!r} + '/*/key')])").log)


@attack(namespaces=GONE, process=USER)
def test_lists_a_results_folder(strike, judge, secret):
    judge("answers.csv" in strike(f"print(os.listdir({str(secret.parent)!r}))").log)


@attack(namespaces=ALONE, process=USER)
def test_reads_the_environment_of_what_started_it(strike, judge, token):
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], env={"SECRET": token}, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as evaluator:
        evaluator.stdout.readline()
        log = strike(f"print(open('/proc/{evaluator.pid}/environ').read())").log
        evaluator.stdin.close()
    judge(token in log)


@attack(both="the suite passes no variable on")
def test_reads_its_own_environment_and_its_parents(strike, judge, parents, token, monkeypatch):
    monkeypatch.setenv("FOURFOLD_SECRET", token)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", token)
    with type(parents)() as fresh:
        parents._parents, kept = fresh._parents, parents._parents
        try:
            seen = strike("""
                print(os.environ, open('/proc/self/environ').read())
                print(open(f'/proc/{os.getppid()}/environ').read())
            """)
        finally:
            parents._parents = kept
    judge(token in seen.log)


@attack(both="no descriptor but its pipes is open")
def test_reads_inherited_descriptors(strike, judge, secret, token):
    with open(secret) as held:
        os.set_inheritable(held.fileno(), True)
        seen = strike("""
            for fd in range(3, 1024):
                try:
                    if 'pipe' not in os.readlink(f'/proc/self/fd/{fd}'):
                        print(fd, os.readlink(f'/proc/self/fd/{fd}'), os.pread(fd, 100, 0))
                except OSError:
                    pass
        """)
    judge(token in seen.log)


@attack(namespaces=ALONE, process=USER)
def test_opens_descriptors_of_the_evaluator_through_proc(strike, judge, token):
    with open(os.memfd_create("answers"), "w+") as held:
        held.write(token)
        held.flush()
        judge(token in strike(f"print(open('/proc/{os.getpid()}/fd/{held.fileno()}').read())").log)


@pytest.fixture
def memory(token: str) -> Iterator[int]:
    held = ctypes.create_string_buffer(token.encode())
    yield ctypes.addressof(held)
    del held  # Not before: the memory is to be there.


@attack(namespaces=ALONE, process="SUCCEEDS as root: its memory can be opened")
def test_reads_the_memory_of_the_evaluator_through_proc(strike, judge, memory, token):
    judge(token in strike(f"""
        with open('/proc/{os.getpid()}/mem', 'rb', 0) as file:
            file.seek({memory})
            print(file.read(32))
    """).log)


@attack(namespaces="the system call is denied, and it sees no process but its own", process="SUCCEEDS as root")
def test_reads_the_memory_of_the_evaluator_by_process_vm_readv(strike, judge, memory, token):
    judge(token in strike(f"""
        into = ctypes.create_string_buffer(32)
        ours = struct.pack('PN', ctypes.addressof(into), 32)
        theirs = struct.pack('PN', {memory}, 32)
        libc.process_vm_readv({os.getpid()}, ours, 1, theirs, 1, 0)
        print(into.raw)
    """).log)


@attack(namespaces="/dev/shm is its own", process=USER)
def test_reads_files_in_shared_memory(strike, judge, token):
    shared = shared_memory.SharedMemory(create=True, size=64)
    try:
        shared.buf[:32] = token.encode()
        judge(token in strike(f"print(open('/dev/shm/{shared.name}', 'rb').read(64))").log)
    finally:
        shared.close()
        shared.unlink()


@attack(
    namespaces="the namespace of System V objects is its own; the system call is denied",
    process="SUCCEEDS as root",
)
def test_attaches_the_system_v_memory_of_others(strike, judge, token):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    known = libc.shmget(0, 4096, 0o1600)
    try:
        ctypes.memmove(libc.shmat(known, None, 0), token.encode(), 32)
        judge(token in strike(f"""
            libc.shmat.restype = ctypes.c_void_p
            place = libc.shmat({known}, None, 0o10000)
            print(ctypes.string_at(place, 32) if place + 1 < 1 << 64 else ctypes.get_errno())
        """).log)
    finally:
        libc.shmctl(known, 0, None)


@attack(namespaces=ALONE, process="SUCCEEDS as root: what a process maps can be opened")
def test_maps_an_object_store_like_rays(strike, judge, token, tmp_path_factory):
    store = tmp_path_factory.mktemp("ray") / "plasma"
    store.write_bytes(token.encode().ljust(4096))
    with open(store, "r+b") as file, mmap.mmap(file.fileno(), 0):
        os.unlink(store)
        judge(token in strike(f"""
            for line in open('/proc/{os.getpid()}/maps'):
                if 'plasma' in line:
                    print(open('/proc/{os.getpid()}/map_files/' + line.split()[0], 'rb').read())
        """).log)


@attack(both="a guest is forked from a parent that saw no guest's data")
def test_finds_another_guests_records_in_its_own_memory(strike, judge, token):
    strike(f"type(self).kept = sys.kept = {token!r} * 1000; np.kept = {token!r}")
    half = token[:16], token[16:]
    judge("found" in strike(f"""
        sought = '{half[0]}'.encode() + b'{half[1]}'
        import gc
        held = [getattr(sys, 'kept', ''), getattr(np, 'kept', '')] + [o for o in gc.get_objects() if type(o) is bytes]
        print('found' if any(sought in (o.encode() if type(o) is str else o) for o in held) else 'nothing')
    """).log)
