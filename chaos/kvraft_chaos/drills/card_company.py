"""A card company: an outside service that takes a line, charges or refunds, and answers.

It knows nothing of the store, and is reached through the fault proxy like everything else.
"""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.ports import free_ports
from kvraft_chaos.proxies import ProxySpec

SLOW, FAST = "slow-line", "fast-line"
"""Two lines to it, each a link of the fault proxy: slowing one down leaves the other alone."""
HOST = "127.0.0.1"
ANSWER_SECONDS = 10.0


class CardCompany:
    """Who is charged, and the line to it."""

    def __init__(self, ground: Ground, ports: dict[str, int]) -> None:
        """Talk to the company by the proxy's port of each line."""
        self._proxies, self._ports = ground.proxies, ports
        self.charged: dict[str, int] = {}
        """Charges less refunds, by name."""

    def charge(self, name: str, line: str) -> None:
        """Charge, and wait for the company's word, however long it takes."""
        self._call(f"charge {name}", line)

    def refund(self, name: str) -> None:
        """Take a charge back."""
        self._call(f"refund {name}", FAST)

    def slow_down(self, latency_ms: int) -> None:
        """Let calls by the slow line take so much longer from now on."""
        self._proxies.latency(SLOW, latency_ms=latency_ms)

    def _call(self, words: str, line: str) -> None:
        address = (HOST, self._ports[line])
        with socket.create_connection(address, timeout=ANSWER_SECONDS) as connection:
            connection.sendall(words.encode() + b"\n")
            if connection.makefile("rb").readline() != b"OK\n":
                raise ConnectionError(f"the card company did not answer to {words!r}")


@contextlib.contextmanager
def card_company(ground: Ground) -> Iterator[CardCompany]:
    """Open the company, behind both lines."""
    ports = dict(zip((SLOW, FAST), free_ports(2), strict=True))
    company = CardCompany(ground, ports)
    lock = threading.Lock()

    class Desk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            verb, _, name = self.rfile.readline().decode().strip().partition(" ")
            with lock:
                step = 1 if verb == "charge" else -1
                company.charged[name] = company.charged.get(name, 0) + step
            self.wfile.write(b"OK\n")

    with socketserver.ThreadingTCPServer((HOST, 0), Desk) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        upstream = f"{HOST}:{server.server_address[1]}"
        ground.proxies.populate(
            ProxySpec(line, f"{HOST}:{port}", upstream) for line, port in ports.items()
        )
        try:
            yield company
        finally:
            for line in ports:
                ground.proxies.delete(line)
            server.shutdown()
