"""Links over real sockets: who is up when, what arrives, and what a broken direction does."""

import asyncio
import logging

import pytest
from peer_plane import Recorder, Relay, free_addresses, make, pair, running

from kvraft.consensus.port import ProtocolError
from kvraft.consensus.sockets import Address, PeerListenError
from kvraft.consensus.tcp import PeerTransport
from kvraft.consensus.timing import Flow, Timing

pytestmark = pytest.mark.asyncio


async def test_three_nodes_exchange_messages_in_order():
    addresses = dict(zip("abc", free_addresses(3), strict=True))
    nodes = {name: make(name, addresses) for name in "abc"}
    async with running(*nodes.values()):
        for name, node in nodes.items():
            await node.saw.until_up(*(set("abc") - {name}))
        sent = [b"%d" % i * 50 for i in range(500)]
        for name, node in nodes.items():
            for message in sent:
                for peer in set("abc") - {name}:
                    assert node.transport.send(peer, message, bulk=False)
        for name, node in nodes.items():
            await node.saw.until(lambda saw=node.saw: len(saw.messages) >= 1_000)
            for peer in set("abc") - {name}:
                assert [m for p, m in node.saw.messages if p == peer] == sent
            assert node.counters["malformed_frames"] == 0
            assert node.counters["messages_sent"] == node.counters["messages_received"] == 1_000


async def test_sends_of_one_turn_leave_in_one_write():
    async with pair() as (a, b):
        connection = a.transport._dialers["b"].connection
        writes = []
        write = connection._transport.write
        connection._transport.write = lambda data: (writes.append(len(data)), write(data))
        for _ in range(100):
            a.transport.send("b", b"x" * 100, bulk=False)
            a.transport.send("b", b"y" * 100, bulk=True)
        assert writes == []
        await b.saw.until(lambda: len(b.saw.messages) == 200)
        assert writes == [200 * 116]


async def test_control_overtakes_bulk_and_pieces_show_life():
    async with pair() as (a, b):
        bulk = bytes(4 << 20)
        assert a.transport.send("b", bulk, bulk=True)
        assert not a.transport.send("b", b"more", bulk=True), "the bound is 4 MiB"
        for _ in range(3):  # bulk is on its way
            seen = b.saw.count("piece")
            await b.saw.until(lambda seen=seen: b.saw.count("piece") > seen)
        assert a.transport.send("b", b"heartbeat", bulk=False)
        await b.saw.until(lambda: len(b.saw.messages) == 2)
        assert [m for _, m in b.saw.messages] == [b"heartbeat", bulk]
        await a.saw.until(lambda: a.saw.count("writable", "b") == 1)
        assert a.transport.send("b", b"more", bulk=True)


async def test_a_paused_reader_blocks_bulk_only_and_a_full_control_buffer_resets():
    flow = Flow(control_buffer_bytes=100_000)
    async with pair(flow=flow) as (a, b):
        b.transport._acceptor.connection("a")._transport.pause_reading()
        while a.transport.send("b", bytes(1 << 20), bulk=True):
            await asyncio.sleep(0)  # the kernel takes some
        taken = 0
        while a.transport.send("b", bytes(10_000), bulk=False):
            taken += 1
        assert 5 < taken < 12
        assert not a.transport.send("b", b"x", bulk=False), "a link that lost a message is down"
        assert a.saw.count("out down") == 0, "not from within send"
        await a.saw.until(lambda: a.saw.count("out down", "b") == 1)
        assert a.counters["control_overflows"] == 1
        await a.saw.until(lambda: a.saw.count("out up", "b") == 2)


async def test_only_the_cut_direction_goes_down_and_comes_back():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    relay = Relay(addresses["b"])
    through = await relay.start()
    a, b = make("a", addresses, dial={"b": through}), make("b", addresses)
    try:
        async with running(a, b):
            await a.saw.until_up("b")
            await b.saw.until_up("a")
            dials = relay.dials
            relay.reset()
            await a.saw.until(lambda: a.saw.count("out up", "b") == 2)
            await b.saw.until(lambda: b.saw.count("in up", "a") == 2)
            assert [e[0] for e in a.saw.links("b") if "out" in e[0]] == [
                "out up",
                "out down",
                "out up",
            ]
            assert a.saw.count("in down") == b.saw.count("out down") == 0
            assert relay.dials == dials + 1, "the override carries every dial"
    finally:
        await relay.close()


async def test_a_silent_cut_keeps_the_other_direction_talking():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    relay = Relay(addresses["b"])
    a = make("a", addresses, dial={"b": await relay.start()})
    b = make("b", addresses)
    try:
        async with running(a, b):
            await a.saw.until_up("b")
            relay.silent = True
            assert a.transport.send("b", b"lost", bulk=False), "nothing tells a yet"
            assert b.transport.send("a", b"heard", bulk=False)
            await a.saw.until(lambda: a.saw.messages == [("b", b"heard")])
            relay.silent = False
            assert a.transport.send("b", b"after the hole", bulk=False)
            # The hole shows as a counter gap: nothing behind it may be delivered.
            await b.saw.until(lambda: b.saw.count("in down", "a") == 1)
            assert b.saw.messages == []
            assert b.counters["malformed_frames"] == 1
            assert "piece 1 where 0 was due" in b.saw.lines[-1]
            await b.saw.until(lambda: b.saw.count("in up", "a") == 2)
    finally:
        await relay.close()


async def test_a_flipped_bit_closes_that_connection_only():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    relay = Relay(addresses["b"])
    a = make("a", addresses, dial={"b": await relay.start()})
    b = make("b", addresses)
    try:
        async with running(a, b):
            await a.saw.until_up("b")
            await b.saw.until_up("a")
            relay.mangle = lambda data: data[:-1] + bytes([data[-1] ^ 1])
            a.transport.send("b", b"vote", bulk=False)
            await b.saw.until(lambda: b.saw.count("in down", "a") == 1)
            relay.mangle = lambda data: data
            assert b.counters["malformed_frames"] == 1
            assert b.saw.messages == []
            assert "wrong checksum" in b.saw.lines[-1]
            assert b.saw.count("out down") == a.saw.count("in down") == 0
            await b.saw.until(lambda: b.saw.count("in up", "a") == 2)
    finally:
        await relay.close()


async def test_a_proxy_for_a_dead_node_is_not_connected():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    relay = Relay(addresses["b"])
    through = await relay.start()
    relay.silent = True
    a = make("a", addresses, dial={"b": through}, timing=Timing(handshake_ms=100))
    try:
        async with running(a):
            await a.saw.until(lambda: a.saw.count("dial failed", "b") == 1)
            relay.silent = False  # from now on it closes, as nothing listens behind it
            await a.saw.until(lambda: a.saw.count("dial failed", "b") >= 3)
            assert a.saw.count("out up") == 0
            assert not a.transport.send("b", b"x", bulk=False)
            assert a.counters["dials"] >= a.counters["dial_failures"] >= 3
            assert "no HELLO-ACK within 100 ms" in a.saw.lines[0]
            assert len(a.saw.lines) == 1, "the same trouble is not told again and again"
    finally:
        await relay.close()


async def test_dial_now_skips_the_pause():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    timing = Timing(redial_ms=60_000)
    a, b = make("a", addresses, timing=timing), make("b", addresses, timing=timing)
    async with running(a):
        await a.saw.until(lambda: a.saw.count("dial failed", "b") == 1)
        async with running(b):
            await b.saw.until(lambda: b.saw.count("out up", "a") == 1)
            assert a.saw.count("out up") == 0
            a.transport.dial_now("b")
            await a.saw.until(lambda: a.saw.count("out up", "b") == 1)


async def test_a_peer_of_another_cluster_is_refused_on_both_sides_with_the_reason():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    a = make("a", addresses, timing=Timing(redial_ms=10, refused_redial_ms=300))
    b = make("b", addresses, recorder=Recorder("b", cluster_id=2))
    now = asyncio.get_running_loop().time
    async with running(b, a):
        await a.saw.until(lambda: "b refuses us: cluster 1 is not cluster 2" in a.saw.lines)
        refused_at, dials = now(), a.counters["dials"]
        await b.saw.until(lambda: "refused a: cluster 1 is not cluster 2" in b.saw.lines)
        await a.saw.until(lambda: a.counters["dials"] == dials + 1)
        assert now() - refused_at > 0.29, "it backs off"
        await a.saw.until(lambda: a.saw.count("dial failed", "b") >= 2)
        assert a.saw.links("b") == b.saw.links("a") == []
        assert a.counters["hellos_refused"] >= 2


async def test_a_stranger_and_the_wrong_node_are_refused_by_name():
    addresses = dict(zip("abc", free_addresses(3), strict=True))
    a = make("a", addresses, dial={"b": addresses["c"]})
    c = make("c", {name: addresses[name] for name in "bc"})
    async with running(a, c):
        refusal = "b refuses us: 'a' is not among the peers of 'c'"
        await a.saw.until(lambda: refusal in a.saw.lines)
        assert c.saw.links("a") == []
    c = make("c", addresses)
    async with running(a := make("a", addresses, dial={"b": addresses["c"]}), c):
        await a.saw.until(lambda: any("was dialled" in line for line in a.saw.lines))
        assert "b refused: 'c' answered where 'b' was dialled" in a.saw.lines
        assert a.saw.count("out up", "b") == 0


async def test_a_newer_connection_replaces_the_older():
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    b = make("b", addresses)
    first = make("a", addresses)
    elsewhere = {**addresses, "a": free_addresses(1)[0]}
    second = make("a", elsewhere, recorder=Recorder("a", boot_id=2), timing=Timing(redial_ms=9_000))
    async with running(b, first):
        await b.saw.until_up("a")
        first.transport._dialers["b"]._task.cancel()  # so that it does not take its place back
        async with running(second):
            await b.saw.until(lambda: b.saw.count("in up", "a", 2) == 1)
            ins = [e for e in b.saw.links("a") if e[0].startswith("in ")]
            assert ins[:3] == [("in up", "a", 1), ("in down", "a"), ("in up", "a", 2)]
            # What is left of the older start is closed too.
            outs = [e[0] for e in b.saw.links("a") if e[0].startswith("out ")]
            assert outs[:2] == ["out up", "out down"]
            assert b.counters["inbound_replaced"] == 1
            await first.saw.until(lambda: first.saw.count("out down", "b") == 1)


async def test_reset_closes_both_directions_and_reports_later():
    async with pair() as (a, b):
        a.transport.reset("b", "probe unanswered")
        assert not a.transport.send("b", b"x", bulk=False)
        assert a.saw.count("out down") == a.saw.count("in down") == 0
        await a.saw.until(lambda: a.saw.count("out up", "b") == a.saw.count("in up", "b") == 2)
        await b.saw.until(lambda: b.saw.count("out up", "a") == b.saw.count("in up", "a") == 2)
        assert a.saw.count("out down", "b") == a.saw.count("in down", "b") == 1
        assert "closing the connections of b: probe unanswered" in a.saw.lines


async def test_nothing_is_delivered_after_a_reset_from_within_a_message():
    async with pair() as (a, b):
        b.saw.react = lambda *_: b.transport.reset("a", "enough")
        for text in (b"one", b"two"):
            a.transport.send("b", text, bulk=False)
        await b.saw.until(lambda: b.saw.count("in down", "a") == 1)
        assert b.saw.messages == [("a", b"one")]


async def test_a_message_that_consensus_finds_malformed_closes_the_connection():
    async with pair() as (a, b):

        def refuse(*_):
            raise ProtocolError("unknown message type 77")

        b.saw.react = refuse
        a.transport.send("b", b"?", bulk=False)
        await b.saw.until(lambda: b.saw.count("in down", "a") == 1)
        assert b.counters["malformed_frames"] == 1
        assert b.saw.lines[-1] == "closed a connection of a: unknown message type 77"
        assert b.saw.count("out down") == 0


@pytest.mark.parametrize("bug", [KeyError("bug"), OSError("bug")])
async def test_a_bug_behind_a_message_reaches_the_loop(bug, caplog):
    seen = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: seen.append(c["exception"]))
    with caplog.at_level(logging.CRITICAL):
        async with pair() as (a, b):

            def fail(*_):
                raise bug

            b.saw.react = fail
            a.transport.send("b", b"x", bulk=False)
            await b.saw.until(lambda: b.saw.count("in down", "a") == 1)
    assert seen == [bug]


async def test_bytes_that_flow_backwards_close_the_connection():
    async with pair() as (a, b):
        b.transport._acceptor.connection("a")._transport.write(b"hello?")
        await a.saw.until(lambda: a.saw.count("out down", "b") == 1)
        assert a.counters["malformed_frames"] == 1
        assert "bytes flow backwards" in a.saw.lines[-1]


async def test_close_lets_what_was_sent_leave_and_calls_nobody_back():
    async with pair() as (a, b):
        a.transport.send("b", bytes(1 << 20), bulk=True)
        a.transport.send("b", b"timeout now", bulk=False)
        events = list(a.saw.events)
        await a.transport.close()
        assert a.saw.events == events
        await b.saw.until(lambda: len(b.saw.messages) == 2)
        await b.saw.until(lambda: b.saw.count("in down", "a") == b.saw.count("out down", "a") == 1)
        assert not a.transport.send("b", b"x", bulk=False)
        assert a.transport.counters["messages_sent"] == 2


async def test_a_port_in_use_is_one_clear_error():
    async with pair() as (a, _):
        other = PeerTransport(a.transport.address, {}, event=print)
        text = f"cannot listen for peers on 127.0.0.1:{a.transport.address.port}: "
        with pytest.raises(PeerListenError, match=text + "Address already in use"):
            await other.start(Recorder("x"))
        await other.close()


async def test_impossible_settings_are_refused():
    at = Address("127.0.0.1", 0)
    with pytest.raises(ValueError, match="dial overrides name no peer: c, d"):
        PeerTransport(at, {"b": at}, dial={"c": at, "d": at}, event=print)
    with pytest.raises(ValueError, match="both contexts or none"):
        PeerTransport(at, {}, event=print, server_tls=object())
    unstarted = PeerTransport(at, {"b": at}, event=print)
    assert not unstarted.send("b", b"x", bulk=False)
    assert set(unstarted.counters.values()) == {0}
    assert str(Address("::1", 5)) == "[::1]:5"


async def test_running_out_of_descriptors_pauses_accepting_and_says_so():
    async with pair() as (a, b):
        acceptor = b.transport._acceptor
        listener = acceptor._sockets[0]

        class Exhausted:
            def accept(self):
                raise OSError(24, "Too many open files")

            def fileno(self):
                return listener.fileno()

        acceptor._accept(Exhausted())
        assert b.saw.lines[-1] == "cannot accept peers: Too many open files"
        a.transport.reset("b", "dial again")
        await b.saw.until(lambda: b.saw.count("in up", "a") == 2)
