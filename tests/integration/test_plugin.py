"""The pytest plugin and the page on it, as a user has them: each test is a pytest of its own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kvraft_chaos.history import decode_events, operations
from kvraft_client.testing import LocalCluster

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/testing-your-program.md").read_text()
PLUGIN = "kvraft.pytest_plugin"


@pytest.fixture
def run(tmp_path):
    """Run pytest on a test file of a user; its status and output."""

    def pytest_run(code, *arguments, ini="", python=()):
        (tmp_path / "test_theirs.py").write_text(code)
        (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}\n")
        command = [*(python or (sys.executable, "-m", "pytest")), "-p", PLUGIN, *arguments]
        done = subprocess.run(
            [*command, "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
            cwd=tmp_path, check=False, timeout=110, capture_output=True, text=True,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return pytest_run


def test_the_install_registers_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}


def test_a_conftest_may_name_the_plugin_too(run, tmp_path):
    (tmp_path / "conftest.py").write_text(f"pytest_plugins = ['{PLUGIN}']\n")
    status, said = run("def test_it(kvraft_history): assert kvraft_history.events == []\n")

    assert status == 0, said


def test_the_examples_of_the_page_pass(run):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    status, said = run(code)

    assert status == 0, said
    assert "2 passed" in said


FAULTS = """
import pytest
from kvraft_client import Client, KvraftError
from kvraft_chaos.node_client import NodeClient, NodeError

def answers(cluster, name):
    with Client(cluster.endpoint(name), timeout=3) as kv:
        kv.put("who", name)

def test_faults(kvraft_cluster):
    one = kvraft_cluster
    kv = one.client(timeout=10)
    kv.put("k", "v")
    with one.partition("n1") as cut:
        assert cut.nodes == ("n1",)
        with pytest.raises(KvraftError):
            answers(one, "n1")
        one.leader(other_than="n1")
        kv.put("k", "w")
    one.wait_ready()
    answers(one, "n1")
    with one.partition(["n1"], ["n2", "n3"], clients=True):
        with pytest.raises(KvraftError):
            answers(one, "n2")
    one.wait_ready()
    answers(one, "n2")

    with NodeClient("leader", one.endpoint("leader")) as naive:  # it asks nothing before it writes
        naive.put("k", "w", 5.0)
        lost = one.lose_replies()
        with pytest.raises(NodeError) as unknown:
            naive.put("k", "u", 2.0)
        assert unknown.value.outcome == "UNKNOWN"
    lost.heal()
    assert kv.get("k").value == b"u"
    lost.heal()
    paused = one.pause("leader")
    assert one.leader(other_than=paused.nodes[0]) != paused.nodes[0]
    dead = one.kill("leader")
    one.heal()
    kv.put("k", "x")
    assert "leads term" in one.log(dead)
    with pytest.raises(Exception, match="there is no node 'n4': n1, n2, n3, or leader"):
        one.kill("n4")
    with one.delay(300):
        with pytest.raises(KvraftError):
            with Client(one.endpoints, timeout=0.25) as far:
                far.put("k", "y")
"""


def test_the_methods_do_what_they_say(run):
    status, said = run(FAULTS)

    assert status == 0, said


def test_one_cluster_for_a_session_is_healed_between_tests(run):
    code = """
seen = []

def test_one(kvraft_cluster):
    seen.append(kvraft_cluster.endpoints)
    kvraft_cluster.client().put("k", "v")
    kvraft_cluster.kill("n1")
    kvraft_cluster.partition("n2")

def test_two(kvraft_cluster):
    assert seen == [kvraft_cluster.endpoints]
    kvraft_cluster.wait_ready()
    with kvraft_cluster.partition("n3"):
        assert kvraft_cluster.client(timeout=10).get("k").value == b"v"
"""
    status, said = run(code, ini="kvraft_cluster_scope = session")

    assert status == 0, said
    status, said = run(code, ini="kvraft_cluster_scope = weekly")
    assert status != 0
    assert "kvraft_cluster_scope is function, module or session, not 'weekly'" in said


def test_a_contradiction_is_the_message_of_the_failure(run):
    status, said = run("""
from kvraft_client.testing import assert_linearizable

def test_it(kvraft_history):
    for value in ("free", "ann"):
        with kvraft_history.call("put", "seat", {"value": value}):
            pass
    with kvraft_history.call("get", "seat") as call:
        call.result = {"value": "free"}
    assert_linearizable(kvraft_history)
""")

    assert status == 1
    assert "seat: invalid (3 operations): after 2 of them at most (last: put" in said
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert all(line in said for line in shown.splitlines())  # as the page shows it
    file = re.search(r"all of it: (\S+)", said)[1]
    assert Path(file).read_text().count("\n") == 6


def test_the_page_names_what_there_is():
    (event,) = re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert operations(decode_events([event]))[0].argument == {"value": "ann"}

    helps = [
        subprocess.run(
            [sys.executable, "-m", "kvraft", *words, "--help"],
            check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
        ).stdout
        for words in (["chaos", "proxy"], ["verify"], ["serve"])
    ]  # fmt: skip
    options = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert len(options) > 9
    assert {each for each in options if not any(each in text for text in helps)} == set()
    table = PAGE.split("| `kvraft_cluster` | |")[1].split("\n\n")[0]
    methods = set(re.findall(r"`([a-z_]+)[`(]", table))
    assert len(methods) > 10
    assert [each for each in methods if not hasattr(LocalCluster, each)] == []
    for words in re.findall(r"^\$ kvraft (verify|chaos proxy) (.*)$", PAGE, flags=re.MULTILINE):
        assert words[1].startswith(("history.jsonl --model register", "--endpoints 127.0.0.1:4379"))


WITHOUT = """
import sys
sys.modules["toxiproxy"] = None
sys.modules["toxiproxy.api"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_a_missing_extra_is_named_and_only_where_it_is_used(run):
    python = (sys.executable, "-c", WITHOUT)
    status, said = run("def test_mine(): pass\ndef test_it(kvraft_cluster): pass\n", python=python)

    assert status == 1
    assert "1 passed, 1 error" in said
    assert "kvraft_client.testing needs toxiproxy.api: pip install 'kvraft[chaos]'" in said


def test_the_plugin_costs_others_nothing(run):
    """gRPC takes a quarter of a second to load; the tests of other programs do not need it."""
    status, said = run(
        """
import sys

def test_it():
    ours = [name for name in sys.modules if name.split(".")[0] in ("kvraft", "kvraft_client",
            "kvraft_chaos", "grpc", "google", "requests", "toxiproxy", "typer", "rich")]
    assert sorted(ours) == ["kvraft", "kvraft.pytest_plugin"]
"""
    )

    assert status == 0, said
