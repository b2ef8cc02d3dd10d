"""PySyncObj as it comes, made and named for the node around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pysyncobj import SyncObj, SyncObjConf, replicated
from pysyncobj.node import Node, TCPNode
from pysyncobj.transport import TCPTransport

JOURNAL: Final = "pysyncobj.journal"
RECONNECT_S: Final = 0.2
"""Its default of 5 s would be most of a run; a shorter one only helps it."""
NEVER: Final = 1 << 60
MESSAGE: Final = "application"


class PlainPeer(TCPNode):  # type: ignore[misc]  # the library carries no types
    """A node known by its own address, and dialled where a proxy stands."""

    def __init__(self, address: str, dialled: str) -> None:
        super().__init__(address)
        self._dialled = TCPNode(dialled)

    @property
    def ip(self) -> str:
        return str(self._dialled.ip)

    @property
    def port(self) -> int:
        return int(self._dialled.port)


class PlainTransport(TCPTransport):  # type: ignore[misc]  # the library carries no types
    """The library's own, which carries the node's messages (forwarding) as well."""

    on_message: Callable[[str, bytes], None]
    on_lost: Callable[[str], None]

    def _onMessageReceived(self, node: Node, message: dict[str, Any]) -> None:  # noqa: N802
        if message["type"] == MESSAGE:
            self.on_message(node.id, message["payload"])
        else:
            super()._onMessageReceived(node, message)

    def _onNodeDisconnected(self, node: Node) -> None:  # noqa: N802
        super()._onNodeDisconnected(node)
        self.on_lost(node.id)


class PlainMachine(SyncObj):  # type: ignore[misc]  # the library carries no types
    """SyncObj with one replicated method."""

    on_entry: Callable[[int, bytes], object]

    @replicated  # type: ignore[untyped-decorator]  # the library carries no types
    def entry(self, payload: bytes) -> tuple[int, object]:
        index = self.raftLastApplied + 1
        return index, self.on_entry(index, payload)


def configuration(journal: Path, listen: str) -> SyncObjConf:
    """Its defaults, but for where things are, and what would cost it the more."""
    return SyncObjConf(
        autoTick=False,  # ticked by the node's own loop
        bindAddress=listen,
        journalFile=str(journal),
        connectionRetryTime=RECONNECT_S,
        logCompactionMinEntries=NEVER,
        logCompactionMinTime=NEVER,
    )
