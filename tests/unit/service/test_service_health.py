"""The standard health service: SERVING only while the node can serve what needs a quorum."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from service_wire import Wire, failure_of

from kvraft.core.limits import RequestLimits
from kvraft.service.calls import Calls
from kvraft.service.health import HealthService
from kvraft.service.limits import ServiceLimits
from kvraft.service.server import SERVICES

pytestmark = pytest.mark.asyncio

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health(wire: Wire) -> health_pb2_grpc.HealthStub:
    return health_pb2_grpc.HealthStub(wire.channel)


def asked(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_a_node_with_leader_and_quorum_serves(wire: Wire, service) -> None:
    assert (await health(wire).Check(asked(service))).status == SERVING


def lose_leader(node) -> None:
    node.leader = None


def lose_quorum(node) -> None:
    node.reachable = False


def lose_cluster(node) -> None:
    node.machine.cluster_id = 0


@pytest.mark.parametrize("lose", [lose_leader, lose_quorum, lose_cluster])
async def test_a_node_that_lacks_one_of_them_does_not(wire: Wire, lose) -> None:
    assert (await health(wire).Check(asked())).status == SERVING
    lose(wire.node)
    assert (await health(wire).Check(asked(SERVICES[0]))).status == NOT_SERVING


async def test_a_service_that_is_not_there(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(wire).Check(asked("kvraft.v1.Nothing"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health(wire).Watch(asked("kvraft.v1.Nothing"))
    assert (await watch.read()).status == UNKNOWN
    watch.cancel()


async def test_changes_are_pushed_to_every_watcher(wire: Wire) -> None:
    watches = [health(wire).Watch(asked(service)) for service in ("", SERVICES[0], SERVICES[0])]
    for watch in watches:
        assert (await watch.read()).status == SERVING
    watches.pop().cancel()  # the others must still hear of it (the reference servicer forgets them)
    await health(wire).Check(asked())
    for change, expected in ((None, NOT_SERVING), ("n2", SERVING), (None, NOT_SERVING)):
        wire.node.leader = change
        for watch in watches:
            assert (await asyncio.wait_for(watch.read(), 5.0)).status == expected
    for watch in watches:
        watch.cancel()


async def test_a_refresh_pushes_at_once(wire: Wire) -> None:
    watch = health(wire).Watch(asked())
    assert (await watch.read()).status == SERVING
    wire.node.reachable = False
    wire.server.refresh_health()
    assert (await watch.read()).status == NOT_SERVING
    watch.cancel()


async def test_a_stop_is_pushed_and_ends_the_watch(wire: Wire) -> None:
    watch = health(wire).Watch(asked())
    assert (await watch.read()).status == SERVING
    stopping = asyncio.create_task(wire.server.stop(30.0))
    assert (await watch.read()).status == NOT_SERVING
    assert await watch.read() is grpc.aio.EOF
    await asyncio.wait_for(stopping, 5.0)  # well before the grace has passed


class SlowContext:
    """The part of a call's context that a watch uses; every write can be interrupted."""

    def __init__(self, during_write) -> None:
        self.written: list[int] = []
        self._during_write = during_write

    async def write(self, response: health_pb2.HealthCheckResponse) -> None:
        self.written.append(response.status)
        self._during_write()


@pytest.mark.parametrize("change", ["close", "refresh"])
async def test_what_changes_during_a_write_is_told_by_the_next(node, change) -> None:
    service = HealthService(Calls(node, RequestLimits(), ServiceLimits()), SERVICES)

    def lose() -> None:
        node.reachable = False
        getattr(service, change)()

    context = SlowContext(lose)
    watching = asyncio.create_task(service.Watch(asked(), context))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert context.written == [SERVING, NOT_SERVING]
    assert watching.done() == (change == "close")
    watching.cancel()


class TestBounds:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(watches=1)

    async def test_watches_are_bounded(self, wire: Wire) -> None:
        first = health(wire).Watch(asked())
        await first.read()
        second = health(wire).Watch(asked())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await second.read()
        failed = failure_of(caught.value)
        assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failed.metadata["limit"] == "1"
        first.cancel()
