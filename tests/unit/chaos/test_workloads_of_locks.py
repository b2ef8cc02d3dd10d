"""Fenced counters, locks and leases against an honest store, and stores wrong in one way each."""

from random import Random

import pytest
from unit.chaos.lock_store import STALE, LockStore, history

from kvraft_chaos.checkers.verdict import Verdict, worst
from kvraft_chaos.workloads.fenced_counter import PREFIX as COUNTERS
from kvraft_chaos.workloads.fenced_counter import FencedCounter
from kvraft_chaos.workloads.lease import PREFIX as LEASES
from kvraft_chaos.workloads.lease import Lease
from kvraft_chaos.workloads.lock import PREFIX as GUARDED
from kvraft_chaos.workloads.lock import Lock
from kvraft_chaos.workloads.script import Answer

LOGS = {FencedCounter: COUNTERS, Lock: GUARDED, Lease: LEASES}
OFTEN = 0.05
SECONDS = 8


class Wrong(LockStore):
    """Right but for some calls."""

    def __init__(self):
        super().__init__()
        self._chance = Random(7)

    def errs(self):
        return self._chance.random() < OFTEN


class TwoHolders(Wrong):
    def is_free(self, name):
        return super().is_free(name) or self.errs()


class TokenAgain(Wrong):
    def next_token(self):
        return self.token if self.token and self.errs() else super().next_token()


class TokenBack(Wrong):
    def next_token(self):
        token = super().next_token()
        return token - 5_000 if self.errs() else token


class NoFence(Wrong):
    def fenced_put(self, key, argument, _waited_ms):
        return self.write([(key, argument["value"])])


class ForgetfulFence(Wrong):
    def fenced_put(self, key, argument, waited_ms):
        return STALE if self.errs() else super().fenced_put(key, argument, waited_ms)


class LossyPut(Wrong):
    def write(self, rows):
        if rows and rows[0][1] is not None and self.errs():
            self.revision += 1
            return Answer("ok", {"mod_revision": self.revision})
        return super().write(rows)


class DoublePut(Wrong):
    def write(self, rows):
        answer = super().write(rows)
        if rows and rows[0][1] is not None and self.errs():
            super().write(rows)
        return answer


class EarlyLease(Wrong):
    def grant(self, key, argument, waited_ms):
        answer = super().grant(key, argument, waited_ms)
        if self.errs():
            self.deadlines[answer.result["lease_id"]] -= argument["ttl_ms"] // 5
        return answer


class DeafLease(Wrong):
    def keep_alive(self, _key, argument, _waited_ms):
        return Answer("ok", {"alive": argument["lease_id"] in self.deadlines})


class TornLease(Wrong):
    def end_lease(self, lease_id):
        keys = self.attached.get(lease_id, [])
        if len(keys) > 1 and self.errs():
            self.write([(keys.pop(), None)])
        super().end_lease(lease_id)


class DeadLease(Wrong):
    """A revoke is acknowledged, and the lease lives on."""

    def revoke(self, key, argument, waited_ms):
        return Answer("ok", {"deleted": 2})


def findings(workload, store, *, loses=False):
    story = history(workload(), store, seconds=SECONDS, loses=loses)
    prefix = LOGS[workload]
    story.log(prefix, *store.log_of(prefix))
    return workload().check(story.events)


@pytest.mark.parametrize("loses", [False, True], ids=["all answered", "answers lost"])
@pytest.mark.parametrize("workload", [FencedCounter, Lock, Lease])
def test_an_honest_store_is_valid(workload, loses):
    found = findings(workload, LockStore(), loses=loses)
    assert {each.verdict for each in found} == {Verdict.VALID}, found


@pytest.mark.parametrize(
    ("workload", "store", "checker"),
    [
        (Lock, TwoHolders, "one holder"),
        (FencedCounter, TwoHolders, "one holder"),
        (Lock, TokenAgain, "tokens"),
        (FencedCounter, TokenAgain, "tokens"),
        (Lock, TokenBack, "tokens"),
        (Lock, NoFence, "fences"),
        (FencedCounter, NoFence, "counters"),
        (FencedCounter, NoFence, "fences"),
        (Lock, ForgetfulFence, "fences"),
        (FencedCounter, ForgetfulFence, "fences"),
        (FencedCounter, LossyPut, "counters"),
        (FencedCounter, DoublePut, "counters"),
        (Lease, EarlyLease, "lease times"),
        (Lease, DeafLease, "lease times"),
        (Lease, TornLease, "lease keys"),
        (Lease, DeadLease, "lease times"),
        (Lease, LossyPut, "lease keys"),
    ],
)
def test_a_store_that_is_wrong_is_convicted_by_its_checker(workload, store, checker):
    found = {each.checker: each for each in findings(workload, store())}
    assert found[checker].verdict is Verdict.INVALID, found
    assert worst(each.verdict for each in found.values()) is Verdict.INVALID
    assert found[checker].contradiction
