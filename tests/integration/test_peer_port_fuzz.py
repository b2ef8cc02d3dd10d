"""Strangers on the peer port: whatever they send or hold back, the good peer is served."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
from peer_plane import Node, pair

from kvraft.consensus.hello import HelloReader, encode_ack, encode_hello
from kvraft.consensus.link import LinkSender
from kvraft.consensus.port import Hello
from kvraft.consensus.timing import Flow, Timing

pytestmark = pytest.mark.asyncio
ROUNDS = 3_000
AT_ONCE = 20


def hello_of(name: str, **changes) -> Hello:
    fields = dict.fromkeys(("origin", "disk_id", "protocol_min", "protocol_max"), 1)
    fields |= {"cluster_id": 1, "boot_id": 1, "command_version": 1, "endpoint": ""}
    return Hello(name=name, **fields | changes)


def messages(count: int) -> bytes:
    sender = LinkSender(Flow())
    for number in range(count):
        sender.push(b"m%d" % number * 20, bulk=number % 2 == 0)
    return sender.next_bytes(1 << 30)


def mutated(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at:at] = chance.randbytes(chance.randint(1, 9))
            case 2:
                del out[at : at + chance.randint(1, 9)]
            case 3:
                out[at:] = out[at:] + out[at:]
        out = out or bytearray(b"?")
    return bytes(out)


@contextlib.asynccontextmanager
async def stranger(node: Node) -> AsyncIterator[tuple]:
    """Connect to the peer port, and leave nothing behind."""
    reader, writer = await asyncio.open_connection(*node.transport.address)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def rest_of(reader, writer, data: bytes, *, eof: bool = True) -> bytes:
    """Say `data` and return everything that comes back until the other side closes."""
    try:
        writer.write(data)
        if eof:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except TimeoutError:
        raise AssertionError("it is not closed") from None
    except OSError:  # reset, perhaps before we were done
        return b""


async def talk(node: Node, data: bytes, *, eof: bool = True) -> bytes:
    """Say `data` on a new connection and return the answer."""
    async with stranger(node) as (reader, writer):
        return await rest_of(reader, writer, data, eof=eof)


async def served(good: Node, server: Node, text: bytes) -> None:
    """Assert that the good peer is heard."""
    assert good.transport.send("b", text, bulk=False)
    await server.saw.until(lambda: server.saw.messages[-1:] == [("a", text)])


async def test_random_and_mutated_bytes_harm_nobody_but_their_connection():
    chance = random.Random(20_261_121)
    stream = encode_hello(hello_of("z")) + messages(3)
    async with pair() as (a, b):
        await served(a, b, b"before")
        for batch in range(ROUNDS // AT_ONCE):
            data = [
                chance.randbytes(chance.randint(1, 300))
                if chance.random() < 0.4
                else mutated(stream, chance)
                for _ in range(AT_ONCE)
            ]
            await asyncio.gather(*(talk(b, each) for each in data))
            if batch % 10 == 0:
                await served(a, b, b"batch %d" % batch)
        await served(a, b, b"after")
        assert b.saw.links("a") == b.saw.links("a")[:2], "the good peer noticed nothing"
        assert {e[1] for e in b.saw.events} == {"a"}, "no stranger became a peer"
        assert b.counters["malformed_frames"] > ROUNDS // 2
        assert len(b.saw.lines) < 10, "lines about strangers are rate-limited"


async def test_mutated_frames_behind_a_good_hello_close_it_and_nothing_else():
    chance = random.Random(4)
    good = encode_hello(hello_of("a"))
    async with pair() as (a, b):
        for _ in range(200):
            bad = mutated(messages(4), chance)
            async with stranger(b) as (reader, writer):
                writer.write(good)
                answer = HelloReader(answer=True)
                while (ack := answer.feed(await reader.read(500))) is None:
                    pass
                assert ack.name == "b"
                assert await rest_of(reader, writer, bad) == b"", "one answer, nothing more"
        assert b.counters["malformed_frames"] > 100
        valid = {b"m%d" % n * 20 for n in range(4)}
        assert {m for _, m in b.saw.messages} <= valid, "a mutation never gives a new message"
        await a.saw.until(lambda: a.transport.send("b", b"still here", bulk=False))
        await b.saw.until(lambda: b.saw.messages[-1:] == [("a", b"still here")])


async def test_bytes_behind_hello_before_the_answer_are_refused():
    async with pair() as (_, b):
        assert await talk(b, encode_hello(hello_of("a")) + messages(1), eof=False) == b""
        assert b.counters["malformed_frames"] == 1
        assert await talk(b, encode_ack(hello_of("a")), eof=False) == b""
        assert b.counters["malformed_frames"] == 2
        assert b.saw.count("in up") == 1


async def test_a_truncated_hello_and_silence_end_at_the_time_limit():
    async with pair(timing=Timing(handshake_ms=200)) as (a, b):
        data = encode_hello(hello_of("a"))
        cuts = (0, 1, 4, len(data) // 2, len(data) - 1)
        assert await asyncio.gather(*(talk(b, data[:cut], eof=False) for cut in cuts)) == [b""] * 5
        assert b.counters["handshakes_timed_out"] == 5
        assert b.counters["malformed_frames"] == 0
        await served(a, b, b"fine")
        assert await talk(b, data[:9]) == b""
        assert b.counters["handshakes_timed_out"] == 5, "closed by the other side, not by time"


async def test_a_slow_loris_does_not_stretch_the_time_limit():
    async with pair(timing=Timing(handshake_ms=200)) as (_, b):
        async with stranger(b) as (reader, writer):
            for byte in encode_hello(hello_of("a")):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)  # the stranger's slowness, not ours
                if reader.at_eof() or reader.exception():
                    break
            else:
                raise AssertionError("it was let finish")
        assert b.counters["handshakes_timed_out"] == 1


async def test_strangers_cannot_take_all_places():
    flow, timing = Flow(handshakes=8), Timing(handshake_ms=10_000)
    async with pair(flow=flow, timing=timing) as (a, b), contextlib.AsyncExitStack() as crowd:
        idle = [await crowd.enter_async_context(stranger(b)) for _ in range(30)]
        # Those that hold no place any more are closed, oldest first.
        for reader, writer in idle[:22]:
            assert await rest_of(reader, writer, b"", eof=False) == b""
        assert b.counters["handshakes_evicted"] == 22
        assert len(b.transport._acceptor._strangers) == 8
        a.transport.reset("b", "dial again through the crowd")
        await b.saw.until(lambda: b.saw.count("in up", "a") == 2)
        await a.saw.until(lambda: a.saw.count("out up", "b") == 2)
        await served(a, b, b"through")


async def test_closing_ends_strangers_too():
    async with pair() as (_, b), stranger(b) as (reader, writer):
        while not b.transport._acceptor._strangers:
            await asyncio.sleep(0)
        await b.transport.close()
        assert await rest_of(reader, writer, b"", eof=False) == b""
