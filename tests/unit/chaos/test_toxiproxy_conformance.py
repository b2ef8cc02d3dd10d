"""One suite for both servers: what it does not distinguish, chaos may rely on."""

import contextlib
import itertools
import socket
import time

import pytest
import requests
from unit.chaos.upstream import connect, ended, read_exactly, running

from kvraft_chaos.proxies import ProxySpec, ToxiproxyError

numbers = itertools.count()
BULK = bytes(range(256)) * 400


@pytest.fixture
def upstream():
    with running() as server:
        yield server


@pytest.fixture
def silent_upstream():
    with running(echo=False) as server:
        yield server


def proxied(proxies, upstream, listen="127.0.0.1:0"):
    name = f"p{next(numbers)}"
    address = proxies.populate([ProxySpec(name, listen, upstream.address)])[name]
    return name, address


def call(proxies, method, path, body=None, **options):
    return requests.request(
        method,
        proxies.url + path,
        json=body,
        timeout=5,
        proxies={"no_proxy": "127.0.0.1"},
        **options,
    )


def echo(sock, data):
    sock.sendall(data)
    return read_exactly(sock, len(data))


def elapsed_ms(action):
    start = time.monotonic()
    action()
    return (time.monotonic() - start) * 1_000


# --- the API ---------------------------------------------------------------------------------


def test_a_proxy_lives_from_post_to_delete(proxies, upstream):
    made = call(proxies, "POST", "/proxies", {"name": "life", "upstream": upstream.address})
    assert made.status_code == 201
    body = made.json()
    assert body["name"] == "life"
    assert body["upstream"] == upstream.address
    assert body["enabled"] is True
    assert body["toxics"] == []
    assert int(body["listen"].rsplit(":", 1)[1]) > 0
    shown = call(proxies, "GET", "/proxies/life")
    assert (shown.status_code, shown.json()) == (200, body)
    listed = call(proxies, "GET", "/proxies")
    assert (listed.status_code, listed.json()["life"]) == (200, body)
    gone = call(proxies, "DELETE", "/proxies/life")
    assert (gone.status_code, gone.content) == (204, b"")
    assert call(proxies, "GET", "/proxies/life").status_code == 404


def test_a_toxic_lives_from_post_to_delete(proxies, upstream):
    name, _ = proxied(proxies, upstream)
    path = f"/proxies/{name}/toxics"
    made = call(proxies, "POST", path, {"type": "latency", "attributes": {"latency": 7}})
    expected = {
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1,
        "attributes": {"latency": 7, "jitter": 0},
    }
    assert (made.status_code, made.json()) == (200, expected)
    assert call(proxies, "GET", path).json() == [expected]
    changed = call(
        proxies,
        "PATCH",
        f"{path}/latency_downstream",
        {"toxicity": 0.5, "attributes": {"jitter": 3}},
    )
    expected |= {"toxicity": 0.5, "attributes": {"latency": 7, "jitter": 3}}
    assert (changed.status_code, changed.json()) == (200, expected)
    assert call(proxies, "GET", f"{path}/latency_downstream").json() == expected
    assert call(proxies, "GET", f"/proxies/{name}").json()["toxics"] == [expected]
    posted = call(proxies, "POST", f"{path}/latency_downstream", {"toxicity": 1})
    assert (posted.status_code, posted.json()["toxicity"]) == (200, 1)
    assert call(proxies, "DELETE", f"{path}/latency_downstream").status_code == 204
    assert call(proxies, "GET", path).json() == []


@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [
        ("latency", {"latency", "jitter"}),
        ("bandwidth", {"rate"}),
        ("slow_close", {"delay"}),
        ("timeout", {"timeout"}),
        ("reset_peer", {"timeout"}),
        ("slicer", {"average_size", "size_variation", "delay"}),
        ("limit_data", {"bytes"}),
    ],
)
def test_every_toxic_names_its_attributes(proxies, upstream, toxic, attributes):
    name, _ = proxied(proxies, upstream)
    made = call(proxies, "POST", f"/proxies/{name}/toxics", {"type": toxic, "stream": "upstream"})
    assert made.status_code == 200
    assert set(made.json()["attributes"]) == attributes
    assert made.json()["name"] == f"{toxic}_upstream"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/proxies", {"upstream": "a:1"}, 400, "missing required field: name"),
        ("POST", "/proxies", {"name": "x"}, 400, "missing required field: upstream"),
        ("POST", "/proxies", {"name": 5, "upstream": "a:1"}, 400, "bad request body: "),
        ("POST", "/proxies", [], 400, "bad request body: "),
        ("POST", "/populate", [{"name": "x"}], 400, "missing required field: upstream at proxy 1"),
        ("POST", "/populate", {}, 400, "bad request body: "),
        ("GET", "/proxies/none", None, 404, "proxy not found"),
        ("PATCH", "/proxies/none", {}, 404, "proxy not found"),
        ("DELETE", "/proxies/none", None, 404, "proxy not found"),
        ("GET", "/proxies/none/toxics", None, 404, "proxy not found"),
        ("GET", "/proxies/here/toxics/none", None, 404, "toxic not found"),
        ("PATCH", "/proxies/here/toxics/none", {}, 404, "toxic not found"),
        ("DELETE", "/proxies/here/toxics/none", None, 404, "toxic not found"),
        ("POST", "/proxies/here/toxics", {"type": "rain"}, 400, "invalid toxic type"),
        (
            "POST",
            "/proxies/here/toxics",
            {"type": "latency", "stream": "up"},
            400,
            "stream was inv",
        ),
        (
            "POST",
            "/proxies/here/toxics",
            {"type": "latency", "attributes": {"latency": "1"}},
            400,
            "bad request body: ",
        ),
        ("POST", "/proxies", {"name": "here", "upstream": "a:1"}, 409, "proxy already exists"),
    ],
)
def test_a_bad_request_says_so(proxies, upstream, method, path, body, status, words):
    proxies.populate([ProxySpec("here", "127.0.0.1:0", upstream.address)])
    answer = call(proxies, method, path, body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(words)
    assert answer.json()["status"] == status
    proxies.delete("here")


def test_the_same_toxic_twice_is_a_conflict(proxies, upstream):
    name, _ = proxied(proxies, upstream)
    for status in (200, 409):
        answer = call(proxies, "POST", f"/proxies/{name}/toxics", {"type": "timeout"})
        assert answer.status_code == status
    assert answer.json() == {"error": "toxic already exists", "status": 409}


def test_a_port_in_use_is_a_server_error_and_makes_no_proxy(proxies, upstream):
    _, address = proxied(proxies, upstream)
    body = {"name": "second", "listen": address, "upstream": upstream.address}
    answer = call(proxies, "POST", "/proxies", body)
    assert answer.status_code == 500
    assert "address already in use" in answer.json()["error"]
    assert call(proxies, "GET", "/proxies/second").status_code == 404
    with pytest.raises(ToxiproxyError, match="500"):
        proxies.populate([ProxySpec("second", address, upstream.address)])


def test_unknown_paths_methods_and_browsers_are_refused(proxies):
    assert call(proxies, "GET", "/nothing").status_code == 404
    assert call(proxies, "DELETE", "/proxies").status_code == 405
    browser = {"User-Agent": "Mozilla/5.0"}
    assert call(proxies, "GET", "/proxies", headers=browser).status_code == 403
    assert call(proxies, "GET", "/version").json()["version"].startswith("2.12")


def test_populate_keeps_what_is_equal_and_replaces_what_differs(proxies, upstream):
    with running() as other:
        name, address = proxied(proxies, upstream)
        with connect(address) as sock:
            assert echo(sock, b"one") == b"one"
            assert proxies.populate([ProxySpec(name, address, upstream.address)])[name] == address
            assert echo(sock, b"two") == b"two"
            proxies.populate([ProxySpec(name, address, other.address)])
            assert ended(sock) != "open"
        with connect(address) as sock:
            assert echo(sock, b"three") == b"three"
            assert other.accepted.get(timeout=5)


def test_reset_enables_everything_and_removes_every_toxic(proxies, upstream):
    name, address = proxied(proxies, upstream)
    proxies.add_toxic(name, "latency", "upstream", {"latency": 1})
    proxies.cut_reset(name)
    assert call(proxies, "POST", "/reset").status_code == 204
    assert proxies.show(name)["enabled"] is True
    assert proxies.toxics(name) == []
    with connect(address) as sock:
        assert echo(sock, b"back") == b"back"


# --- the wire --------------------------------------------------------------------------------


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
