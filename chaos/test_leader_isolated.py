"""The leader is cut off: the majority goes on, the minority refuses, nothing is split or lost."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kvraft_chaos.checkers.leaders import check_leaders
from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.revisions import check_revisions
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder, load
from kvraft_chaos.node_client import NodeError
from kvraft_chaos.observer import Observer
from kvraft_chaos.topology import around
from kvraft_chaos.workload import RegisterWorkload, recorded
from kvraft_client.policy.failure import Outcome

REFUSAL_SECONDS = 1.5
"""SEMANTICS: a node without a quorum answers within one election timeout (1.1 s), and a margin."""
CALL_SECONDS = 5.0
"""The caller's own deadline: far longer, so that a hanging call is told from a refusal."""
ELECTION_SECONDS = 5.0
HEALED_SECONDS = 5.0
LEASE_TTL_MS = 60_000


def refused(client, call):
    """The error of a call that must be refused, and after how many seconds."""
    start = time.monotonic()
    try:
        with client, pytest.raises(NodeError) as caught:
            call(client)
    finally:
        took = time.monotonic() - start
    return caught.value, took


def minority_refuses(cluster, recorder, leader, lease_id, *, number):
    """A CAS, lease grant, keepalive and linearizable read at once; each one's outcome in words."""
    key, value, expect = f"isolated-{number}", f"by-{leader}", {"absent": True}

    def cas(client):
        argument = {"value": value, "expect": expect}
        process = recorder.process()
        _, error = recorded(
            recorder,
            process,
            "cas",
            key,
            argument,
            leader,
            lambda: client.cas(key, value, expect, CALL_SECONDS),
        )
        if error is not None:
            raise error

    calls = {
        "cas": cas,
        "grant": lambda client: client.grant(LEASE_TTL_MS, CALL_SECONDS),
        "keepalive": lambda client: client.keep_alive(lease_id, CALL_SECONDS),
        "get": lambda client: client.get("register-0-0", CALL_SECONDS),
    }
    outcomes = {}
    with ThreadPoolExecutor(len(calls)) as pool:
        begun = {n: pool.submit(refused, cluster.client(leader), c) for n, c in calls.items()}
    for name, future in begun.items():
        error, took = future.result()
        assert took <= REFUSAL_SECONDS, f"{name} was refused only after {took:.2f} s: {error}"
        assert error.failure.reason is not None, f"{name}: not the node's own word: {error}"
        outcomes[name] = f"{error.outcome} after {took:.2f} s"
    assert outcomes["get"].startswith(Outcome.NOT_APPLIED)
    return outcomes


def first_swap(recorder, names, since):
    """Nanoseconds from event `since` to the first swap that one of the nodes acknowledged."""
    return next(
        event.time_ns - recorder.events[since].time_ns
        for event in recorder.events[since:]
        if event.type == "ok" and event.f == "cas" and event.node in names
        if event.value["succeeded"]
    )


def accepted_by(recorder, node, since, until):
    """Answers that the node gave to calls that began inside the interval of event indexes."""
    asked = set()
    found = []
    for event in recorder.events[since:until]:
        if event.node == node and event.type == "invoke":
            asked.add(event.process)
        elif event.process in asked:
            asked.remove(event.process)
            if event.type == "ok":
                found.append(event)
    return found


def falsified(events):
    """The same history with one read turned back to the oldest value of its key."""
    reads = [event for event in events if event.type == "ok" and event.f == "get"]
    for read in reversed(reads):
        same_key = [
            each for each in reads if each.key == read.key and each.value["value"] is not None
        ]
        if same_key and same_key[0].value != read.value and same_key[0].index < read.index:
            changed = list(events)
            changed[read.index] = dataclasses.replace(read, value=same_key[0].value)
            return changed
    pytest.fail("no key was read at two different values: nothing to falsify")
    return None


@pytest.mark.parametrize("kind", [pytest.param("silent", marks=pytest.mark.smoke), "reset"])
def test_leader_isolated(cluster, proxies, progress, tmp_path, kind):
    path = tmp_path / "history.jsonl"
    with Recorder(path) as recorder, Observer(cluster.names, cluster.client) as observer:
        workload = RegisterWorkload(cluster.names, cluster.client, recorder, clients=6, seed=1)
        with workload:
            scenario(cluster, proxies, progress, workload, kind)
        with cluster.client(cluster.names[0]) as client:
            digests, missing = client.state_hashes(CALL_SECONDS)
    assert missing == []
    assert len(set(digests.values())) == 1, f"the nodes hold different states: {digests}"

    events = load(path)
    report = check(events)
    progress(report.sentence())
    assert report.verdict is Verdict.VALID
    order = check_revisions(events)
    progress(order.sentence())
    assert order.verdict is Verdict.VALID
    logged = cluster.logged_leaders()
    assert {fact.term for fact in logged} >= {fact.term for fact in observer.facts}
    leaders = check_leaders([*observer.facts, *logged])
    progress(leaders.sentence())
    assert leaders.verdict is Verdict.VALID
    assert len(leaders.leaders) >= 2, "the leader was never replaced: nothing was tested"
    convicted = check(falsified(events))
    progress("negative control, one falsified read: " + convicted.verdict.value)
    assert convicted.verdict is Verdict.INVALID


def scenario(cluster, proxies, progress, workload, kind):
    recorder = workload.recorder
    cluster.wait(lambda: workload.accepted_cas() >= 50, 20, "50 swaps on a healthy cluster")
    leader = cluster.leader()
    assert leader is not None
    majority = [name for name in cluster.names if name != leader]
    with cluster.client(leader) as client:
        lease_id = client.grant(LEASE_TTL_MS, CALL_SECONDS)
        assert client.keep_alive(lease_id, CALL_SECONDS) == LEASE_TTL_MS

    links = [cluster.link(name) for name in around(leader, cluster.names)]
    (proxies.cut_silent if kind == "silent" else proxies.cut_reset)(*links)
    cut, before = len(recorder.events), workload.accepted_cas(majority)
    progress(f"{leader} leads; its four links are cut ({kind})")

    outcomes = minority_refuses(cluster, recorder, leader, lease_id, number=1)
    progress(f"{leader} refuses: {outcomes}")

    def goes_on():
        workload.check()
        return workload.accepted_cas(majority) > before

    cluster.wait(goes_on, ELECTION_SECONDS, "the majority accepts a swap")
    new_leader = cluster.leader(majority)
    cluster.wait(
        lambda: workload.accepted_cas(majority) >= before + 100,
        20,
        "the majority accepts 100 swaps",
    )
    took = first_swap(recorder, majority, cut) / 1e9
    progress(
        f"{new_leader} leads the majority, whose first swap was done {took:.2f} s after the cut"
    )

    # By now the old leader has stepped down: it proposes nothing, so nothing is unknown.
    assert not cluster.standings([leader])[leader].leads
    outcomes = minority_refuses(cluster, recorder, leader, lease_id, number=2)
    progress(f"{leader} refuses: {outcomes}")
    assert all(outcome.startswith(Outcome.NOT_APPLIED) for outcome in outcomes.values())

    assert accepted_by(recorder, leader, cut, len(recorder.events)) == []
    proxies.heal(*links)
    heals(cluster, progress, workload, leader, lease_id)


def heals(cluster, progress, workload, leader, lease_id):
    """The cut-off node serves again, its lease lives, and every key is read once from each node."""
    recorder = workload.recorder
    after = workload.accepted_cas([leader])

    def back():
        workload.check()
        return workload.accepted_cas([leader]) >= after + 10

    took = cluster.wait(back, HEALED_SECONDS, f"{leader} accepts swaps again")
    cluster.wait_ready(HEALED_SECONDS)
    progress(f"healed: {leader} accepts swaps again after {took:.2f} s")
    with cluster.client(leader) as client:
        assert client.keep_alive(lease_id, CALL_SECONDS) == LEASE_TTL_MS
    for name in cluster.names:
        with cluster.client(name) as client:
            for key in [*workload.keys(), "isolated-1", "isolated-2"]:
                recorded(
                    recorder,
                    recorder.process(),
                    "get",
                    key,
                    None,
                    name,
                    lambda key=key, client=client: client.get(key, CALL_SECONDS),
                )
