"""The container files agree with the code. No engine is needed, except for the last test."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml

from kvraft import config
from kvraft.cli.app import COMMANDS
from kvraft.v1 import cluster_pb2, kv_pb2
from kvraft_chaos import compose
from kvraft_chaos.proxies import Proxies
from kvraft_chaos.topology import NODES, around, client_link, peer_link, peer_links
from kvraft_chaos.waiting import wait_until
from kvraft_client import rpc

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INTERPOLATION = re.compile(r"\$\{COMPOSE_PROFILES:\+([^}]*)\}")


def interpolated(text, *, chaos):
    """What compose makes of it where COMPOSE_PROFILES is set, and where it is not."""
    return INTERPOLATION.sub(r"\1" if chaos else "", text)


def loaded(node, *, chaos):
    """The server's own reading of the service's command and environment."""
    verb, *arguments = (interpolated(word, chaos=chaos) for word in SERVICES[node]["command"])
    assert verb == "serve"
    environment = SERVICES[node]["environment"]
    values = {name: interpolated(value, chaos=chaos) for name, value in environment.items()}
    assert "$" not in "".join([*arguments, *values.values()])
    return config.load(arguments, values)


def test_the_services_are_the_nodes_and_toxiproxy():
    assert set(SERVICES) == {*NODES, compose.TOXIPROXY_HOST}
    assert set(COMPOSE["volumes"]) == set(NODES)
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["toxiproxy"]
    assert SERVICES["toxiproxy"]["profiles"] == ["chaos"]


def test_the_ports_are_those_of_the_design():
    assert [compose.client_port(node) for node in NODES] == [4379, 4389, 4399]
    assert [compose.peer_port(node) for node in NODES] == [4380, 4390, 4400]


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("chaos", [False, True])
def test_the_server_takes_every_nodes_settings(node, chaos):
    settings = loaded(node, chaos=chaos)
    assert settings.name == node
    assert settings.listen.port == compose.client_port(node)
    assert settings.peer_listen.port == compose.peer_port(node)
    client = compose.client_link_port(node) if chaos else compose.client_port(node)
    assert settings.advertise == f"127.0.0.1:{client}"
    peers = {name: (address.host, address.port) for name, address in settings.peers.items()}
    assert peers == {name: (name, compose.peer_port(name)) for name in NODES}
    volume, place = SERVICES[node]["volumes"][0].split(":")
    assert (volume, place) == (node, str(settings.data_dir))


@pytest.mark.parametrize("node", NODES)
def test_only_the_profile_puts_the_proxies_in_between(node):
    assert loaded(node, chaos=False).dial == {}
    dialled = loaded(node, chaos=True).dial
    expected = {
        peer: ("toxiproxy", compose.peer_link_port(node, peer)) for peer in NODES if peer != node
    }
    assert {peer: (a.host, a.port) for peer, a in dialled.items()} == expected
    given = SERVICES[node]["environment"]["KVRAFT_DIAL"]
    assert interpolated(given, chaos=True) == compose.dial(node)


def test_the_list_of_proxies_is_the_generated_one():
    command = [sys.executable, "-m", "kvraft_chaos.compose", "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_list_of_proxies_that_differs_is_told(tmp_path):
    changed = tmp_path / "proxies.json"
    changed.write_text(compose.proxies_text().replace("20012", "20099"), encoding="utf-8")
    command = [sys.executable, "-m", "kvraft_chaos.compose", "--check", "--file", str(changed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "differs" in done.stderr


def test_every_directed_link_and_every_client_link_has_a_proxy_of_its_own():
    given = {proxy["name"]: proxy for proxy in json.loads(compose.PROXIES_FILE.read_text())}
    links = {peer_link(a, b): f"{b}:{compose.peer_port(b)}" for a, b in peer_links()}
    links |= {client_link(n): f"{n}:{compose.client_port(n)}" for n in NODES}
    assert {name: proxy["upstream"] for name, proxy in given.items()} == links
    assert len({proxy["listen"] for proxy in given.values()}) == 9
    assert all(proxy["listen"].startswith("0.0.0.0:") for proxy in given.values())


def test_what_clients_use_is_published_on_this_machine_only():
    for node in NODES:
        port = compose.client_port(node)
        assert SERVICES[node]["ports"] == [f"127.0.0.1:{port}:{port}"]
    ports = [8474, *(compose.client_link_port(node) for node in NODES)]
    assert SERVICES["toxiproxy"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports]


def test_toxiproxy_is_pinned_and_reads_the_list():
    toxiproxy = SERVICES["toxiproxy"]
    assert toxiproxy["image"] == "ghcr.io/shopify/toxiproxy:2.12.0"
    assert "-config=/etc/toxiproxy/proxies.json" in toxiproxy["command"]
    source, target, mode = toxiproxy["volumes"][0].split(":")
    assert (ROOT / source).resolve() == compose.PROXIES_FILE
    assert (target, mode) == ("/etc/toxiproxy/proxies.json", "ro")


@pytest.mark.parametrize("node", NODES)
def test_the_health_check_is_a_command_of_the_command_line(node):
    kind, program, option, endpoint, command = SERVICES[node]["healthcheck"]["test"]
    assert (kind, program, option) == ("CMD", "kvraft", "--endpoints")
    assert endpoint == f"127.0.0.1:{compose.client_port(node)}"
    assert command in COMMANDS


def test_a_health_check_fails_where_no_node_answers():
    command = [sys.executable, "-m", "kvraft", "--endpoints", "127.0.0.1:9", "status"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr


def stages():
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_image_is_built_in_two_stages_from_a_pinned_base():
    assert len(stages()) == 2
    for stage in stages():
        assert re.match(r"python:3\.11-slim-[a-z]+(\s|$)", stage)
    assert "pip" not in stages()[1]
    assert "COPY --from=build" in stages()[1]
    assert "--constraint constraints.txt" in stages()[0]


def test_the_image_runs_the_command_as_nobody_in_particular():
    final = stages()[1]
    (user,) = re.findall(r"^USER (\d+):\d+$", final, flags=re.MULTILINE)
    assert int(user) > 0
    assert final.index("USER ") > final.index("COPY ")
    assert 'ENTRYPOINT ["kvraft"]' in final
    assert "VOLUME /var/lib/kvraft" in final


def test_everything_that_is_copied_exists_and_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source


def engine():
    """The compose command where an engine answers, else None."""
    for program in (["docker", "compose"], ["podman", "compose"]):
        if shutil.which(program[0]) is None:
            continue
        for probe in ([program[0], "info"], [*program, "version"]):
            if subprocess.run(probe, check=False, capture_output=True, timeout=30).returncode:
                break
        else:
            return program
    return None


def compare_and_set(port, value, *, absent):
    """Through the client port of one node."""
    expect = kv_pb2.Expect(absent=True) if absent else kv_pb2.Expect(value=b"before")
    request = kv_pb2.CompareAndSetRequest(key=b"seat", value=value, expect=expect)
    method = rpc.COMPARE_AND_SET
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        return call(request, timeout=10).succeeded


def leading(port):
    method = rpc.STATUS
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        return call(cluster_pb2.StatusRequest(), timeout=5).role == cluster_pb2.ROLE_LEADER


@pytest.mark.compose
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_containers_survive_the_isolation_of_their_leader(monkeypatch):
    program = engine()
    if program is None:
        pytest.skip("no container engine with compose answers on this machine")
    monkeypatch.setenv("COMPOSE_PROFILES", "chaos")
    command = [
        *program,
        "--project-name",
        "kvraft-test",
        "--file",
        str(ROOT / "docker-compose.yml"),
    ]
    ports = {node: compose.client_link_port(node) for node in NODES}
    try:
        subprocess.run([*command, "up", "--build", "--detach", "--wait"], check=True, timeout=480)
        assert compare_and_set(ports["n1"], b"before", absent=True)
        (leader,) = [node for node in NODES if leading(ports[node])]
        others = [node for node in NODES if node != leader]
        Proxies("http://127.0.0.1:8474").cut_silent(*around(leader))
        wait_until(lambda: any(leading(ports[node]) for node in others), 10, "a new leader")
        assert compare_and_set(ports[others[0]], b"after", absent=False)
    finally:
        down = [*command, "down", "--volumes", "--timeout", "5"]
        subprocess.run(down, check=True, timeout=120)
