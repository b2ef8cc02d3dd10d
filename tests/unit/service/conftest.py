"""A real gRPC server on loopback before a scripted node."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
import pytest_asyncio
from service_node import ScriptedNode
from service_wire import Wire

from kvraft.service.limits import ServiceLimits
from kvraft.service.server import build_server


@pytest.fixture
def node() -> ScriptedNode:
    result = ScriptedNode()
    result.form()
    return result


@pytest.fixture
def limits() -> ServiceLimits:
    return ServiceLimits()


@pytest_asyncio.fixture
async def wire(node: ScriptedNode, limits: ServiceLimits) -> AsyncIterator[Wire]:
    server = build_server(node, "127.0.0.1:0", limits=limits)
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield Wire(node, server, channel)
    await server.stop(0)
