"""Locks, fences and guards, as naively as the specification reads: one list of places, no index."""

from dataclasses import dataclass

from core_oracle_values import Refusal

from kvraft.core import commands as c
from kvraft.core.limits import PLACE_ENTRIES
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    Ending,
    GuardResult,
    LockDescription,
    PlaceDescription,
    ReleaseResult,
    Standing,
)

EXCLUSIVE, SHARED, COUNTED = c.LockMode
NEVER = 1 << 80


@dataclass(eq=False)
class Place:
    number: int
    asked: c.Acquire
    lease_id: int
    wait_until_ms: int
    attached_until_ms: int
    since_ms: int
    tokens: tuple = ()

    @property
    def names(self):
        return self.asked.names

    @property
    def own_lease(self):
        return self.asked.ttl_ms is not None

    @property
    def until_ms(self):
        return min(self.wait_until_ms, self.attached_until_ms)


class LockOracle:
    def holders(self, name):
        return [place for place in self.places if place.tokens and name in place.names]

    def queue(self, name):
        return [place for place in self.places if not place.tokens and name in place.names]

    def place_of(self, key):
        return next((place for place in self.places if place.asked.key == key), None)

    def holder(self, fence):
        for place in self.places:
            if (fence.lock, fence.token) in zip(place.names, place.tokens, strict=False):
                return place
        return None

    # -- granting

    def admits(self, name, asked):
        holders = self.holders(name)
        if not holders:
            return True
        if EXCLUSIVE in (asked.mode, holders[0].asked.mode):
            return False
        room = self.limits.holders_per_lock
        if asked.mode == COUNTED:
            room = min(room, asked.capacity)
        return len(holders) < room

    def could_hold(self, place):
        return all(
            self.queue(name)[0] is place and self.admits(name, place.asked) for name in place.names
        )

    def serve(self):
        if self.grants_left <= 0:
            return
        work, self.work = sorted(self.work), set()
        for name in work:
            while queue := self.queue(name):
                if self.grants_left <= 0:
                    self.work.add(name)
                    break
                head = queue[0]
                ending = head in self.ending_places or head.lease_id in self.ending_leases
                if ending or not self.could_hold(head):
                    break
                self.grants_left -= len(head.names)
                self.give(head)

    def give(self, place):
        waiting_since = place.since_ms
        place.tokens = tuple(self.next_token + n for n in range(len(place.names)))
        self.next_token += len(place.names)
        place.since_ms, place.wait_until_ms = self.now_ms, NEVER
        place.attached_until_ms = self.now_ms + self.limits.attach_ms
        self.note(Standing.GRANTED, place, waiting_since)

    def note(self, kind, place, since_ms, ending=None):
        asked = place.asked
        change = (self.revision + 1, kind, asked.key, place.number, asked.names, place.tokens)
        since = (ending, place.lease_id, asked.owner, since_ms, self.now_ms, asked.max_hold_ms)
        self.lock_changes.append(change + since)

    def grant_pending(self):
        before = self.next_token
        self.serve()
        self.revision += self.next_token != before

    def park(self):
        heads = {queue[0] for name in self.lock_names() if (queue := self.queue(name))}
        self.work = {place.names[0] for place in heads if self.could_hold(place)}

    # -- ending

    def remember(self, number, key, ending, kept_ms):
        self.ended.append((self.now_ms + kept_ms, number, key, ending))

    def forget_ended(self, commands):
        budget = self.limits.expiries_per_entry + 2 * commands
        old = [one for one in sorted(self.ended) if one[0] <= self.now_ms]
        self.ended = [one for one in self.ended if one not in old[:budget]]

    def leave(self, place, ending):
        self.places.remove(place)
        self.work.update(place.names)
        released = ending == Ending.RELEASED and place.tokens
        kept_ms = self.limits.released_ms if released else self.limits.ended_ms
        self.remember(place.number, place.asked.key, ending, kept_ms)
        self.note(Standing.ENDED, place, place.since_ms, ending)

    def end_place(self, place, ending, cause, *, with_lease=False):
        used = place.tokens and ending != Ending.UNATTENDED
        self.leave(place, ending)
        if with_lease or (place.own_lease and not used):
            self.end(place.lease_id, cause)
        else:
            self.serve()
            self.revision += 1

    def places_of(self, lease_id):
        return [place for place in self.places if place.lease_id == lease_id]

    def weight_of(self, lease_id):
        """How much work a lease's end is, in entries."""
        return len(self.keys_of(lease_id)) + sum(map(weight_of_place, self.places_of(lease_id)))

    # -- what is asked

    def acquire(self, command: c.Acquire):
        place = self.place_of(command.key)
        if place is not None:
            return self.acquire_again(place, command)
        standing = self.acquisition(command.key)
        if standing is not None:
            return standing
        self.check_memory()
        self.check_carrier(command)
        self.check_locks(command)
        free = all(not self.queue(n) and self.admits(n, command) for n in command.names)
        if not free and command.wait_ms == 0:
            number = self.next_number()
            self.remember(number, command.key, Ending.TIMED_OUT, self.limits.released_ms)
            return self.acquisition(command.key)
        if not free:
            self.check_queue(command)
        return self.enter(command, free=free)

    def enter(self, command, *, free):
        lease_id = command.lease_id
        if lease_id is None:
            lease_id = self.new_lease(command.ttl_ms)
        now_ms = self.now_ms
        wait = NEVER if command.wait_ms is None else now_ms + command.wait_ms
        attached = now_ms + self.limits.attach_ms
        place = Place(self.next_number(), command, lease_id, wait, attached, now_ms)
        self.places.append(place)
        if free:
            self.give(place)
        else:
            self.note(Standing.QUEUED, place, now_ms)
        self.revision += 1
        return self.standing(place)

    def acquire_again(self, place, command):
        def wanted(asked):
            return asked.names, asked.mode, asked.capacity, asked.owner

        lease_id = command.lease_id  # None: one of its own, which may be named too
        same_lease = place.own_lease if lease_id is None else lease_id == place.lease_id
        if wanted(command) != wanted(place.asked) or not same_lease:
            raise Refusal("KEY_REUSED")
        self.attach_place(place)
        return self.standing(place)

    def next_number(self):
        self.next_place += 1
        return self.next_place - 1

    def check_memory(self):
        if len(self.places) + len(self.ended) >= self.limits.ended_places:
            raise Refusal("OVERLOAD")

    def check_carrier(self, command):
        if command.lease_id is None:
            self.check_grant(command.ttl_ms)
            return
        lease = self.leases.get(command.lease_id)
        if lease is None:
            raise Refusal("LEASE_NOT_FOUND")
        if lease.implicit:
            raise Refusal("LEASE_FULL")
        held = sum(len(place.names) for place in self.places_of(command.lease_id))
        if held + len(command.names) > self.limits.locks_per_lease:
            raise Refusal("TOO_MANY_LOCKS")

    def check_locks(self, command):
        involved = [p for p in self.places if set(p.names) & set(command.names)]
        if command.owner and any(p.asked.owner == command.owner for p in involved):
            raise Refusal("ALREADY_HELD")
        counted = command.mode == COUNTED
        kind = (counted, command.capacity)
        if any((p.asked.mode == COUNTED, p.asked.capacity) != kind for p in involved):
            raise Refusal("LOCK_MODE")

    def check_queue(self, command):
        if any(len(self.queue(n)) >= self.limits.waiters_per_lock for n in command.names):
            raise Refusal("TOO_MANY_WAITERS")
        if command.owner and self.would_wait_for_itself(command):
            raise Refusal("DEADLOCK")

    def would_wait_for_itself(self, command):
        """Follow who waits for whom from a place that is not there yet."""
        new = Place(NEVER, command, 0, NEVER, NEVER, self.now_ms)
        seen, open_places = set(), [new]
        while open_places:
            place = open_places.pop()
            for other in self.in_the_way(place):
                owner = other.asked.owner
                if owner == command.owner:
                    return True
                same = [p for p in self.places if owner and p.asked.owner == owner] or [other]
                more = [p for p in same if not p.tokens and p not in seen]
                seen.update(more)
                open_places += more
        return False

    def in_the_way(self, place):
        asked = place.asked
        if asked.mode == COUNTED and asked.capacity > 1:
            return []
        ahead = [
            other
            for name in asked.names
            for other in self.holders(name) + self.queue(name)
            if other.number < place.number
        ]
        return [p for p in ahead if (p.asked.mode, asked.mode) != (SHARED, SHARED)]

    def attach_place(self, place):
        if not place.tokens:
            place.attached_until_ms = self.now_ms + self.limits.attach_ms

    def attach(self, command: c.Attach):
        there = [p for number in command.places for p in self.places if p.number == number]
        for place in there:
            self.attach_place(place)
        return AttachResult(len(there))

    def confirm(self, command: c.Confirm):
        place = self.place_of(command.key)
        if place is not None:
            self.confirm_place(place)
        standing = self.acquisition(command.key)
        if standing is None:
            raise Refusal("LOCK_NOT_FOUND")
        return standing

    def confirm_place(self, place):
        self.attach_place(place)
        if place.tokens:
            place.attached_until_ms = NEVER

    def release(self, command: c.Release):
        if command.key is None:
            place = self.holder(command.fence)
        else:
            place = self.place_of(command.key)
            if place is None and self.acquisition(command.key) is None:
                self.check_memory()
                number = self.next_number()
                self.remember(number, command.key, Ending.RELEASED, self.limits.ended_ms)
        if command.unless_confirmed and place is not None and place.attached_until_ms == NEVER:
            place = None
        if place is not None:
            self.end_place(place, Ending.RELEASED, 3, with_lease=command.end_lease)
        return ReleaseResult(place is not None)

    # -- how things stand

    def acquisition(self, key):
        place = self.place_of(key)
        if place is not None:
            return self.standing(place)
        for _, number, ended, ending in self.ended:
            if ended == key:
                return AcquireResult(number, Standing.ENDED, ending=ending)
        return None

    def standing(self, place):
        if place.tokens:
            fences = tuple(map(c.Fence, place.names, place.tokens))
            return AcquireResult(place.number, Standing.GRANTED, place.lease_id, fences)
        position = max(self.queue(name).index(place) for name in place.names)
        tokens = [token for name in place.names for token, _ in self.tokens_of(name)]
        return AcquireResult(
            place.number,
            Standing.QUEUED,
            place.lease_id,
            position=position,
            holders=tuple(tokens[:16]),
        )

    def tokens_of(self, name):
        held = [(p.tokens[p.names.index(name)], p) for p in self.holders(name)]
        return sorted(held, key=lambda pair: pair[0])

    def lock_names(self):
        return sorted({name for place in self.places for name in place.names})

    def describe_lock(self, name, limit):
        held, queue = self.tokens_of(name), self.queue(name)
        if not held and not queue:
            return None
        capacity = (queue or [held[0][1]])[0].asked.capacity
        holders = tuple(described(place, token) for token, place in held[:limit])
        waiters = tuple(described(place, 0) for place in queue[:limit])
        return LockDescription(name, capacity, holders, waiters, len(held), len(queue))

    # -- fences and guards

    def check_fences(self, fences):
        for fence in fences:
            if self.holder(fence) is None:
                raise Refusal("STALE_FENCE")
        self.fenced = {f.lock for f in fences if self.holder(f).asked.mode == EXCLUSIVE}

    def check_guard(self, key):
        deciding = [prefix for prefix in self.guards if key.startswith(prefix)]
        if not deciding:
            return
        guard = self.guards[max(deciding, key=len)]
        if (key if guard.per_key else guard.lock) not in self.fenced:
            raise Refusal("FENCE_REQUIRED")

    def guard_prefix(self, command: c.GuardPrefix):
        prefix, before = command.prefix, self.guards.get(command.prefix)
        if command.lock is None and not command.per_key:
            self.guards.pop(prefix, None)
        else:
            sizes = {len(one) for one in [*self.guards, prefix]}
            many = len(self.guards) >= self.limits.guards or len(sizes) > self.limits.prefix_lengths
            if before is None and many:
                raise Refusal("TOO_MANY_GUARDS")
            self.guards[prefix] = command
        self.revision += before != self.guards.get(prefix)
        return GuardResult(prefix)


def weight_of_place(place):
    return PLACE_ENTRIES + len(place.names)


def described(place, token):
    asked = place.asked
    return PlaceDescription(
        place.number, asked.owner, place.lease_id, asked.mode, token, place.since_ms
    )
