"""The leader is cut off: the majority goes on, the minority refuses, nothing is split or lost."""

import dataclasses
import time

import pytest

from kvraft_chaos.checkers.leaders import check_leaders
from kvraft_chaos.checkers.linearizability import check
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


def refused(call):
    """The error of a call that must be refused in time; (outcome, seconds)."""
    start = time.monotonic()
    with pytest.raises(NodeError) as caught:
        call()
    took = time.monotonic() - start
    assert took <= REFUSAL_SECONDS, f"refused only after {took:.2f} s: {caught.value}"
    assert caught.value.failure.reason is not None, f"not the node's own word: {caught.value}"
    return caught.value, took


def minority_refuses(cluster, recorder, leader, lease_id, *, number):
    """One CAS, lease grant, keepalive and linearizable read on the isolated node, all refused."""
    slowest = 0.0
    with cluster.client(leader) as client:

        def cas():
            key, value, expect = f"isolated-{number}", f"by-{leader}", {"absent": True}
            argument = {"value": value, "expect": expect}
            _, error = recorded(
                recorder,
                recorder.process(),
                "cas",
                key,
                argument,
                leader,
                lambda: client.cas(key, value, expect, CALL_SECONDS),
            )
            if error is not None:
                raise error

        errors = {}
        for name, call in {
            "cas": cas,
            "grant": lambda: client.grant(LEASE_TTL_MS, CALL_SECONDS),
            "keepalive": lambda: client.keep_alive(lease_id, CALL_SECONDS),
            "get": lambda: client.get("register-0-0", CALL_SECONDS),
        }.items():
            errors[name], took = refused(call)
            slowest = max(slowest, took)
    assert errors["get"].outcome is Outcome.NOT_APPLIED
    return {name: error.outcome for name, error in errors.items()}, slowest


def accepted_by(recorder, node, since, until):
    """Answers that the node gave to calls that began inside the interval of event indexes."""
    invoked = {}
    for event in recorder.events[since:until]:
        if event.type == "invoke" and event.node == node:
            invoked[event.process] = event
        elif event.type == "ok" and invoked.pop(event.process, None) is not None:
            yield event


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


@pytest.mark.parametrize("kind", ["silent", "reset"])
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

    outcomes, slowest = minority_refuses(cluster, recorder, leader, lease_id, number=1)
    progress(f"{leader} refuses within {slowest:.2f} s: {outcomes}")

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
    progress(f"{new_leader} leads the majority; {workload.accepted_cas(majority) - before} swaps")

    # By now the old leader has stepped down: it proposes nothing, so nothing is unknown.
    assert not cluster.standings([leader])[leader].leads
    outcomes, slowest = minority_refuses(cluster, recorder, leader, lease_id, number=2)
    progress(f"{leader} refuses within {slowest:.2f} s: {outcomes}")
    assert set(outcomes.values()) == {Outcome.NOT_APPLIED}

    healing = len(recorder.events)
    proxies.heal(*links)
    assert list(accepted_by(recorder, leader, cut, healing)) == []
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
