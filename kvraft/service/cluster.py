"""ClusterService: what this node sees, and operation. It translates; the node decides."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from kvraft.consensus.port import Role
from kvraft.core.commands import EMPTY_SLOT
from kvraft.core.errors import Outcome, Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import GuardResult, InvariantResult
from kvraft.replica.port import BackupReader
from kvraft.service.calls import Calls, Context, unary
from kvraft.service.convert.checks import checked_limit, shown
from kvraft.service.convert.contention import fill_contention
from kvraft.service.convert.identities import identified
from kvraft.service.convert.locks import fill_guard, guard_command
from kvraft.service.convert.writes import invariant_command
from kvraft.service.errors import CallError, abort
from kvraft.v1 import cluster_pb2, cluster_pb2_grpc

ROLES: Final = {
    Role.LEADER: cluster_pb2.ROLE_LEADER,
    Role.FOLLOWER: cluster_pb2.ROLE_FOLLOWER,
    Role.CANDIDATE: cluster_pb2.ROLE_CANDIDATE,
    Role.REJOINING: cluster_pb2.ROLE_REJOINING,
}


class ClusterService(cluster_pb2_grpc.ClusterServiceServicer):
    """The servicer of `kvraft.v1.ClusterService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._backups = 0

    @unary
    async def Status(
        self, request: cluster_pb2.StatusRequest, context: Context
    ) -> cluster_pb2.StatusResponse:
        """Show what this node sees; needs no quorum."""
        del request, context
        node = self.calls.node
        status = node.status()
        seen = status.consensus
        response = cluster_pb2.StatusResponse(
            role=ROLES[seen.role],
            leader=seen.leader,
            leader_endpoint=node.endpoints().get(seen.leader or ""),
            commit_index=seen.commit_index,
            applied_index=seen.applied_index,
            last_index=seen.last_index,
            durable_index=seen.durable_index,
            snapshot_index=seen.snapshot_index,
            cluster_time_ms=status.cluster_time_ms,
            keys=status.keys,
            leases=status.leases,
            state_bytes=status.state_bytes,
            version=status.version,
            disk_id=hex_id(status.disk_id),
            counters={**seen.counters, **status.counters},
            quorum_reachable=node.quorum_reachable(),
        )
        self.calls.fill_header(response.header, status.revision)
        for peer in seen.peers:
            response.peers.add(
                name=peer.name,
                connected=peer.connected,
                match_index=peer.match_index,
                contact_age_ms=peer.contact_age_ms,
            )
        return response

    @unary
    async def Members(
        self, request: cluster_pb2.MembersRequest, context: Context
    ) -> cluster_pb2.MembersResponse:
        """Show the member table as this node has it."""
        del request, context
        node = self.calls.node
        machine, endpoints = node.machine, node.endpoints()
        response = cluster_pb2.MembersResponse()
        self.calls.fill_header(response.header, machine.revision)
        for name, member in sorted(machine.members.items()):
            response.members.add(
                name=name,
                disk_id=hex_id(member.disk_id) if member.disk_id != EMPTY_SLOT else "",
                endpoint=endpoints.get(name, ""),
                command_version=member.command_version,
            )
        return response

    @unary
    async def TransferLeadership(
        self, request: cluster_pb2.TransferLeadershipRequest, context: Context
    ) -> cluster_pb2.TransferLeadershipResponse:
        """Hand leadership over."""
        node = self.calls.node
        to = request.to if request.HasField("to") else None
        if to is not None and to not in node.machine.members:
            names = ", ".join(sorted(node.machine.members)) or "none yet"
            text = f"to: a member ({names}), got {shown(to.encode())}"
            raise CallError(Reason.MEMBER_UNKNOWN, Outcome.NOT_APPLIED, text)
        await self.calls.transfer_leadership(to, context)
        response = cluster_pb2.TransferLeadershipResponse(leader=node.leader)
        self.calls.fill_header(response.header, node.machine.revision)
        return response

    @unary
    async def StateHash(
        self, request: cluster_pb2.StateHashRequest, context: Context
    ) -> cluster_pb2.StateHashResponse:
        """Hash the whole state at one index on every node that answers."""
        del request
        hashes = await self.calls.state_hash(context)
        machine = self.calls.node.machine
        reported = {found.node for found in hashes}
        response = cluster_pb2.StateHashResponse(missing=sorted(machine.members.keys() - reported))
        self.calls.fill_header(response.header, machine.revision)
        for found in hashes:
            response.hashes.add(
                node=found.node, index=found.index, revision=found.revision, digest=found.digest
            )
        return response

    @unary
    async def SetInvariant(
        self, request: cluster_pb2.SetInvariantRequest, context: Context
    ) -> cluster_pb2.SetInvariantResponse:
        """Demand something of every later value of a key or a prefix."""
        limits = self.calls.requests
        command = identified(invariant_command(request.invariant, limits), request, limits)
        reply = await self.calls.apply(command, InvariantResult, context)
        response = cluster_pb2.SetInvariantResponse()
        self.calls.fill_reply_header(response.header, reply)
        return response

    @unary
    async def ListInvariants(
        self, request: cluster_pb2.ListInvariantsRequest, context: Context
    ) -> cluster_pb2.ListInvariantsResponse:
        """Show all invariants that stand (linearizable)."""
        del request

        def view(machine: StateMachine) -> cluster_pb2.ListInvariantsResponse:
            response = cluster_pb2.ListInvariantsResponse()
            self.calls.fill_header(response.header, machine.revision)
            for each in machine.invariants():
                response.invariants.add(
                    key=each.key,
                    is_prefix=each.is_prefix,
                    min=each.minimum,
                    max=each.maximum,
                    immutable=each.immutable,
                )
            return response

        return await self.calls.read(view, context)

    @unary
    async def GuardPrefix(
        self, request: cluster_pb2.GuardPrefixRequest, context: Context
    ) -> cluster_pb2.GuardPrefixResponse:
        """Refuse mutations under a prefix without the fence of a lock's exclusive holder."""
        limits = self.calls.requests
        command = identified(guard_command(request.guard, limits), request, limits)
        reply = await self.calls.apply(command, GuardResult, context)
        response = cluster_pb2.GuardPrefixResponse()
        self.calls.fill_reply_header(response.header, reply)
        return response

    @unary
    async def ListGuards(
        self, request: cluster_pb2.ListGuardsRequest, context: Context
    ) -> cluster_pb2.ListGuardsResponse:
        """Show all guards that stand (linearizable)."""
        del request

        def view(machine: StateMachine) -> cluster_pb2.ListGuardsResponse:
            response = cluster_pb2.ListGuardsResponse()
            self.calls.fill_header(response.header, machine.revision)
            for each in machine.guards():
                fill_guard(response.guards.add(), each)
            return response

        return await self.calls.read(view, context)

    @unary
    async def Contention(
        self, request: cluster_pb2.ContentionRequest, context: Context
    ) -> cluster_pb2.ContentionResponse:
        """Show where callers collide, as this node saw it; needs no quorum."""
        del context
        node, limits = self.calls.node, self.calls.limits
        limit = checked_limit(request.limit or limits.contended_shown, limits.contended)
        response = cluster_pb2.ContentionResponse()
        self.calls.fill_header(response.header, node.machine.revision)
        fill_contention(response, node.contention, node.machine, limit)
        return response

    async def Snapshot(self, request: cluster_pb2.SnapshotRequest, context: Context) -> None:
        """Take a snapshot now and stream its file: a backup."""
        del request
        self._backups += 1
        try:
            await self._stream_backup(context)
        except CallError as error:
            await abort(context, error, self.calls.node.endpoints())
        finally:
            self._backups -= 1

    async def _stream_backup(self, context: Context) -> None:
        """A backup may take longer than any other call, so only its client bounds it."""
        calls = self.calls
        limit = calls.limits.backups
        if self._backups > limit:
            text = f"{limit} backups are being taken"
            raise CallError(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, limit=limit)
        left = context.time_remaining()
        allowed = calls.limits.backup_ms / 1000 if left is None else left
        await calls.take_snapshot(calls.node.now() + allowed)
        backup = _Backup(calls.node.open_backup(), calls.limits.backup_chunk_bytes)
        try:
            async for response in backup.parts():
                await context.write(response)
        finally:
            backup.close()


class _Backup:
    """Reads the file in a worker thread, part by part, and closes it when no thread reads it."""

    def __init__(self, reader: BackupReader, part_bytes: int) -> None:
        self._reader = reader
        self._part_bytes = part_bytes
        self._reading: asyncio.Future[bytes] | None = None

    async def parts(self) -> AsyncIterator[cluster_pb2.SnapshotResponse]:
        """Yield the whole file; the first response says what it is."""
        reader, offset = self._reader, 0
        response = cluster_pb2.SnapshotResponse(
            index=reader.index, revision=reader.revision, total_bytes=reader.total_bytes
        )
        while offset < reader.total_bytes:
            response.chunk = await self._read(offset)
            if not response.chunk:
                raise _unreadable(f"it ends after {offset} of {reader.total_bytes} bytes")
            offset += len(response.chunk)
            yield response
            response = cluster_pb2.SnapshotResponse()

    async def _read(self, offset: int) -> bytes:
        loop = asyncio.get_running_loop()
        self._reading = loop.run_in_executor(None, self._reader.read, offset, self._part_bytes)
        try:
            return await asyncio.shield(self._reading)  # a thread cannot be cancelled
        except OSError as error:
            raise _unreadable(str(error)) from error

    def close(self) -> None:
        """Close the file, after the part that a cancelled call may still be reading."""
        if self._reading is None or self._reading.done():
            self._reader.close()
        else:
            self._reading.add_done_callback(self._close_behind)

    def _close_behind(self, reading: "asyncio.Future[bytes]") -> None:
        reading.exception()  # nobody else hears it
        self._reader.close()


def _unreadable(why: str) -> CallError:
    text = f"the snapshot file cannot be read: {why}"
    return CallError(Reason.CORRUPT, Outcome.NOT_APPLIED, text)


def hex_id(disk_id: int) -> str:
    """Return a disk id as people see it: 16 hexadecimal digits."""
    return f"{disk_id:016x}"
