"""Leases, locks and fences in memory, in a time of their own, and clients that meet there.

A minute of it takes a moment, so that checkers see long histories: honest ones, and those of stores
that are wrong in one way each.
"""

import heapq
from random import Random

from unit.chaos.story import Story

from kvraft_chaos.workloads.script import Answer

WAITING = None
"""A lock that is not free yet: asked again a little later."""
STALE = Answer("fail", error="[STALE_FENCE]")
NO_LEASE = Answer("fail", error="[LEASE_NOT_FOUND]")


class LockStore:
    """Honest. Locks whose client renews them are held until they are released."""

    def __init__(self):
        self.now_ms = 0
        self.revision, self.token, self.lease_id = 1, 0, 0
        self.log, self.values = [], {}
        self.deadlines, self.ttls, self.attached = {}, {}, {}
        self.holders = {}

    def perform(self, call, waited_ms):
        for lease_id in [each for each, at in self.deadlines.items() if at <= self.now_ms]:
            self.end_lease(lease_id)
        asked = getattr(self, call.f)
        return asked(call.key, call.argument or {}, waited_ms)

    def write(self, rows):
        self.revision += 1
        for key, value in rows:
            self.log.append([self.revision, key, value])
            self.values[key] = (value, self.revision)
        return Answer("ok", {"mod_revision": self.revision})

    # -- leases

    def end_lease(self, lease_id):
        del self.deadlines[lease_id]
        self.write([(key, None) for key in self.attached.pop(lease_id, [])])
        for name in [name for name, held in self.holders.items() if held[1] == lease_id]:
            del self.holders[name]

    def grant(self, _key, argument, _waited_ms):
        self.lease_id += 1
        self.ttls[self.lease_id] = argument["ttl_ms"]
        self.deadlines[self.lease_id] = self.now_ms + argument["ttl_ms"]
        return Answer("ok", {"lease_id": self.lease_id})

    def keep_alive(self, _key, argument, _waited_ms):
        lease_id = argument["lease_id"]
        alive = lease_id in self.deadlines
        if alive:
            self.deadlines[lease_id] = self.now_ms + self.ttls[lease_id]
        return Answer("ok", {"alive": alive})

    def revoke(self, _key, argument, _waited_ms):
        if argument["lease_id"] not in self.deadlines:
            return NO_LEASE
        self.end_lease(argument["lease_id"])
        return Answer("ok", {"deleted": 2})

    def put_leased(self, key, argument, _waited_ms):
        if argument["lease_id"] not in self.deadlines:
            return NO_LEASE
        self.attached.setdefault(argument["lease_id"], []).append(key)
        return self.write([(key, argument["value"])])

    # -- locks

    def is_free(self, name):
        return name not in self.holders

    def next_token(self):
        self.token += 1
        return self.token

    def acquire(self, name, argument, waited_ms):
        lease_id = argument.get("lease_id")
        if lease_id is not None and lease_id not in self.deadlines:
            return NO_LEASE
        if not self.is_free(name):
            late = waited_ms >= argument["wait_ms"]
            return Answer("fail", error="LockTimeout") if late else WAITING
        token = self.next_token()
        self.holders[name] = (token, lease_id)
        return Answer("ok", {"token": token})

    def holds(self, name, token):
        return self.holders.get(name, (None,))[0] == token

    def release(self, name, argument, _waited_ms):
        held = self.holds(name, argument["token"])
        counted = held and self.holders[name][1] is None
        if held:
            del self.holders[name]
        return Answer("ok", {"held": counted, "released": held})

    def hold(self, name, argument, _waited_ms):
        held = self.holds(name, argument["token"])
        return Answer("ok", {"held": held and self.holders[name][1] is None})

    def check_fence(self, name, argument, _waited_ms):
        return Answer("ok", {"held": self.holds(name, argument["token"])})

    def fenced_put(self, key, argument, _waited_ms):
        if not self.holds(argument["lock"], argument["token"]):
            return STALE
        return self.write([(key, argument["value"])])

    # -- the rest

    def get(self, key, _argument, _waited_ms):
        value, revision = self.values.get(key, (None, None))
        return Answer("ok", {"value": value, "mod_revision": revision})

    def pause(self, _key, _argument, _waited_ms):
        return Answer("ok", {})

    def log_of(self, prefix):
        return [row for row in self.log if row[1].startswith(prefix)]


TRAVEL_MS = 3
LOST_SHARE = 0.02
"""Answers that never arrive, where answers may be lost."""
LOSABLE = {"fenced_put", "put_leased", "keep_alive", "revoke", "release"}


def history(run, store, *, seconds, seed=7, loses=False):
    """What clients of a workload hear from a store, each asking one thing at a time."""
    chance, story = Random(seed), Story(step_ms=0)
    scripts = [run.script(number, Random(number)) for number in range(run.clients)]
    turns = [(number, number, "ask", script, None) for number, script in enumerate(scripts)]
    order = len(turns)
    while turns:
        now_ms, _, turn, script, given = heapq.heappop(turns)
        order += 1
        store.now_ms = now_ms
        story.at(now_ms)
        if turn == "ask":
            if now_ms > seconds * 1_000:
                continue
            call = next(script) if given is None else script.send(given)
            sent = story.send(call.f, call.key, **(call.argument or {}))
            takes_ms = (call.argument or {}).get("ms", 0)
            at = now_ms + takes_ms + chance.randint(1, TRAVEL_MS)
            heapq.heappush(turns, (at, order, "do", script, (call, sent, now_ms)))
        elif turn == "do":
            call, sent, since_ms = given
            answer = store.perform(call, now_ms - since_ms)
            at = now_ms + chance.randint(1, TRAVEL_MS)
            if answer is WAITING:
                heapq.heappush(turns, (at, order, "do", script, given))
                continue
            if loses and call.f in LOSABLE and chance.random() < LOST_SHARE:
                answer = Answer("info", error="lost")
            heapq.heappush(turns, (at, order, "end", script, (sent, answer)))
        else:
            sent, answer = given
            story.end(sent, answer.type, answer.result, answer.error)
            heapq.heappush(turns, (now_ms + 1, order, "ask", script, answer))
    return story
