"""What operators do, while everything else goes on: transfers, snapshots, a replaced disk."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kvraft_chaos.nemesis.argument import Victim, taking
from kvraft_chaos.nemesis.node_processes import processes
from kvraft_chaos.nemesis.stroke import Stroke, chosen
from kvraft_chaos.nemesis.target import Target
from kvraft_client import Client, KvraftError

ASKING_SECONDS = 1.0
"""For a transfer or a snapshot; it may fail as any call may. No longer than a stroke lasts."""


class _Asked(Stroke):
    """Asks the cluster for something in a thread: the answer may take as long as other faults."""

    def ask(self, endpoints: str, call: Callable[[Client], object]) -> None:
        def asking() -> None:
            with (
                contextlib.suppress(KvraftError),  # as any call may be refused now
                Client(endpoints, timeout=ASKING_SECONDS, sessions=False) as client,
            ):
                call(client)

        thread = threading.Thread(target=asking, name=self.name, daemon=True)
        self.undo(thread.join, ASKING_SECONDS)
        thread.start()


class TransferLeader(_Asked):
    name = "transfer-leader"
    sentence = "leadership is handed to another node"
    takes = taking(to=Victim(("follower",)))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        to = chosen(cluster, arguments["to"])
        self.struck = (to,)
        endpoints = ",".join(cluster.endpoint(name) for name in cluster.names)
        self.ask(endpoints, lambda client: client.transfer_leadership(to))
        return f"to {to}"


class Snapshot(_Asked):
    name = "snapshot"
    sentence = "a node takes a snapshot of its state now, and drops the log behind it"
    takes = taking(node=Victim())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self.ask(cluster.endpoint(node), _save)
        return node


class Rejoin(Stroke):
    """One at a time: two nodes without their disks are a majority that lost what it promised."""

    name = "rejoin"
    sentence = "a node is killed and loses its disk; it comes back with --rejoin when this heals"
    takes = taking(node=Victim(("follower",)))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        nodes = processes(cluster)
        empty = nodes.without_disk()
        if empty:
            return f"nobody: {empty[0]} has not got everything back yet"
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self.take_down(cluster, node)
        nodes.wipe(node)
        return node


def _save(client: Client) -> None:
    with tempfile.TemporaryDirectory() as directory:
        client.snapshot(Path(directory) / "state", timeout=ASKING_SECONDS)
