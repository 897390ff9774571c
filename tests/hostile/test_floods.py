"""Using up what the machine has: processes, threads, memory wherever it can be held, files, descriptors, output."""

import os
import resource
import time
from collections.abc import Callable

import pytest

from fourfold.suite import cgroups, sandbox

attack = pytest.mark.attack
LIMIT = 300 << 20
UNCOUNTED = "the system call is denied: no limit counts what it holds"
HELD = "RLIMIT_DATA, or the suite's look at resident memory, ends it"
COUNTED = "its cgroup, where one may be made; elsewhere it SUCCEEDS"
HARMFUL = "not run: it would hurt this machine"


@pytest.fixture
def hoard(strike) -> Callable[[str], bool]:
    """Runs what holds 480 MiB where 300 were agreed, and prints ``held``; whether it came through."""

    def hoard(fit: str, most: int = LIMIT) -> bool:
        seen = strike(f"{fit}\ntime.sleep(0.4)\nprint('held')", budget={"memory_limit": most})
        return seen.status == "ok" and "held" in seen.log

    return hoard


@attack(namespaces="RLIMIT_NPROC: it is a user of its own", process=HARMFUL)
def test_forks_without_end(strike, judge):
    seen = strike("""
        made = 0
        while made < 2000 and os.fork():
            made += 1
        time.sleep(20) if made < 2000 and os.getppid() != 1 else print('made', made)
    """, budget={"time_limit": 4.0})
    judge("made 2000" in seen.log)


@attack(namespaces="RLIMIT_NPROC: threads count as processes", process=HARMFUL)
def test_starts_threads_without_end(strike, judge):
    seen = strike("""
        threading.stack_size(65536)
        for made in range(1500):
            threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        print('made')
    """)
    judge("made" in seen.log)


@attack(both=HELD)
def test_fills_its_heap(hoard, judge):
    judge(hoard("held = [bytearray(1 << 20) for _ in range(480)]"))


@attack(both=HELD)
def test_maps_shared_memory(hoard, judge):
    judge(hoard("import mmap; held = mmap.mmap(-1, 480 << 20); [held.write(bytes(1 << 20)) for _ in range(480)]"))


@attack(both=HELD)
def test_spreads_memory_over_children(hoard, judge):
    judge(hoard("""
children = [os.fork() for _ in range(3)]
held = np.ones(60 << 17)
time.sleep(4)
if 0 in children: os._exit(0)
""".strip()))


@attack(both=HELD)
def test_hides_memory_behind_processes_that_take_long_to_look_at(hoard, judge, monkeypatch):
    monkeypatch.setattr(cgroups, "home", lambda: (None, "there is no cgroup that counts, as on many machines"))
    judge(hoard("""
pages = bytearray(100 << 20)
children = [os.fork() for _ in range(6)]
time.sleep(0.3)
held = np.ones(8 << 17)
time.sleep(2)
if 0 in children: os._exit(0)
""".strip()))


@attack(namespaces="tmpfs has an end: what lies in files is bounded by sandbox.SCRATCH", process=HARMFUL)
def test_floods_its_disk(strike, judge):
    flood = "os.posix_fallocate(os.open('flood', os.O_RDWR | os.O_CREAT), 0, 3 << 30); print('full')"
    judge("full" in strike(flood).log)


@attack(namespaces="tmpfs has an end, namespaces.SHARED_MEMORY", process=HARMFUL)
def test_floods_shared_memory(strike, judge):
    flood = "os.posix_fallocate(os.open('/dev/shm/flood', os.O_RDWR | os.O_CREAT), 0, 300 << 20); print('full')"
    judge("full" in strike(flood).log)


@attack(both="RLIMIT_FSIZE")
def test_makes_a_file_of_any_length(strike, judge):
    judge("made" in strike("os.truncate(os.open('sparse', os.O_RDWR | os.O_CREAT), 1 << 40); print('made')").log)


@attack(namespaces="its file systems hold so many files, namespaces.FILES", process=HARMFUL)
def test_has_room_for_empty_files_without_end(strike, judge):
    seen = strike("print(max(os.statvfs(place).f_files for place in ('/scratch', '/dev/shm')))")
    judge(int(seen.log) > 1 << 18)


@attack(namespaces=COUNTED, process="SUCCEEDS: what lies in files is the disk's")
def test_holds_memory_in_files(strike, judge):
    fit = "file = open('held', 'wb'); [file.write(bytes(1 << 24)) for _ in range(25)]; time.sleep(0.3)"
    seen = strike(fit, budget={"memory_limit": LIMIT})
    assert sandbox.SCRATCH > 400 << 20
    judge(seen.status == "ok" and seen.peak_memory < 200 << 20)


@attack(both=COUNTED)
def test_holds_memory_in_sockets(strike, judge):
    seen = strike("""
        held, size = [socket.socketpair() for _ in range(400)], 0
        for end in (end for pair in held for end in pair):
            end.setblocking(False)
            try:
                while True:
                    size += end.send(bytes(60000))
            except BlockingIOError:
                pass
        time.sleep(0.3)
        print(size)
    """, budget={"memory_limit": 100 << 20})
    judge(seen.status == "ok" and int(seen.log) > 100 << 20)


@attack(both=COUNTED)
def test_holds_memory_in_page_tables(strike, judge):
    seen = strike("""
        import mmap
        held = mmap.mmap(-1, 32 << 30, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE | 0x4000)
        sum(held[place] for place in range(0, 32 << 30, 2 << 20))
        time.sleep(0.3)
        print(next(line for line in open('/proc/self/status') if line.startswith('VmPTE')).split()[1])
    """, budget={"memory_limit": LIMIT})
    judge(seen.status == "ok" and int(seen.log) > 60 << 10 and seen.peak_memory < 60 << 20)


@attack(namespaces="it sees no file system of cgroups", process="SUCCEEDS as root: root may leave any")
def test_leaves_its_cgroup(hoard, judge):
    if cgroups.home()[0] is None:
        pytest.skip(f"it has none: {cgroups.home()[1]}")
    judge(hoard("""
for procs in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True):
    open(procs, 'w').write('0')
file = open('held', 'wb')
[file.write(bytes(1 << 24)) for _ in range(30)]
""".strip()))


@attack(namespaces=UNCOUNTED, process=COUNTED)
def test_holds_memory_in_files_without_a_name(hoard, judge):
    judge(hoard("fd = os.memfd_create('held'); [os.write(fd, bytes(1 << 20)) for _ in range(480)]"))


@attack(namespaces=UNCOUNTED, process="not run: what it leaves would stay")
def test_holds_memory_in_system_v_segments(hoard, judge):
    judge(hoard("""
libc.shmat.restype = ctypes.c_void_p
for _ in range(30):
    place = libc.shmat(libc.shmget(0, 1 << 24, 0o1600), None, 0)
    assert place + 1 < 1 << 64, 'refused'
    ctypes.memset(place, 1, 1 << 24)
    libc.shmdt(ctypes.c_void_p(place))
""".strip()))


@attack(namespaces=UNCOUNTED, process="not run: what it leaves would stay")
def test_holds_kernel_memory_in_semaphores_and_queues(strike, judge):
    made = "max(libc.semget(0, 100, 0o1600), libc.msgget(0, 0o1600)) >= 0"
    judge("made" in strike(f"print('made' if {made} else '')").log)


@attack(
    namespaces="the system call is denied: the machine has so many, for all",
    process="not run: others would go without",
)
def test_takes_all_the_machines_asynchronous_requests(strike, judge):
    number = {"x86_64": 206, "aarch64": 0}[os.uname().machine]
    seen = strike(f"print('taken' if libc.syscall({number}, 30000, ctypes.byref(ctypes.c_ulong(0))) == 0 else '')")
    judge("taken" in seen.log)


@attack(both="RLIMIT_NOFILE")
def test_opens_descriptors_without_end(strike, judge):
    judge("opened" in strike("held = [os.open('/dev/null', 0) for _ in range(5000)]; print('opened')").log)


@attack(namespaces="RLIMIT_MEMLOCK, as the system has it", process="not run: root may")
def test_locks_memory(strike, judge):
    judge("locked" in strike("held = bytearray(64 << 20); print('locked' if libc.mlockall(3) == 0 else '')").log)


@attack(
    namespaces="RLIMIT_CORE of one byte, which Linux heeds whoever takes the cores",
    process="RLIMIT_CORE of one byte",
)
def test_dumps_core_to_the_machines_collector(strike, judge):
    most = 0 if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else 1
    seen = strike(f"""
        import resource
        if not os.fork():
            os.abort()
        dumped = os.WCOREDUMP(os.wait()[1])
        print('core' if dumped or resource.getrlimit(resource.RLIMIT_CORE) != ({most}, {most}) else '')
    """)
    judge("core" in seen.log)


@attack(both="the suite reads on and keeps 16 KiB")
def test_floods_its_log(strike, judge):
    seen = strike("block = b'x' * (1 << 20); [os.write(1, block) for _ in range(64)]")
    assert seen.status == "ok", seen.reason
    judge(len(seen.log) > 17 << 10)


@attack(both="the deadline, which output does not move")
def test_prints_for_ever(strike, judge):
    began = time.monotonic()
    seen = strike("while True: os.write(1, b'x' * 100)", budget={"time_limit": 0.5})
    judge(seen.status != "timeout" or time.monotonic() - began > 10)


@attack(both="an answer's length is read before the answer")
def test_floods_the_pipe_of_its_answers(strike, judge):
    seen = strike("send(b'A' + struct.pack('<Q', 1 << 40)); [send(bytes(1 << 20)) for _ in range(100)]")
    judge(seen.status != "invalid-output")


@attack(both="the frame that is due alone is taken")
def test_floods_the_pipe_with_small_frames(strike, judge):
    seen = strike("while True: send(frame(b'L', b'[]') * 1000)")
    judge(seen.status != "invalid-output")


@attack(both="the deadline holds for the whole of an answer")
def test_answers_a_byte_at_a_time(strike, judge):
    seen = strike("""
        for byte in frame(b'E', bytes(1000)):
            os.write(pipe(os.O_WRONLY), bytes([byte]))
            time.sleep(0.05)
    """, budget={"time_limit": 0.6})
    judge(seen.status != "timeout")


@attack(both="the deadline, and RLIMIT_CPU")
def test_never_returns(strike, judge):
    judge(strike("while True: pass", budget={"time_limit": 0.3}).status != "timeout")


@attack(both="SIGKILL, which nobody ignores")
def test_ignores_signals(strike, judge):
    seen = strike("""
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(60)
    """, budget={"time_limit": 0.3})
    judge(seen.status != "timeout")
