"""Random bytes on the client port: each connection gets what it deserves, and the node goes on."""

import asyncio
import gc
import random
import struct
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from service_node import ScriptedNode
from service_wire import Wire

from kvraft.core.errors import Outcome
from kvraft.service.server import build_server
from kvraft.v1 import cluster_pb2, error_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2

pytestmark = pytest.mark.asyncio

SEEDS = range(8)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
METHODS = [
    (f"/{service.full_name}/{method.name}", method.client_streaming, method.server_streaming)
    for file in (kv_pb2, lease_pb2, lock_pb2, session_pb2, cluster_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    node = ScriptedNode()
    node.form()
    server = build_server(node, "127.0.0.1:0")
    await server.start()
    # A node stops on what nobody caught, so no stranger may bring that about.
    uncaught: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: uncaught.append(str(found)))
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield Wire(node, server, channel)
    await server.stop(0)
    gc.collect()  # what nobody retrieved is found when it is collected
    # gRPC's poller still talks to the closed loops of earlier tests (grpc#25364).
    assert [text for text in uncaught if "PollerCompletionQueue" not in text] == []


async def still_serves(wire: Wire, value: bytes) -> None:
    """A compare-and-set on a key that only this function writes."""
    found = await wire.kv.Get(kv_pb2.GetRequest(key=b"\0alive"), timeout=5.0)
    expect = (
        kv_pb2.Expect(mod_revision=found.entry.mod_revision)
        if found.HasField("entry")
        else kv_pb2.Expect(absent=True)
    )
    request = kv_pb2.CompareAndSetRequest(key=b"\0alive", value=value, expect=expect)
    assert (await wire.kv.CompareAndSet(request, timeout=5.0)).succeeded


def http2_frame(chance: random.Random) -> bytes:
    """A frame with a plausible or a lying header."""
    payload = chance.randbytes(chance.choice((0, 4, 5, 8, 9, 100, 16_384)))
    length = chance.choice((len(payload), len(payload) + 1, 0xFFFFFF))
    head = struct.pack(">I", length)[1:] + bytes((chance.randrange(12), chance.randrange(256)))
    return head + struct.pack(">I", chance.choice((0, 1, 2, 0x7FFFFFFF))) + payload


def noise(chance: random.Random) -> bytes:
    kinds = (
        lambda: chance.randbytes(chance.randrange(1, 5_000)),
        lambda: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        lambda: b"\x16\x03\x01" + chance.randbytes(200),  # looks like TLS
        lambda: PREFACE + chance.randbytes(500),
        lambda: PREFACE + SETTINGS + b"".join(http2_frame(chance) for _ in range(20)),
        lambda: PREFACE[: chance.randrange(len(PREFACE))],
        lambda: b"",
    )
    return chance.choice(kinds)()


async def shout(address: str, data: bytes, *, listen: bool) -> None:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        if listen:
            await asyncio.wait_for(reader.read(1 << 16), 0.05)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()  # a reset, not a farewell


@pytest.mark.parametrize("seed", SEEDS)
async def test_raw_noise_on_the_port(wire: Wire, seed: int) -> None:
    chance = random.Random(seed)
    for batch in range(4):
        await asyncio.gather(
            *(
                shout(wire.server.address, noise(chance), listen=chance.random() < 0.5)
                for _ in range(20)
            )
        )
        await still_serves(wire, b"%d" % batch)
    assert {type(command).__name__ for command, _ in wire.node.submitted} == {"CompareAndSet"}


async def test_silent_connections_do_not_keep_others_out(wire: Wire) -> None:
    host, _, port = wire.server.address.rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
    await still_serves(wire, b"v")
    for _, writer in silent:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in silent))


async def call_raw(
    channel: grpc.aio.Channel, method: tuple[str, bool, bool], body: bytes, bodies: int = 2
):
    """Call any method with any bytes; returns its status code and the trailer's details."""
    path, streams_in, streams_out = method
    if streams_in:
        call = channel.stream_stream(path)(iter([body] * bodies), timeout=5.0)
    elif streams_out:
        call = channel.unary_stream(path)(body, timeout=5.0)
    else:
        call = channel.unary_unary(path)(body, timeout=5.0)
    try:
        if streams_out:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        if bodies > 1 and "SendMessage" in (error.debug_error_string() or ""):
            # grpc.aio puts its own INTERNAL in the place of the server's answer where that came
            # between two writes (`_write` in grpc/aio/_call.py): one body meets no such gap.
            return await call_raw(channel, method, body, bodies=1)
        trailer = dict(error.trailing_metadata() or ())
        return error.code(), trailer.get("grpc-status-details-bin")
    return grpc.StatusCode.OK, None


@pytest.mark.parametrize("seed", SEEDS)
async def test_bytes_that_are_no_message(wire: Wire, seed: int) -> None:
    """Most of them are no message at all; what by chance is one is answered like any other."""
    chance = random.Random(seed)
    for round_number in range(10):
        for method in METHODS:
            body = chance.randbytes(chance.randrange(60))
            code, _ = await call_raw(wire.channel, method, body)
            assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, (method, body)
        await still_serves(wire, b"%d" % round_number)


async def keep_alive_badly(wire: Wire, chance: random.Random) -> None:
    """Send requests, whole and broken, and leave at any moment without a word."""
    path = "/kvraft.v1.LeaseService/KeepAlive"
    stream = wire.channel.stream_stream(path)(timeout=5.0)
    good = lease_pb2.KeepAliveRequest(lease_id=1).SerializeToString()
    try:
        for _ in range(chance.randrange(6)):
            await stream.write(chance.choice((good, good, good, b"", b"\xff")))
            if not wire.node.hold and chance.random() < 0.3:
                await stream.read()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    stream.cancel()


@pytest.mark.parametrize("seed", SEEDS)
async def test_streams_that_break_off(wire: Wire, seed: int) -> None:
    chance = random.Random(seed)
    for round_number in range(10):
        wire.node.hold = chance.random() < 0.5
        await asyncio.gather(*(keep_alive_badly(wire, chance) for _ in range(20)))
        wire.node.hold = False
        wire.node.release()
        await still_serves(wire, b"%d" % round_number)


EXTREMES = (0, 1, -1, (1 << 63) - 1, -(1 << 63))


DEPTH = 4
"""Messages inside each other: conditions have no end of their own."""


def scramble(message: Message, chance: random.Random, depth: int = 0) -> None:
    """Fill fields with well-typed nonsense."""
    for field in message.DESCRIPTOR.fields:
        is_message = field.cpp_type == field.CPPTYPE_MESSAGE
        if chance.random() < 0.4 or (is_message and depth == DEPTH):
            continue
        if field.label == field.LABEL_REPEATED:
            for _ in range(chance.randrange(3) if is_message else 0):
                scramble(getattr(message, field.name).add(), chance, depth + 1)
            continue
        match field.cpp_type:
            case field.CPPTYPE_MESSAGE:
                scramble(getattr(message, field.name), chance, depth + 1)
                getattr(message, field.name).SetInParent()
            case field.CPPTYPE_STRING if field.type == field.TYPE_BYTES:
                size = chance.choice((0, 1, 3, 2_048, 2_049, 70_000))
                setattr(message, field.name, chance.randbytes(size))
            case field.CPPTYPE_STRING:
                setattr(message, field.name, chance.choice(("", "n2", "\x00\u20ac" * 500)))
            case field.CPPTYPE_BOOL:
                setattr(message, field.name, chance.random() < 0.5)
            case field.CPPTYPE_DOUBLE:
                setattr(message, field.name, chance.choice((0.0, -1.5, float("nan"))))
            case field.CPPTYPE_UINT64:
                setattr(message, field.name, chance.choice((0, 1, (1 << 64) - 1)))
            case field.CPPTYPE_INT64:
                setattr(message, field.name, chance.choice((*EXTREMES, 1_000, 5_000)))
            case _:  # int32 and enums
                setattr(message, field.name, chance.choice((0, 1, 2, 3, -1, (1 << 31) - 1)))


REQUESTS = {
    f"/{service.full_name}/{method.name}": method.input_type._concrete_class
    for file in (kv_pb2, lease_pb2, lock_pb2, session_pb2, cluster_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_messages_that_mean_nothing_are_refused_in_words(wire: Wire, seed: int) -> None:
    """Whatever a typed client can send gets an answer, or an error with its outcome."""
    chance = random.Random(seed)
    seen = set()
    for round_number in range(30):
        for method in METHODS:
            request = REQUESTS[method[0]]()
            scramble(request, chance)
            if isinstance(request, cluster_pb2.SetInvariantRequest):
                request.invariant.key = b"n"  # one of the empty prefix would bind everybody
            if isinstance(request, cluster_pb2.GuardPrefixRequest):
                request.guard.prefix = b"n"
            code, details = await call_raw(wire.channel, method, request.SerializeToString())
            seen.add(code)
            if code is grpc.StatusCode.OK:
                continue
            assert details is not None, (method[0], request, code)
            (packed,) = error_pb2.ErrorStatus.FromString(details).details
            info = error_pb2.ErrorInfo.FromString(packed.value)
            assert info.metadata["outcome"] in set(Outcome), (method[0], request)
        await still_serves(wire, b"%d" % round_number)
    assert grpc.StatusCode.OK in seen
    assert grpc.StatusCode.INVALID_ARGUMENT in seen
