"""Reaching out: Ray's control store and raylets, the network in all its families, terminals."""

import os
import pty
import secrets
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

attack = pytest.mark.attack
OWN = "a socket is refused, and its network is its own"
OPEN = "SUCCEEDS: it is in the machine's network"


class Server:
    """Counts who comes."""

    def __init__(self, listening: socket.socket) -> None:
        self.socket, self.came = listening, threading.Event()
        listening.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                if self.socket.type == socket.SOCK_STREAM:
                    self.socket.accept()[0].close()
                else:
                    self.socket.recv(100)
                self.came.set()
            except TimeoutError:
                pass

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self.socket.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Server]]:
    servers = []

    def listen(address, family=socket.AF_INET, kind=socket.SOCK_STREAM) -> Server:
        made = socket.socket(family, kind)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen()
        servers.append(Server(made))
        return servers[-1]

    yield listen
    for server in servers:
        server.close()


@attack(namespaces=OWN, process="SUCCEEDS: it reaches the port; Ray then asks for a token")
def test_connects_to_rays_control_store(strike, judge, listen):
    server = listen(("127.0.0.1", 0))
    strike(f"socket.create_connection(('127.0.0.1', {server.socket.getsockname()[1]}), 2); time.sleep(0.2)")
    judge(server.came.is_set())


@attack(namespaces="a network namespace has abstract sockets of its own", process=OPEN)
def test_connects_to_an_abstract_socket(strike, judge, listen):
    name = f"raylet-{secrets.token_hex(8)}"
    server = listen(f"\0{name}", socket.AF_UNIX)
    strike(f"socket.socket(socket.AF_UNIX).connect('\\0{name}'); time.sleep(0.2)")
    judge(server.came.is_set())


@attack(namespaces="it sees no file but the system's and its own", process="SUCCEEDS: the same user may connect")
def test_connects_to_a_raylets_socket(strike, judge, listen, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("ray") / "raylet")
    server = listen(path, socket.AF_UNIX)
    strike(f"socket.socket(socket.AF_UNIX).connect({path!r}); time.sleep(0.2)")
    judge(server.came.is_set())


@attack(namespaces=OWN, process=OPEN)
def test_sends_to_a_udp_port(strike, judge, listen):
    server = listen(("127.0.0.1", 0), kind=socket.SOCK_DGRAM)
    port = server.socket.getsockname()[1]
    strike(f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port})); time.sleep(0.2)")
    judge(server.came.is_set())


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


@attack(namespaces=OWN, process=OPEN)
@pytest.mark.usefixtures("ipv6")
def test_connects_over_ipv6(strike, judge, listen):
    server = listen(("::1", 0), socket.AF_INET6)
    strike(f"socket.create_connection(('::1', {server.socket.getsockname()[1]}), 2); time.sleep(0.2)")
    judge(server.came.is_set())


@attack(namespaces=OWN, process=OPEN)
def test_asks_a_name_server(strike, judge, listen):
    server = listen(("127.0.0.1", 0), kind=socket.SOCK_DGRAM)
    query = secrets.token_bytes(2) + b"\1\0\0\1" + bytes(6) + b"\6answer\7invalid\0\0\1\0\1"
    port = server.socket.getsockname()[1]
    strike(f"socket.socket(type=socket.SOCK_DGRAM).sendto({query!r}, ('127.0.0.1', {port})); time.sleep(0.2)")
    judge(server.came.is_set())


def _opens(strike, judge, words):
    words = ", ".join(f"socket.{word}" for word in words.split(", "))
    judge("opened" in strike(f"print('opened', socket.socket({words}))").log)


@attack(namespaces=OWN, process="SUCCEEDS as root: it may open one")
def test_opens_a_packet_socket(strike, judge):
    _opens(strike, judge, "AF_PACKET, SOCK_RAW")


@attack(namespaces=OWN, process="SUCCEEDS as root: it may open one")
def test_opens_a_raw_socket(strike, judge):
    _opens(strike, judge, "AF_INET, SOCK_RAW, IPPROTO_ICMP")


@attack(namespaces=OWN, process=OPEN)
def test_opens_a_netlink_socket(strike, judge):
    _opens(strike, judge, "AF_NETLINK, SOCK_RAW")


@attack(namespaces=OWN, process="not run: whether a machine has any is its own affair")
def test_opens_a_socket_to_the_hypervisor(strike, judge):
    _opens(strike, judge, "AF_VSOCK, SOCK_STREAM")


@attack(namespaces=OWN, process="not run: whether a machine has any is its own affair")
def test_opens_a_socket_of_the_kernels_ciphers(strike, judge):
    _opens(strike, judge, "AF_ALG, SOCK_SEQPACKET")


@attack(namespaces="its network is its own, without so much as a loopback that is up", process=OPEN)
def test_sees_the_machines_interfaces(strike, judge):
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not others:
        pytest.skip("this machine has no interface to be seen")
    judge(f"{others[0]}:" in strike("print(open('/proc/net/dev').read())").log)


@attack(both="it has no terminal: the suite gives none, and starts guests in a session of their own")
def test_types_into_the_terminal_of_the_suite(strike, judge):
    judge("typed" in strike("""
        import fcntl, termios
        for name in ('/dev/tty', '/dev/fd/0', '/dev/fd/1', '/dev/fd/2'):
            try:
                fd = os.open(name, os.O_RDWR)
                fcntl.ioctl(fd, termios.TIOCSTI, b'x')
                print('typed')
            except OSError as error:
                print(name, error)
    """).log)


@attack(namespaces="there are no terminals in its /dev", process="SUCCEEDS: the same user may write to it")
def test_writes_to_another_terminal(strike, judge):
    ours, theirs = pty.openpty()
    try:
        strike(f"os.write(os.open({os.ttyname(theirs)!r}, os.O_RDWR | os.O_NOCTTY), b'ESCAPED')")
        os.set_blocking(ours, False)
        try:
            judge(b"ESCAPED" in os.read(ours, 100))
        except BlockingIOError:
            judge(False)
    finally:
        os.close(ours)
        os.close(theirs)


@attack(
    namespaces="Ray cannot open a socket",
    process="not run: Ray would wait a minute for an answer that never comes",
)
def test_joins_rays_cluster(strike, judge, listen):
    server = listen(("127.0.0.1", 0))
    seen = strike(f"""
        import ray
        print("imported", flush=True)
        ray.init(address="127.0.0.1:{server.socket.getsockname()[1]}")
        print("joined")
    """, budget={"time_limit": 10.0})
    if "imported" not in seen.log:
        pytest.skip("Ray is not installed, or was not imported in time")
    judge(server.came.is_set() or "joined" in seen.log)
