"""System calls by which a process gets rights, or another world than its own."""

import os
import platform
import secrets

import pytest

from fourfold.suite import seccomp

attack = pytest.mark.attack
DENIED = "the system call is denied"
ROOT = "SUCCEEDS as root"
HARMFUL = "not run: it would change this machine"
NUMBERS = seccomp.denied(platform.machine()) if platform.machine() in ("x86_64", "aarch64") else {}


@pytest.fixture
def calls(strike):
    """Makes a system call with these arguments; whether it came to something."""

    def calls(name: str, arguments: str = "0, 0, 0, 0, 0") -> bool:
        return "came 0" in strike(f"""
            name, buffer = b'x', ctypes.create_string_buffer(4096)
            result = libc.syscall({NUMBERS[name]}, {arguments})
            print('came', min(result, 0), ctypes.get_errno())
        """).log

    return calls


@attack(namespaces=DENIED, process=ROOT)
def test_unshares_its_namespaces(calls, judge):
    judge(calls("unshare", "0x20000"))


@attack(namespaces=DENIED, process=ROOT)
def test_makes_itself_root_of_a_user_namespace(calls, judge):
    judge(calls("unshare", "0x10000000"))


@attack(namespaces="clone with a namespace is denied, clone3 is absent", process=ROOT)
def test_clones_into_a_namespace(strike, judge):
    seen = strike("""
        stack = ctypes.create_string_buffer(1 << 16)
        entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 0)
        top = ctypes.c_void_p(ctypes.addressof(stack) + (1 << 16))
        print('cloned' if libc.clone(entry, top, 0x10000000 | 17, None) > 0 else 'not')
    """)
    judge("cloned" in seen.log)


@attack(namespaces="it sees no process but its own, and the system call is denied", process=ROOT)
def test_enters_the_namespaces_of_the_suite(strike, judge):
    seen = strike(f"""
        fd = os.open('/proc/{os.getpid()}/ns/net', os.O_RDONLY)
        print('entered' if libc.setns(fd, 0) == 0 else 'not')
    """)
    judge("entered" in seen.log)


@attack(namespaces=DENIED, process=HARMFUL)
def test_mounts(calls, judge):
    judge(calls("mount", "b'none', b'/tmp', b'tmpfs', 0, 0"))


@attack(namespaces=DENIED, process=HARMFUL)
def test_unmounts_what_hides_its_view(calls, judge):
    judge(calls("umount2", "b'/tmp', 2"))


@attack(namespaces=DENIED, process=HARMFUL)
def test_makes_what_is_read_only_writable(calls, judge):
    judge(calls("mount_setattr", "-100, b'/usr', 0x8000, struct.pack('=QQQQ', 0, 1, 0, 0), 32"))


@attack(namespaces=DENIED, process=HARMFUL)
def test_opens_a_file_system(calls, judge):
    judge(calls("fsopen", "b'tmpfs', 0"))


@attack(namespaces=DENIED, process=ROOT)
def test_changes_its_root(calls, judge):
    judge(calls("chroot", "b'/usr'"))


@attack(namespaces=DENIED, process=HARMFUL)
def test_pivots_its_root(calls, judge):
    judge(calls("pivot_root", "b'.', b'.'"))


@attack(
    namespaces="it has no capability, and its file systems have no devices",
    process="SUCCEEDS as root: it has a device",
)
def test_makes_a_device(strike, judge):
    seen = strike("os.mknod('zero', 0o20600, os.makedev(1, 5)); print('made', len(open('zero', 'rb').read(3)))")
    judge("made 3" in seen.log)


@attack(namespaces="the root it finds there is its own, if it may look at all", process=ROOT)
def test_looks_through_the_root_of_others(strike, judge, tmp_path_factory, token):
    secret = tmp_path_factory.mktemp("root") / "secret"
    secret.write_text(token)
    seen = strike(f"""
        for place in ('/proc/1/root', '/proc/1/cwd/../../..', '/proc/{os.getpid()}/root'):
            try:
                print(open(place + {str(secret)!r}).read())
            except OSError as error:
                print(error)
    """)
    judge(token in seen.log)


@attack(namespaces=DENIED, process="not run: what it leaves would stay")
def test_keeps_something_in_the_kernels_keyring(calls, judge):
    judge(calls("add_key", "b'user', b'x', b'x', 1, -3"))


@attack(namespaces=DENIED, process=ROOT)
def test_loads_a_program_into_the_kernel(calls, judge):
    judge(calls("bpf", "0, struct.pack('=IIIIQ', 2, 4, 4, 1, 0).ljust(128, b'\\0'), 128"))


@attack(namespaces=DENIED, process=ROOT)
def test_handles_page_faults(calls, judge):
    judge(calls("userfaultfd", "0"))


@attack(namespaces=DENIED, process=ROOT)
def test_queues_calls_past_the_filter(calls, judge):
    judge(calls("io_uring_setup", "1, buffer"))


@attack(namespaces=DENIED, process=ROOT)
def test_counts_events_of_the_processor(calls, judge):
    judge(calls("perf_event_open", "struct.pack('=IIQ', 1, 128, 0).ljust(128, b'\\0'), 0, -1, -1, 0"))


@attack(namespaces=DENIED, process=ROOT)
def test_reads_the_kernels_log(calls, judge):
    judge(calls("syslog", "3, buffer, 4096"))


@attack(namespaces=DENIED, process=ROOT)
def test_opens_files_by_handle(strike, judge):
    seen = strike("""
        handle, mounted = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0), 136), ctypes.c_int()
        if libc.name_to_handle_at(-100, b'/', handle, ctypes.byref(mounted), 0) == 0:
            print('opened', libc.open_by_handle_at(os.open('/', 0), handle, 0) >= 0)
    """)
    judge("opened True" in seen.log)


@attack(namespaces=DENIED, process=HARMFUL)
def test_sets_the_clock(calls, judge):
    judge(calls("settimeofday", "0, 0"))


@attack(namespaces="another architecture's calls kill it", process="not run: nothing filters calls there")
def test_makes_calls_of_another_architecture(strike, judge):
    if platform.machine() != "x86_64":
        pytest.skip("only x86_64 has another one beside it")
    seen = strike("""
        import mmap
        code = mmap.mmap(-1, 4096, prot=7)
        code.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')  # mov eax, 20 (getpid of i386); int 0x80; ret
        place = ctypes.addressof(ctypes.c_char.from_buffer(code))
        print('called', ctypes.CFUNCTYPE(ctypes.c_int)(place)())
    """)
    judge("called" in seen.log or seen.status == "ok")


@attack(namespaces="calls of x32 are denied", process="not run: nothing filters calls there")
def test_makes_calls_by_other_numbers(strike, judge):
    number = 0x40000000 + NUMBERS["unshare"]
    judge("came 0" in strike(f"print('came', libc.syscall({number}, 0x10000000))").log)


@attack(
    namespaces="no_new_privs, nosuid, and nothing to be had: it has no capability to begin with",
    process="not run: it is root already",
)
def test_becomes_root_by_su(strike, judge):
    seen = strike("""
        for command in (['su', '-c', 'id -u'], ['mount', '-t', 'tmpfs', 'none', '/tmp'], ['unshare', '-r', 'id', '-u']):
            try:
                done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
                print('became' if done.returncode == 0 else 'not', command, done.stderr)
            except OSError as error:
                print(error)
    """)
    judge("became" in seen.log)


@attack(namespaces="its user namespace has one user, and it no capability", process="not run: it is root already")
def test_becomes_another_user(strike, judge):
    seen = strike("""
        for user in (0, 1000, 65534):
            if user != os.getuid() and libc.setresuid(user, user, user) == 0:
                print('became', user)
    """)
    judge("became" in seen.log)


@attack(
    namespaces="chmod may set it; nosuid, and no user but itself, make nothing of it",
    process="not run: it is root already",
)
def test_makes_a_setuid_program(strike, judge):
    seen = strike("""
        import shutil
        shutil.copy('/usr/bin/id', 'id')
        os.chmod('id', 0o6755)
        print('root' if subprocess.check_output(['./id', '-u']) == b'0\\n' else 'same')
    """)
    judge("root" in seen.log)


@attack(namespaces="they are another user's", process=HARMFUL)
def test_writes_settings_of_the_kernel(strike, judge):
    seen = strike("""
        for name in ('kernel/core_pattern', 'kernel/hostname', 'vm/overcommit_memory', 'kernel/shmmax', 'fs/file-max',
                     'net/ipv4/ip_forward', 'user/max_user_namespaces'):
            try:
                os.open('/proc/sys/' + name, os.O_WRONLY)
                print('opened', name)
            except OSError:
                pass
    """)
    judge("opened" in seen.log)


@attack(namespaces="/sys is not there but for the list of processors, read-only", process=HARMFUL)
def test_writes_settings_of_devices(strike, judge):
    seen = strike("""
        found = [os.path.join(place, name) for place, _, names in os.walk('/sys') for name in names]
        print('writable' if any(os.access(name, os.W_OK) for name in found) else 'none', len(found))
    """)
    judge("writable" in seen.log)


@attack(namespaces="it is another user's", process=HARMFUL)
def test_asks_the_kernel_to_restart(strike, judge):
    judge("opened" in strike("os.open('/proc/sysrq-trigger', os.O_WRONLY); print('opened')").log)


@attack(namespaces="its host name is its own, and the call needs a capability", process=HARMFUL)
def test_renames_the_machine(strike, judge):
    before = platform.node()
    seen = strike(f"socket.sethostname('x{secrets.token_hex(3)}'); print('renamed')")
    judge("renamed" in seen.log or platform.node() != before)


@attack(namespaces="it has no memory device", process="not run: what is there is the machine's own")
def test_opens_the_memory_of_the_machine(strike, judge):
    judge("opened" in strike("""
        for name in ('/dev/mem', '/dev/port', '/proc/kcore', '/dev/vda', '/dev/sda', '/dev/kvm', '/dev/fuse'):
            try:
                os.open(name, os.O_RDONLY)
                print('opened', name)
            except OSError:
                pass
    """).log)


@attack(namespaces="limits that were lowered stay so", process="SUCCEEDS as root: root may raise them")
def test_raises_its_limits(strike, judge):
    seen = strike("""
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
        print('raised')
    """)
    judge("raised" in seen.log)
