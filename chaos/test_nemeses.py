"""Every kind of fault has its effect on a real cluster, and leaves nothing behind when it heals."""

import contextlib
import subprocess
import threading
import time

import pytest

from kvraft_chaos import wall_clock
from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.nemesis import disks
from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.conduct import conduct
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.node_client import NodeError
from kvraft_chaos.rig import Rig
from kvraft_client import Client

pytestmark = pytest.mark.long

WITHIN_S = 15.0
"""For an effect to show, on a machine that does much else."""
CALL_S = 3.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, proxies):
    """One cluster for all; each test heals it."""
    directory = tmp_path_factory.mktemp("nemeses") / "nodes"
    rig = Rig(disks=True, clocks=wall_clock.lacking() is None)
    with ChaosCluster(directory, proxies, prefix="nemeses-", rig=rig) as cluster:
        yield cluster


@contextlib.contextmanager
def stroke(nodes, name, **arguments):
    """A fault for the body's time; afterwards nothing is held, and the cluster serves."""
    fault = FAULTS[name]()
    try:
        assert not fault.strike(nodes, arguments).startswith("nobody:")
        yield fault
    finally:
        fault.heal(nodes)
    assert nodes.holds.things() == []
    assert [
        toxic for link in nodes.names for toxic in nodes.proxies.toxics(client(nodes, link))
    ] == []
    nodes.wait_ready()
    for node in nodes.names:
        nodes.wait(lambda node=node: serves(nodes, node), WITHIN_S, f"{node} serves")


def client(nodes, name):
    return nodes.link(f"client-to-{name}")


def serves(nodes, name):
    with nodes.client(name) as asked, contextlib.suppress(NodeError):
        return bool(asked.put("probe", name, CALL_S))
    return False


def led(nodes, but):
    """Wait for a leader other than this node; its name."""
    found = []

    def leads():
        found[:] = [nodes.leader([name for name in nodes.names if name != but])]
        return found[0] not in (None, but)

    nodes.wait(leads, WITHIN_S, f"somebody but {but} leads")
    return found[0]


def put_under(nodes, leader, value, name, **arguments):
    """Seconds of a write by a client that was connected when the fault struck its link."""
    with nodes.client(leader) as asked:
        asked.standing(CALL_S)
        with stroke(nodes, name, node=leader, where="clients", **arguments):
            return puts(asked, value)


def puts(asked, value):
    begun = time.monotonic()
    asked.put("timed", value, CALL_S)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("isolate-leader", {}),
        ("one-way", {"node": "leader", "direction": "out"}),
        ("disconnect", {"node": "leader"}),
        ("kill", {"node": "leader"}),
        ("pause", {"node": "leader"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_without_its_leader_a_cluster_elects_another(nodes, name, arguments):
    old = nodes.leader()
    with stroke(nodes, name, **arguments) as fault:
        assert fault.struck == (old,)
        assert led(nodes, but=old) != old


def test_in_a_directed_ring_nobody_can_lead(nodes):
    with stroke(nodes, "ring", order=list(nodes.names)):
        nodes.wait(lambda: nodes.leader() is None, WITHIN_S, "nobody leads")


def test_after_all_were_killed_what_was_written_is_there(nodes):
    with Client(nodes.endpoint("n1"), timeout=WITHIN_S) as kv:
        kv.put("kept", b"before")
    with stroke(nodes, "kill-all"):
        assert not any(nodes.running(name) for name in nodes.names)
    with Client(nodes.endpoint("n2"), timeout=WITHIN_S) as kv:
        assert kv.get("kept").value == b"before"


def test_a_link_can_be_late_narrow_sliced_and_half_open(nodes):
    leader = nodes.leader()
    assert put_under(nodes, leader, "v", "delay", latency_ms=200, jitter_ms=0) >= 0.4
    assert put_under(nodes, leader, "v" * 40_000, "bandwidth", kb_per_s=40) >= 0.7
    assert put_under(nodes, leader, "v" * 12_800, "slicing", bytes=64, pause_us=2_000) >= 0.2
    with pytest.raises(NodeError, match="DEADLINE"):
        put_under(nodes, leader, "not heard of", "half-open")
    with nodes.client(leader) as asked:
        assert asked.get("timed", CALL_S)["value"] == "not heard of", "it was done"


def test_resets_break_connections_and_flapping_closes_and_opens_links(nodes):
    leader = nodes.leader()
    with (
        stroke(nodes, "resets", node=leader, where="clients", after_ms=0),
        nodes.client(leader) as asked,
        pytest.raises(NodeError, match=r"(?i)reset|unavailable"),
    ):
        asked.put("reset", "v", 1.0)
    link = nodes.link("n1-to-n2")
    with stroke(nodes, "flapping", node="n1") as fault:
        assert not nodes.proxies.show(link)["enabled"]
        fault.beat(nodes, 1)
        assert nodes.proxies.show(link)["enabled"]
        fault.beat(nodes, 2)
        assert not nodes.proxies.show(link)["enabled"]
    assert nodes.proxies.show(link)["enabled"]


def test_a_slow_disk_slows_the_majority_that_needs_it(nodes):
    leader, other, _ = sorted(nodes.names, key=lambda name: name != nodes.leader())
    with nodes.client(leader) as asked:
        with stroke(nodes, "slow-disk", node=leader, sync_ms=400):
            second = FAULTS["slow-disk"]()
            second.strike(nodes, {"node": other, "sync_ms": 400})
            assert puts(asked, "slow") >= 0.4
            second.heal(nodes)
        assert min(puts(asked, "fast") for _ in range(5)) < 0.4


def test_a_node_on_a_full_disk_says_so_ends_and_comes_back(nodes):
    leader = nodes.leader()
    with stroke(nodes, "full-disk", node=leader):
        with Client(",".join(map(nodes.endpoint, nodes.names)), timeout=WITHIN_S) as kv:
            for _ in range(40):  # its log may grow by what the node may still say
                kv.put("big", b"v" * 10_000)
                if not nodes.running(leader):
                    break
            nodes.wait(lambda: not nodes.running(leader), WITHIN_S, f"{leader} ends")
            kv.put("big", b"the others go on")
        nodes.check_alive()  # an end that was expected is no error
        assert "disk full" in nodes.last_words(leader)


def test_a_small_file_system_is_filled_to_the_last_byte(tmp_path):
    """Needs the right to mount; without it `full-disk` limits the size of files."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a tmpfs here")
    try:
        assert small.is_mount()
        disks.fill(small)
        with pytest.raises(OSError, match="No space left"):
            (small / "one-more").write_bytes(bytes(1))
    finally:
        subprocess.run(["umount", small], check=True)


def test_leadership_is_handed_over_and_a_snapshot_is_taken(nodes):
    old = nodes.leader()
    with stroke(nodes, "transfer-leader", to="follower"):
        assert led(nodes, but=old) != old
    with Client(nodes.endpoint("n3"), timeout=CALL_S) as kv:
        (before,) = kv.status()
        with stroke(nodes, "snapshot", node="n3"):
            nodes.wait(
                lambda: kv.status()[0].snapshot_index > before.snapshot_index,
                WITHIN_S,
                "n3 has a newer snapshot",
            )


def test_a_node_without_its_disk_rejoins_and_only_one_at_a_time(nodes):
    with Client(nodes.endpoint("n2"), timeout=CALL_S) as kv:
        (before,) = kv.status()
    with stroke(nodes, "rejoin", node="n2"):
        assert list(nodes.nodes["n2"].directory.iterdir()) == []
        second = FAULTS["rejoin"]()
        assert second.strike(nodes, {"node": "n3"}).startswith("nobody: n2")
        second.heal(nodes)
    nodes.wait(lambda: nodes.without_disk() == [], WITHIN_S, "n2 is a member again")
    with Client(nodes.endpoint("n2"), timeout=CALL_S) as kv:
        (after,) = kv.status()
    assert after.disk_id != before.disk_id


def test_a_clock_that_jumps_moves_the_log_of_a_node_and_no_leader(nodes):
    lacking = wall_clock.lacking()
    if lacking is not None:
        pytest.skip(f"this machine lacks {lacking}")
    terms = {each.term for each in nodes.standings().values()}
    next_year = str(time.gmtime().tm_year + 1)
    with stroke(nodes, "clock-jump", node="leader", by_s=400 * 86_400) as fault:
        time.sleep(wall_clock.CACHE_SECONDS + 0.1)
        assert {each.term for each in nodes.standings().values()} == terms
        (struck,) = fault.struck
        with Client(nodes.endpoint(struck), timeout=CALL_S) as kv:
            kv.transfer_leadership()  # so that it has something to say
        nodes.wait(lambda: next_year in nodes.last_words(struck), WITHIN_S, "its clock jumped")


def test_strokes_overlap_and_all_are_healed_at_the_end(nodes, monkeypatch):
    """Swizzle, a restart storm and a pause at once, and a plan that is stopped half way."""
    monkeypatch.setattr(nodes, "mend", lambda: None)  # each stroke heals itself, or this fails
    before = {name: node.process.pid for name, node in nodes.nodes.items()}
    marks, stop = [], threading.Event()
    order = list(nodes.names)
    steps = (
        Step(0, 3_000, "swizzle-clog", {"clog": order, "unclog": order[::-1]}),
        Step(100, 2_500, "restart-storm"),
        Step(200, 60_000, "pause", {"node": "n1"}),
        Step(300, 60_000, "halves", {"side": ["n2"]}),
    )
    plan = Plan("register", 1, 60_000, nodes.names, steps)
    threading.Timer(4.0, stop.set).start()
    conduct(plan, nodes, marks.append, stop)
    assert [(mark.type, mark.stroke) for mark in marks] == [
        ("strike", 0), ("strike", 1), ("strike", 2), ("strike", 3),
        ("heal", 1), ("heal", 0), ("heal", 3), ("heal", 2),
    ]  # fmt: skip
    assert not [mark for mark in marks if "failed" in mark.detail]
    assert not [name for name, pid in before.items() if nodes.nodes[name].process.pid == pid]
    nodes.wait_ready()
    for node in nodes.names:
        nodes.wait(lambda node=node: serves(nodes, node), WITHIN_S, f"{node} serves")
