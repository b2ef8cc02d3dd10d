"""The HTTP API, held against both servers: paths, bodies, errors and statuses."""

import pytest
import requests
from unit.chaos.upstream import connect, echo, ended, proxied, running

from kvraft_chaos.proxies import ProxySpec, ToxiproxyError


@pytest.fixture
def upstream():
    with running() as server:
        yield server


def call(proxies, method, path, body=None, **options):
    return requests.request(
        method,
        proxies.url + path,
        json=body,
        timeout=5,
        proxies={"no_proxy": "127.0.0.1"},
        **options,
    )


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
