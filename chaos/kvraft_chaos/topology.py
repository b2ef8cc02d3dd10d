"""Names of nodes and links: the same in every backend, in histories, logs and plans.

Every directed pair of nodes is a link of its own, because a node dials each peer and only its own
messages travel on that connection: one cut link is a one-way partition.
"""

from collections.abc import Sequence
from itertools import permutations

NODES = ("n1", "n2", "n3")


def peer_link(dialler: str, listener: str) -> str:
    """What `dialler` sends to `listener`."""
    return f"{dialler}-to-{listener}"


def client_link(node: str) -> str:
    """All clients of one node."""
    return f"client-to-{node}"


def peer_links(nodes: Sequence[str] = NODES) -> list[tuple[str, str]]:
    """Every (dialler, listener)."""
    return list(permutations(nodes, 2))


def around(node: str, nodes: Sequence[str] = NODES) -> list[str]:
    """The peer links that isolate the node from the others when they are cut."""
    return [peer_link(a, b) for a, b in peer_links(nodes) if node in (a, b)]
