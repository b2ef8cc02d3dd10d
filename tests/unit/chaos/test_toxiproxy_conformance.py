"""What happens to the bytes, held against both servers: where they agree, chaos may rely on it."""

import contextlib
import socket
import time

import pytest
from unit.chaos.upstream import connect, echo, ended, proxied, read_exactly, running

from kvraft_chaos.proxies import ToxiproxyError

BULK = bytes(range(256)) * 400


@pytest.fixture
def upstream():
    with running() as server:
        yield server


@pytest.fixture
def silent_upstream():
    with running(echo=False) as server:
        yield server


def elapsed_ms(action):
    start = time.monotonic()
    action()
    return (time.monotonic() - start) * 1_000


def test_bytes_pass_both_ways_unchanged(proxies, upstream):
    _, address = proxied(proxies, upstream)
    with connect(address) as sock:
        assert echo(sock, BULK) == BULK


def test_a_client_is_accepted_though_the_upstream_is_dead(proxies):
    with running() as dead:
        pass
    _, address = proxied(proxies, dead)
    with connect(address) as sock:
        assert ended(sock) in ("closed", "reset")


def test_the_end_of_either_side_ends_the_other(proxies, silent_upstream):
    _, address = proxied(proxies, silent_upstream)
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        server.close()
        assert ended(client) == "closed"
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        client.sendall(b"last words")
        client.close()
        assert read_exactly(server, 10) == b"last words"
        assert ended(server) == "closed"


def test_disabled_closes_connections_and_listener_and_comes_back_on_the_same_port(
    proxies, upstream
):
    name, address = proxied(proxies, upstream)
    with connect(address) as sock:
        assert echo(sock, b"x") == b"x"
        proxies.cut_reset(name)
        assert ended(sock) in ("closed", "reset")
    with pytest.raises(ConnectionRefusedError):
        connect(address)
    proxies.heal(name)
    with connect(address) as sock:
        assert echo(sock, b"y") == b"y"


def test_a_silent_cut_swallows_and_healing_closes(proxies, upstream):
    name, address = proxied(proxies, upstream)
    with connect(address) as old, connect(address) as idle:
        assert echo(old, b"before") == b"before"
        assert echo(idle, b"before") == b"before"
        proxies.cut_silent(name)
        proxies.cut_silent(name)  # again is the same
        old.sendall(b"lost")
        assert ended(old, within_s=0.3) == "open"
        with connect(address) as new:
            new.sendall(b"lost as well")
            assert ended(new, within_s=0.3) == "open"
            proxies.heal(name)
            assert ended(new) in ("closed", "reset")
        assert ended(old) in ("closed", "reset")
        assert ended(idle) in ("closed", "reset")
    with connect(address) as sock:
        assert echo(sock, b"after") == b"after"


def test_a_one_way_cut_lets_the_other_way_through(proxies, silent_upstream):
    name, address = proxied(proxies, silent_upstream)
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        proxies.add_toxic(name, "timeout", "upstream", {"timeout": 0})
        client.sendall(b"never arrives")
        server.sendall(b"arrives")
        assert read_exactly(client, 7) == b"arrives"
        assert ended(server, within_s=0.3) == "open"


def test_timeout_ends_the_connection_after_its_time(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.add_toxic(name, "timeout", "downstream", {"timeout": 200})
    with connect(address) as sock:
        sock.sendall(b"x")
        took = elapsed_ms(lambda: ended(sock))
    assert 150 <= took < 1_500


def test_latency_delays_by_its_time_and_is_pipelined(proxies, silent_upstream):
    name, address = proxied(proxies, silent_upstream)
    proxies.latency(name, latency_ms=200)
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)

        def twenty_chunks():
            for _ in range(20):
                client.sendall(b"c" * 100)
                time.sleep(0.005)  # so that they travel as separate chunks
            assert len(read_exactly(server, 2_000)) == 2_000

        took = elapsed_ms(twenty_chunks)
    assert 250 <= took < 1_500


def test_jitter_stays_in_its_bounds(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.latency(name, latency_ms=100, jitter_ms=50)
    with connect(address) as sock:
        took = [elapsed_ms(lambda: echo(sock, b"j")) for _ in range(10)]
    assert min(took) >= 45
    assert max(took) - min(took) > 5
    assert sorted(took)[5] < 300


def test_removing_latency_releases_what_it_held(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.latency(name, latency_ms=60_000)
    with connect(address) as sock:
        sock.sendall(b"held")
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        proxies.heal(name)
        sock.settimeout(5)
        assert read_exactly(sock, 4) == b"held"
        assert echo(sock, b"quick") == b"quick"


def test_bandwidth_paces(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.add_toxic(name, "bandwidth", "upstream", {"rate": 100})
    with connect(address) as sock:
        data = BULK[:50_000]
        took = elapsed_ms(lambda: echo(sock, data))
    assert 350 <= took < 2_000


def test_slicer_cuts_into_pieces_and_loses_nothing(proxies, silent_upstream):
    name, address = proxied(proxies, silent_upstream)
    attributes = {"average_size": 100, "size_variation": 20, "delay": 10_000}
    proxies.add_toxic(name, "slicer", "upstream", attributes)
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        client.sendall(BULK[:1_000])
        pieces = []
        while sum(map(len, pieces)) < 1_000:
            pieces.append(server.recv(65_536))
    assert b"".join(pieces) == BULK[:1_000]
    assert len(pieces) >= 4


def test_limit_data_ends_the_connection_after_so_many_bytes(proxies, silent_upstream):
    name, address = proxied(proxies, silent_upstream)
    proxies.add_toxic(name, "limit_data", "downstream", {"bytes": 10})
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        server.sendall(b"123456")
        assert read_exactly(client, 6) == b"123456"
        server.sendall(b"789012345")
        assert read_exactly(client, 100) == b"7890"


def test_reset_peer_resets_at_the_first_byte(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.add_toxic(name, "reset_peer", "upstream", {"timeout": 100})
    with connect(address) as sock:
        assert ended(sock, within_s=0.2) == "open"
        sock.sendall(b"x")
        outcomes = []
        took = elapsed_ms(lambda: outcomes.append(ended(sock)))
    assert outcomes == ["reset"]
    assert 50 <= took < 1_500


def test_slow_close_delays_only_the_end(proxies, silent_upstream):
    name, address = proxied(proxies, silent_upstream)
    proxies.add_toxic(name, "slow_close", "downstream", {"delay": 300})
    with connect(address) as client:
        server = silent_upstream.accepted.get(timeout=5)
        server.sendall(b"data")
        assert elapsed_ms(lambda: read_exactly(client, 4)) < 250
        server.close()
        assert 200 <= elapsed_ms(lambda: ended(client)) < 1_500


def test_no_toxicity_spares_every_connection(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.add_toxic(name, "timeout", "upstream", {"timeout": 0}, toxicity=0.0)
    with connect(address) as sock:
        assert echo(sock, b"spared") == b"spared"


def test_toxics_stack_in_the_order_they_came(proxies, upstream):
    name, address = proxied(proxies, upstream)
    with connect(address) as sock:
        assert echo(sock, b"plain") == b"plain"
        proxies.add_toxic(name, "latency", "upstream", {"latency": 100})
        attributes = {"average_size": 10, "size_variation": 0, "delay": 0}
        proxies.add_toxic(name, "slicer", "upstream", attributes)
        proxies.add_toxic(name, "latency", "downstream", {"latency": 100})
        answers = []
        assert elapsed_ms(lambda: answers.append(echo(sock, BULK[:500]))) >= 190
        assert answers == [BULK[:500]]
        proxies.remove_toxic(name, "latency_upstream")
        assert echo(sock, BULK[:500]) == BULK[:500]


def test_a_deleted_proxy_closes_its_connections(proxies, upstream):
    name, address = proxied(proxies, upstream)
    with connect(address) as sock:
        assert echo(sock, b"x") == b"x"
        proxies.delete(name)
        assert ended(sock) in ("closed", "reset")
    with pytest.raises(ConnectionRefusedError):
        connect(address)


def test_a_slow_reader_slows_the_sender_and_memory_stays_bounded(proxies, silent_upstream):
    _, address = proxied(proxies, silent_upstream)
    with connect(address) as client:
        silent_upstream.accepted.get(timeout=5)
        client.settimeout(1.0)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += client.send(b"x" * (1 << 20))
        assert sent < 64 << 20


def test_two_adapters_keep_their_own_server(proxies):
    with running() as upstream, socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        other = type(proxies)(f"http://127.0.0.1:{port}", timeout_s=0.2)
        with pytest.raises(ToxiproxyError, match=str(port)):
            other.version()
        name, _ = proxied(proxies, upstream)
        assert name in proxies.names()


def test_an_environment_proxy_is_not_used(proxies, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert proxies.version()
