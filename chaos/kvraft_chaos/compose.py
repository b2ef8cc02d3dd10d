"""The addresses of docker-compose.yml, and the list of proxies that Toxiproxy reads there.

`python -m kvraft_chaos.compose` writes the list, `--check` only compares it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from kvraft.config import CLIENT_PORT, PEER_PORT, PORT_STEP
from kvraft_chaos.topology import NODES, client_link, peer_link, peer_links

PROXIES_FILE = Path(__file__).resolve().parents[2] / "docker" / "proxies.json"
TOXIPROXY_HOST = "toxiproxy"
"""The service's name, which is its host name on the compose network."""
CLIENT_LINK_OFFSET = 10_000
"""A client port plus this is the same node through its link: 14379 is n1."""
PEER_LINK_PORT = 20_000
"""The link from n<i> to n<j> listens on 20_000 + 10 i + j."""


def client_port(node: str) -> int:
    return CLIENT_PORT + PORT_STEP * NODES.index(node)


def peer_port(node: str) -> int:
    return PEER_PORT + PORT_STEP * NODES.index(node)


def client_link_port(node: str) -> int:
    return CLIENT_LINK_OFFSET + client_port(node)


def peer_link_port(dialler: str, listener: str) -> int:
    return PEER_LINK_PORT + 10 * (NODES.index(dialler) + 1) + NODES.index(listener) + 1


def dial(node: str) -> str:
    """What the node is told to dial instead of its peers, under the profile `chaos`."""
    return ",".join(
        f"{b}={TOXIPROXY_HOST}:{peer_link_port(a, b)}" for a, b in peer_links() if a == node
    )


def proxies() -> list[dict[str, Any]]:
    """Every directed peer link and every client link, as Toxiproxy's `-config` reads them."""
    links = [
        (peer_link(a, b), peer_link_port(a, b), f"{b}:{peer_port(b)}") for a, b in peer_links()
    ]
    links += [(client_link(n), client_link_port(n), f"{n}:{client_port(n)}") for n in NODES]
    return [
        {"name": name, "listen": f"0.0.0.0:{port}", "upstream": upstream, "enabled": True}
        for name, port, upstream in links
    ]


def proxies_text() -> str:
    lines = ",\n".join("  " + json.dumps(proxy) for proxy in proxies())
    return f"[\n{lines}\n]\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kvraft_chaos.compose", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 where the file differs")
    parser.add_argument("--file", type=Path, default=PROXIES_FILE)
    options = parser.parse_args()
    if not options.check:
        options.file.write_text(proxies_text(), encoding="utf-8")
        return 0
    if options.file.exists() and options.file.read_text(encoding="utf-8") == proxies_text():
        return 0
    sys.stderr.write(f"{options.file} differs: python -m kvraft_chaos.compose writes it\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
