"""A TCP server for proxies to talk to: echoes, and remembers what became of each connection."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from queue import SimpleQueue

from kvraft_chaos.proxies import ProxySpec

TIMEOUT_S = 10.0
numbers = itertools.count()


class Upstream:
    def __init__(self, *, echo: bool) -> None:
        self.accepted: SimpleQueue[socket.socket] = SimpleQueue()
        self._echo = echo
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT_S)
            self._open.append(sock)
            self.accepted.put(sock)
            if self._echo:
                thread = threading.Thread(target=self._echo_all, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _echo_all(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := sock.recv(65_536):
                sock.sendall(data)
            sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


@contextlib.contextmanager
def running(*, echo: bool = True) -> Iterator[Upstream]:
    upstream = Upstream(echo=echo)
    try:
        yield upstream
    finally:
        upstream.close()


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            return data
        data += part
    return data


def ended(sock: socket.socket, within_s: float = 3.0) -> str:
    """How the peer ended the connection: 'closed', 'reset', or 'open' where it did not."""
    sock.settimeout(within_s)
    try:
        while sock.recv(65_536):
            pass
    except TimeoutError:
        return "open"
    except ConnectionResetError:
        return "reset"
    return "closed"


def echo(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return read_exactly(sock, len(data))


def proxied(proxies, upstream):
    """A new proxy of the upstream: its name, and the address it listens on."""
    name = f"p{next(numbers)}"
    spec = ProxySpec(name, "127.0.0.1:0", upstream.address)
    return name, proxies.populate([spec])[name]
