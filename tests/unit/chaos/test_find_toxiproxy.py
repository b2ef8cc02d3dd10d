"""Which Toxiproxy server is used, and the line that says why none can be."""

import os
import socket
import subprocess
import sys

import pytest

from kvraft_chaos.proxies import Proxies, ToxiproxyError
from kvraft_chaos.toxiproxy.find import embedded_server, find_binary, found_server
from kvraft_chaos.toxiproxy.server import EmbeddedToxiproxy


def program(directory, name, text="#!/bin/sh\nexit 3\n"):
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_given_url_is_used_and_nothing_else(tmp_path):
    with embedded_server() as other:
        environment = {"TOXIPROXY_URL": other.url, "TOXIPROXY_BIN": str(tmp_path / "none")}
        with found_server(environment) as found:
            assert found.url == other.url


def test_a_url_where_nobody_answers_is_one_clear_line():
    with pytest.raises(
        ToxiproxyError, match=r"http://127.0.0.1:9: GET /version: no server answers"
    ):
        found_server({"TOXIPROXY_URL": "http://127.0.0.1:9"}).__enter__()


@pytest.mark.parametrize("url", ["127.0.0.1:8474", "https://localhost:8474", ""])
def test_a_malformed_url_is_named(url):
    with pytest.raises(ToxiproxyError, match=r"looks like http://127.0.0.1:8474"):
        Proxies(url)


def test_a_server_that_hangs_does_not_hang_us():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(ToxiproxyError, match=r"no answer within 0\.2 s"):
            Proxies(url, timeout_s=0.2).version()


def test_a_binary_that_ends_at_once_is_told(tmp_path):
    binary = program(tmp_path, "toxiproxy-server")
    with pytest.raises(ToxiproxyError, match="ended at once with status 3"):
        found_server({"TOXIPROXY_BIN": str(binary)}).__enter__()


def test_a_binary_that_is_none_is_told(tmp_path):
    with pytest.raises(ToxiproxyError, match=r"TOXIPROXY_BIN=.* is not an executable"):
        find_binary({"TOXIPROXY_BIN": str(tmp_path / "none")})


def test_the_binary_is_found_on_the_path_first(tmp_path):
    first, second = tmp_path / "path", tmp_path / "tools"
    for directory in (first, second):
        directory.mkdir()
    assert find_binary({"PATH": str(first)}, second) is None
    there = program(second, "toxiproxy-server")
    assert find_binary({"PATH": str(first)}, second) == str(there)
    here = program(first, "toxiproxy-server")
    assert find_binary({"PATH": str(first)}, second) == str(here)


def test_without_anything_the_embedded_server_is_used():
    with found_server({"PATH": ""}) as found:
        assert found.version().endswith("kvraft.embedded")


def test_the_embedded_server_can_be_asked_for(tmp_path):
    program(tmp_path, "toxiproxy-server")
    environment = {"PATH": str(tmp_path), "TOXIPROXY_URL": "embedded"}
    with found_server(environment) as found:
        assert found.version().endswith("kvraft.embedded")


def test_a_taken_port_is_an_error_at_the_start():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            EmbeddedToxiproxy(port=port).start()
        command = [sys.executable, "-m", "kvraft_chaos.toxiproxy", "--port", str(port)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith(f"toxiproxy: cannot listen on 127.0.0.1:{port}: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_foreground_server_says_where_it_is_and_ends_on_sigterm():
    command = [sys.executable, "-m", "kvraft_chaos.toxiproxy", "--port", "0", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        line = process.stdout.readline().strip()
        assert line.startswith("Toxiproxy API (2.12.0+kvraft.embedded) on http://127.0.0.1:")
        assert Proxies(line.rsplit(" ", 1)[1]).names() == []
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /proxies HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /proxies HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"501"),
        (b"GET /" + b"x" * 100_000, b"431"),
        (b"POST /proxies HTTP/1.1\r\nContent-Length: 3\r\n\r\n{]}", b"400"),
    ],
)
def test_malformed_requests_are_answered_and_the_server_goes_on(sent, status):
    with EmbeddedToxiproxy() as server:
        port = int(server.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(sent)
            assert sock.recv(65_536).split(b" ")[1] == status
        assert Proxies(server.url).names() == []
