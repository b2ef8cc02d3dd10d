"""`python -m kvraft_chaos.negatives.plain_pysyncobj`: a node of kvraft on plain PySyncObj.

It takes the options of `kvraft serve`. A test double: it is here to be found guilty.
"""

import sys
from collections.abc import Mapping
from typing import cast
from unittest.mock import patch

import kvraft.server
from kvraft.cli.serve import main
from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.port import Consensus
from kvraft.consensus.tcp import PeerTransport
from kvraft_chaos.negatives.plain_engine import PlainEngine


class _NoPeerPlane:
    """In the place of kvraft's own connections between nodes: PySyncObj has its own."""

    address = "PySyncObj's own transport"
    counters: Mapping[str, int] = {}

    async def start(self, consensus: Consensus) -> None:
        """Nothing to open."""

    def send(self, peer: str, message: bytes, *, bulk: bool) -> bool:
        """Nothing of kvraft's own goes between these nodes."""
        raise AssertionError(f"{len(message)} bytes for {peer} (bulk: {bulk})")

    def flush(self) -> None:
        """Nothing waits."""

    async def close(self) -> None:
        """Nothing to close."""


class PlainServer(kvraft.server.Server):
    """kvraft's composition root with two parts exchanged."""

    def _build_engine(self) -> RaftEngine:
        config = self._config
        engine = PlainEngine(config, config.advertise, self._driver, self._replica)
        return cast("RaftEngine", engine)  # what is asked of it, it has

    def _build_transport(self) -> PeerTransport:
        return cast("PeerTransport", _NoPeerPlane())


if __name__ == "__main__":
    with patch.object(kvraft.server, "Server", PlainServer):
        sys.exit(main(sys.argv[1:]))
