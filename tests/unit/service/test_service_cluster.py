"""ClusterService over the wire: status, members, transfer, hashes, backups."""

import asyncio
import threading

import grpc
import pytest
from service_node import BytesBackup
from service_wire import Wire, failing, failure_of

from kvraft.core.commands import COMMAND_VERSION
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.replica.port import StateHash
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import cluster_pb2, kv_pb2

pytestmark = pytest.mark.asyncio


async def test_status_shows_everything_and_needs_no_quorum(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"v"))
    wire.node.reachable = False
    seen = await wire.cluster.Status(cluster_pb2.StatusRequest())
    machine = wire.node.machine
    assert seen == cluster_pb2.StatusResponse(
        header=kv_pb2.ResponseHeader(cluster_id=0x1234, node="n1", revision=2, raft_term=7),
        role=cluster_pb2.ROLE_LEADER,
        leader="n1",
        leader_endpoint="127.0.0.1:4379",
        commit_index=machine.index,
        applied_index=machine.index,
        last_index=machine.index + 2,
        durable_index=machine.index + 1,
        snapshot_index=3,
        keys=1,
        state_bytes=machine.state_bytes,
        version="9.9",
        disk_id="0000000000abcdef",
        peers=[
            cluster_pb2.PeerStatus(name="n2", connected=True, match_index=5, contact_age_ms=40),
            cluster_pb2.PeerStatus(name="n3"),
        ],
        counters={"elections": 1, "fsyncs": 11, "commands": 12},
        quorum_reachable=False,
    )
    assert wire.node.barriers == []


async def test_status_without_a_leader_leaves_it_unset(wire: Wire) -> None:
    wire.node.leader = None
    seen = await wire.cluster.Status(cluster_pb2.StatusRequest())
    assert not seen.HasField("leader")
    assert not seen.HasField("leader_endpoint")
    assert seen.role == cluster_pb2.ROLE_FOLLOWER


async def test_members_with_the_endpoints_that_are_known(wire: Wire) -> None:
    answer = await wire.cluster.Members(cluster_pb2.MembersRequest())
    assert [(member.name, member.disk_id, member.endpoint) for member in answer.members] == [
        ("n1", "0000000000000001", "127.0.0.1:4379"),
        ("n2", "0000000000000002", "127.0.0.1:4389"),
        ("n3", "0000000000000003", ""),
    ]
    assert answer.members[0].command_version == COMMAND_VERSION


async def test_leadership_goes_where_it_is_sent(wire: Wire) -> None:
    request = cluster_pb2.TransferLeadershipRequest(to="n3")
    assert (await wire.cluster.TransferLeadership(request)).leader == "n3"
    unset = cluster_pb2.TransferLeadershipRequest()
    assert (await wire.cluster.TransferLeadership(unset)).leader == "n2"


@pytest.mark.parametrize("to", ["n4", "", "\u00e4" * 200])
async def test_leadership_goes_to_members_only(wire: Wire, to) -> None:
    request = cluster_pb2.TransferLeadershipRequest(to=to)
    failed = await failing(wire.cluster.TransferLeadership(request))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.NOT_FOUND, "MEMBER_UNKNOWN")
    assert "to: a member (n1, n2, n3), got" in failed.message
    assert wire.node.leader == "n1"


async def test_a_transfer_that_fails_says_why(wire: Wire) -> None:
    wire.node.transfer = Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, "n1 does not lead", "n2")
    failed = await failing(wire.cluster.TransferLeadership(cluster_pb2.TransferLeadershipRequest()))
    assert (failed.code, failed.metadata["leader"]) == (grpc.StatusCode.UNAVAILABLE, "n2")


async def test_hashes_and_who_is_missing(wire: Wire) -> None:
    wire.node.hashes = [StateHash("n1", 9, 4, "ab"), StateHash("n3", 9, 4, "ab")]
    answer = await wire.cluster.StateHash(cluster_pb2.StateHashRequest())
    assert [(found.node, found.index, found.revision, found.digest) for found in answer.hashes] == [
        ("n1", 9, 4, "ab"),
        ("n3", 9, 4, "ab"),
    ]
    assert list(answer.missing) == ["n2"]
    wire.node.hashes = Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "cut off")
    failed = await failing(wire.cluster.StateHash(cluster_pb2.StateHashRequest()))
    assert failed.info.reason == "NO_QUORUM"


async def test_a_backup_is_the_file_in_parts(wire: Wire) -> None:
    data = bytes(range(256)) * 2_500  # two full parts and a rest
    wire.node.backup = BytesBackup(data, 42, 17)
    parts = [part async for part in wire.cluster.Snapshot(cluster_pb2.SnapshotRequest())]
    assert (parts[0].index, parts[0].revision, parts[0].total_bytes) == (42, 17, len(data))
    assert [part.index for part in parts[1:]] == [0, 0]
    assert b"".join(part.chunk for part in parts) == data
    assert wire.node.backup.closed


async def test_a_backup_without_a_deadline_has_ten_minutes(wire: Wire) -> None:
    wire.node.backup = BytesBackup(b"x", 1, 1)
    for timeout, allowed in ((None, 600.0), (90.0, 90.0)):
        begun = wire.node.now()
        call = wire.cluster.Snapshot(cluster_pb2.SnapshotRequest(), timeout=timeout)
        assert [part.chunk async for part in call] == [b"x"]
        assert wire.node.barriers.pop() - begun == pytest.approx(allowed, abs=1.0)


async def backup_failure(wire: Wire):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in wire.cluster.Snapshot(cluster_pb2.SnapshotRequest()):
            pass
    return failure_of(caught.value)


async def test_a_snapshot_that_cannot_be_taken(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NO_SPACE, Outcome.NOT_APPLIED, "disk full")]
    failed = await backup_failure(wire)
    assert (failed.code, failed.message) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "disk full")


class BrokenBackup(BytesBackup):
    def read(self, offset: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("kind", ["broken", "short"])
async def test_a_file_that_cannot_be_read_is_closed_and_told(wire: Wire, kind) -> None:
    wire.node.backup = backup = (BrokenBackup if kind == "broken" else BytesBackup)(b"123", 1, 1)
    backup.total_bytes = 10
    failed = await backup_failure(wire)
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.DATA_LOSS, "CORRUPT")
    assert "cannot be read" in failed.message
    assert backup.closed


class SlowBackup(BytesBackup):
    """Its reads wait until they are let go; closing during a read is what must never happen."""

    def __init__(self) -> None:
        super().__init__(b"x" * 10, 1, 1)
        self.reading = threading.Event()
        self.go_on = threading.Event()
        self.was_closed = threading.Event()
        self.closed_while_reading = False

    def read(self, offset: int, size: int) -> bytes:
        self.reading.set()
        assert self.go_on.wait(20)
        self.closed_while_reading = self.closed
        return super().read(offset, size)

    def close(self) -> None:
        super().close()
        self.was_closed.set()


async def test_a_cancelled_backup_is_closed_behind_the_thread_that_reads(wire: Wire) -> None:
    wire.node.backup = backup = SlowBackup()
    call = wire.cluster.Snapshot(cluster_pb2.SnapshotRequest())
    await asyncio.to_thread(backup.reading.wait, 20)
    call.cancel()
    await wire.cluster.Status(cluster_pb2.StatusRequest())  # came behind the cancellation
    backup.go_on.set()
    assert await asyncio.to_thread(backup.was_closed.wait, 20)
    assert not backup.closed_while_reading


class TestBounds:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(backups=1)

    async def test_backups_at_one_time_are_bounded(self, wire: Wire) -> None:
        wire.node.backup = backup = SlowBackup()
        first = wire.cluster.Snapshot(cluster_pb2.SnapshotRequest())
        await asyncio.to_thread(backup.reading.wait, 20)
        failed = await backup_failure(wire)
        assert (failed.code, failed.info.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OVERLOAD",
        )
        assert failed.metadata["limit"] == "1"
        backup.go_on.set()
        assert [part.chunk async for part in first] == [b"x" * 10]
        assert [part async for part in wire.cluster.Snapshot(cluster_pb2.SnapshotRequest())]
