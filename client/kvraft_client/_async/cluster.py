"""The cluster as a whole: status, hash of the state, leadership, backup."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

import os
from contextlib import aclosing

from kvraft.v1 import cluster_pb2
from kvraft_client._async.caller import Caller
from kvraft_client._backends import aio as backend
from kvraft_client.config import SNAPSHOT_TIMEOUT_S, STATUS_TIMEOUT_S
from kvraft_client.policy.failure import Effect, Failure
from kvraft_client.rpc import SNAPSHOT, STATE_HASH, STATUS, TRANSFER_LEADERSHIP
from kvraft_client.snapshot_file import SnapshotFile
from kvraft_client.values import NodeHash, NodeStatus, SnapshotInfo, StateHash
from kvraft_client.wire import status_from


class Cluster:
    """The operations on the cluster."""

    _caller: Caller

    async def status(self, *, timeout: float = STATUS_TIMEOUT_S) -> list[NodeStatus]:
        """Ask every endpoint what it sees; one that does not answer in time is told by `error`."""

        def asker(address: str) -> "_StatusOf":
            return _StatusOf(self._caller, address, timeout)

        return await backend.gather([asker(each).ask for each in self._caller.config.endpoints])

    async def state_hash(self, *, timeout: float | None = None) -> StateHash:
        """Hash the whole state on every node at one log index.

        Nodes that do not report within the timeout are `missing`.
        """
        limit_s = timeout or self._caller.config.timeout_s
        request = cluster_pb2.StateHashRequest()
        # Half: a node that hangs must leave time to ask another.
        answer = await self._caller.call(
            STATE_HASH, request, timeout=limit_s, attempt_s=limit_s / 2
        )
        hashes = tuple(
            NodeHash(each.node, each.index, each.revision, each.digest)
            for each in answer.result.hashes
        )
        return StateHash(hashes, tuple(answer.result.missing))

    async def transfer_leadership(
        self, to: str | None = None, *, timeout: float | None = None
    ) -> str:
        """Hand leadership to the node `to` (None: the most caught-up); return the new leader.

        NotApplied: nothing happened; OutcomeUnknown: it may have.
        """
        request = cluster_pb2.TransferLeadershipRequest(to=to)
        return (
            await self._caller.call(TRANSFER_LEADERSHIP, request, timeout=timeout)
        ).result.leader

    async def snapshot(
        self, file: str | os.PathLike[str], *, timeout: float = SNAPSHOT_TIMEOUT_S
    ) -> SnapshotInfo:
        """Take a snapshot now and save it to `file`, for `kvraft serve --restore`.

        The file appears only when it is complete and synced.
        """
        target = SnapshotFile(file)

        async def download(channel: backend.Channel, limit_s: float) -> SnapshotInfo:
            target.restart()
            request = cluster_pb2.SnapshotRequest()
            async with aclosing(channel.stream(SNAPSHOT, request, limit_s)) as parts:
                async for part in parts:
                    target.write(part)
            return await backend.run_blocking(target.commit)

        try:
            answer = await self._caller.run(
                Effect.READ, download, timeout=timeout, attempt_s=timeout
            )
        finally:
            target.abort()
        return answer.result


class _StatusOf:
    """One endpoint's status, for asking all at once."""

    def __init__(self, caller: Caller, address: str, timeout_s: float) -> None:
        self._caller, self._address, self._timeout_s = caller, address, timeout_s

    async def ask(self) -> NodeStatus:
        answer = await self._caller.ask(
            self._address, STATUS, cluster_pb2.StatusRequest(), self._timeout_s
        )
        if isinstance(answer, Failure):
            return NodeStatus(self._address, error=f"{answer.code}: {answer.message}")
        return status_from(self._address, answer)
