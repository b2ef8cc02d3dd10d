"""Locks against a model that looks at everything anew each time, and what must hold of any run."""

from core_locks import COUNTED, EXCLUSIVE, LEASE, SHARED, tokens, wish, with_lease
from core_states import apply, bootstrapped, encoding, loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft.core.commands import Acquire, Confirm, LeaseGrant, LeaseRevoke, Release
from kvraft.core.results import AcquireResult, Standing

NAMES = (b"a", b"b", b"c", b"d")
name_sets = st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names)))
wants = st.one_of(
    st.tuples(name_sets, st.just(EXCLUSIVE)),
    st.tuples(st.tuples(st.sampled_from(NAMES[:3])), st.sampled_from((EXCLUSIVE, SHARED))),
    st.tuples(st.just((b"n",)), st.just(COUNTED)),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), wants, st.sampled_from((LEASE, LEASE + 1))),
        st.tuples(st.just("release"), st.integers(0, 30)),
        st.tuples(st.just("revoke")),
        st.tuples(st.just("load")),
    ),
    min_size=1,
    max_size=40,
)
CAPACITY = 2


class Model:
    """Places in their order, each [number, names, mode, lease, tokens]."""

    def __init__(self):
        self.places = []
        self.next_token = 1

    def acquire(self, number, names, mode, lease):
        self.places.append([number, names, mode, lease, ()])
        self.grant()

    def drop(self, gone):
        self.places = [place for place in self.places if not gone(place)]
        self.grant()

    def grant(self):
        for name in (*NAMES, b"n"):
            while True:
                waiting = [p for p in self.places if name in p[1] and not p[4]]
                if not waiting or not self.can_hold(waiting[0]):
                    break
                first, self.next_token = self.next_token, self.next_token + len(waiting[0][1])
                waiting[0][4] = tuple(range(first, self.next_token))

    def can_hold(self, wanted):
        for other in self.places:
            if other is wanted or not set(other[1]) & set(wanted[1]):
                continue
            before = other[0] < wanted[0]
            if not other[4] and before:
                return False
            both_shared = other[2] == wanted[2] == SHARED
            if other[4] and not both_shared and wanted[2] != COUNTED:
                return False
        holding = sum(1 for p in self.places if p[4] and p[2] == COUNTED)
        return wanted[2] != COUNTED or holding < CAPACITY

    def standing(self):
        return {number: held for number, _, _, _, held in self.places}


def standing_of(machine, numbers):
    found = {}
    for number in numbers:
        answer = machine.acquisition(b"%d" % number)
        if answer is not None and answer.standing is not Standing.ENDED:
            found[number] = tuple(fence.token for fence in answer.fences)
    return found


def check_holders(machine):
    for lock in machine.list_locks(None, b"", 99)[0]:
        modes = [place.mode for place in machine.describe_lock(lock.name, 99).holders]
        assert EXCLUSIVE not in modes or len(modes) == 1
        assert COUNTED not in modes or len(modes) <= CAPACITY


def check_order(machine, last_token, last_place):
    """Tokens only grow and, of one lock, in the order of its places."""
    for change in machine.lock_changes:
        if change.kind is not Standing.GRANTED:
            continue
        for name, token in zip(change.names, change.tokens, strict=True):
            assert token == last_token + 1
            last_token = token
            assert change.place_id > last_place.get(name, 0)
            last_place[name] = change.place_id
    return last_token


@settings(deadline=None)
@given(steps)
def test_queues_are_served_as_by_a_model_that_looks_at_everything(run):
    machine, model = with_lease(with_lease(bootstrapped()), LEASE + 1), Model()
    last_token, last_place = 0, {}
    numbers = 0
    for kind, *rest in run:
        if kind == "acquire":
            (names, mode), lease = rest
            numbers += 1
            capacity = CAPACITY if mode is COUNTED else 1
            wanted = Acquire(b"%d" % numbers, names, mode, capacity, lease_id=lease)
            apply(machine, wanted)
            model.acquire(numbers, names, mode, lease)
        elif kind == "release":
            apply(machine, Release(key=b"%d" % rest[0]))
            model.drop(lambda place, number=rest[0]: place[0] == number)
            numbers = max(numbers, rest[0])
        elif kind == "revoke":
            apply(machine, LeaseRevoke(LEASE + 1))
            model.drop(lambda place: place[3] == LEASE + 1)
            last_token = check_order(machine, last_token, last_place)
            apply(machine, LeaseGrant(86_400_000, lease_id=LEASE + 1))
        else:
            machine = loaded(encoding(machine))
        last_token = check_order(machine, last_token, last_place)
        assert standing_of(machine, range(numbers + 1)) == model.standing()
        check_holders(machine)


@settings(deadline=None)
@given(st.lists(st.tuples(name_sets, st.integers(0, 99)), min_size=2, max_size=25), st.randoms())
def test_who_takes_all_locks_at_once_never_deadlocks(sets, chance):
    machine = with_lease(bootstrapped())
    left = {}
    for number, (names, _) in enumerate(sets):
        words = [name.decode() for name in names]
        answer = apply(machine, wish(f"{number}", *words, owner=b"o%d" % number))
        assert isinstance(answer, AcquireResult)
        left[b"%d" % number] = answer.place
    while left:
        held = [key for key in left if machine.acquisition(key).standing is Standing.GRANTED]
        assert held, "somebody can always go on"
        key = chance.choice(held)
        apply(machine, Confirm(key), Release(key=key))
        del left[key]
    assert machine.place_count == 0
    assert all(tokens(machine, name.decode()) == () for name in NAMES)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(wants, st.integers(0, 5), st.none() | st.integers(0, 9), st.integers(0, 4)),
        max_size=25,
    ),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_small_bounds_only_delay_and_a_loaded_state_does_the_same(run, grants, expiries):
    machine = with_lease(
        bootstrapped(attach_ms=6, grants_per_entry=grants, expiries_per_entry=expiries)
    )
    for number, ((names, mode), pause, wait_ms, freed) in enumerate(run):
        other = loaded(encoding(machine))
        capacity = CAPACITY if mode is COUNTED else 1
        lease = {"ttl_ms": 1_000} if number % 3 else {"lease_id": LEASE}
        key = b"%d" % number
        entry = (
            Acquire(key, names, mode, capacity, **lease, wait_ms=wait_ms),
            Release(key=b"%d" % (number - freed), end_lease=freed == 4),
        )
        at = machine.cluster_time_ms + pause
        assert apply(other, *entry, at=at) == apply(machine, *entry, at=at)
        assert other.lock_changes == machine.lock_changes
        assert other.next_deadline_ms() == machine.next_deadline_ms()
        assert encoding(other) == encoding(machine)
    while machine.place_count:
        due = machine.next_deadline_ms()
        assert due is not None, "whoever is there has a deadline"
        apply(machine, at=max(due, machine.cluster_time_ms))
        check_holders(machine)
