"""Random commands about locks, fences and guards, for the core's runs against its oracle."""

from kvraft.core import commands as c

LOCKS = [b"a", b"ba", b"x", b"y", b"z"]
"""Some of them are keys too, for guards with a lock for each key."""
HOT = [b"x", b"x", b"x", b"x", *LOCKS]
OWNERS = [b"", b"", b"o1", b"o2", b"o3"]
MODES = [c.LockMode.EXCLUSIVE] * 4 + [c.LockMode.SHARED] * 4 + [c.LockMode.COUNTED]
CAPACITIES = [1, 2, 2, 3]
WAITS_MS = [*[None] * 8, 0, 5, 400, 2_000]
TTLS_MS = [1_500, 3_000, *[5_000] * 8, 999]
GUARDED = [b"", b"b", b"bb", b"bb", b"d", b"d"]


class LockTraffic:
    """Part of `Traffic`: needs its `random`, `oracle` and `lease_id`."""

    def lock_command(self):
        roll = self.random.random()
        if roll < 0.65:
            return self.acquire()
        if roll < 0.8:
            return c.Confirm(self.acquisition_key())
        if roll < 0.9:
            count = self.random.randint(1, 3)
            return c.Attach(tuple(self.place_number() for _ in range(count)))
        return c.LeaseKeepAlive(self.place_lease() or self.lease_id())

    def acquire(self):
        random, choice = self.random, self.random.choice
        places = self.oracle.places if self.oracle else []
        if places and random.random() < 0.12:
            return choice(places).asked
        mode = choice(MODES)
        names = [choice(HOT)]
        if mode == c.LockMode.EXCLUSIVE and random.random() < 0.35:
            names = random.sample(LOCKS, random.randint(2, 3))
        own = random.random() < 0.2
        owner = choice(OWNERS)
        if places and random.random() < 0.5:
            owner, names = self.entangled(names)
        return c.Acquire(
            self.acquisition_key(known=0.1),
            tuple(sorted(names)),
            mode,
            choice(CAPACITIES) if mode == c.LockMode.COUNTED else 1,
            lease_id=None if own else self.lease_id(),
            ttl_ms=choice(TTLS_MS) if own else None,
            owner=owner,
            wait_ms=choice(WAITS_MS),
            max_hold_ms=choice([None, 100]),
        )

    def entangled(self, names):
        """Let who has something want what another has, who perhaps waits for it."""
        places = self.oracle.places
        owner = self.random.choice(places).asked.owner
        mine = {name for place in places if place.asked.owner == owner for name in place.names}
        held = {name for place in places if place.tokens for name in place.names}
        others = sorted(held - mine)
        return owner, [self.random.choice(others)] if others else names

    def acquisition_key(self, known=0.9):
        """With luck one that has a place; else one that perhaps ended, or that nobody knows."""
        places = self.oracle.places if self.oracle else []
        if places and self.random.random() < known:
            return self.random.choice(places).asked.key
        return b"q%d" % self.random.randrange(200)

    def place_number(self):
        places = self.oracle.places if self.oracle else []
        if places and self.random.random() < 0.8:
            return self.random.choice(places).number
        return self.random.randint(1, 50)

    def place_lease(self):
        places = self.oracle.places if self.oracle else []
        return self.random.choice(places).lease_id if places else None

    def lock_mutation(self):
        if self.random.random() < 0.2:
            return self.guard_prefix()
        end_lease = self.random.random() < 0.2
        if self.random.random() < 0.7:
            of_a_node = self.random.random() < 0.2
            return c.Release(
                key=self.acquisition_key(), end_lease=end_lease, unless_confirmed=of_a_node
            )
        return c.Release(fence=self.fence(), end_lease=end_lease)

    def guard_prefix(self):
        prefix, roll = self.random.choice(GUARDED), self.random.random()
        if roll < 0.7:
            return c.GuardPrefix(prefix)
        if roll < 0.8:
            return c.GuardPrefix(prefix, per_key=True)
        return c.GuardPrefix(prefix, self.random.choice(LOCKS))

    def fence(self):
        """With luck that of a holder."""
        held = [place for place in self.oracle.places if place.tokens] if self.oracle else []
        if held and self.random.random() < 0.95:
            place = self.random.choice(held)
            return c.Fence(*self.random.choice(list(zip(place.names, place.tokens, strict=True))))
        return c.Fence(self.random.choice(LOCKS), self.random.randint(1, 99))

    def fences(self):
        """None mostly; else of distinct locks."""
        held = self.oracle and any(place.tokens for place in self.oracle.places)
        count = self.random.choice([0, 0, 0, 0, 1, 1, 2, 3] if held else [0] * 15 + [1])
        return tuple({fence.lock: fence for fence in (self.fence() for _ in range(count))}.values())
