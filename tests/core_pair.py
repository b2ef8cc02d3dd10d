"""The state machine and its oracle, moved together and compared after every move."""

from dataclasses import replace

from core_oracle import Oracle
from core_oracle_locks import NEVER
from core_states import MEMBERS, digest, encoding, loaded
from core_traffic_locks import LOCKS

from kvraft.core.codec import decode_entry, encode_entry
from kvraft.core.commands import Bootstrap, Entry
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused, Replayed, Resolved

KEPT = (Replayed, Resolved)
FAR = 1 << 40


class Pair:
    """`frozen` holds (view, its encoding when frozen, an iterator half way, what that gave)."""

    def __init__(self, limits):
        self.machine, self.oracle = StateMachine(), Oracle()
        self.frozen = []
        self.apply([Bootstrap(7, MEMBERS, limits)])

    def apply(self, commands, *, gap=1, passed_ms=None):
        # A stamp from behind (a new leader's base may lie below) must not turn time back.
        stamp = None if passed_ms is None else self.oracle.now_ms + passed_ms - 1
        entry = decode_entry(encode_entry(Entry(stamp, tuple(commands))))
        index = self.machine.index + gap
        told = [word_of(result) for result in self.machine.apply(index, entry)]
        expected = self.oracle.apply(index, entry)
        for command, one, other in zip(entry.commands, told, expected, strict=True):
            assert one == other, (command, one, other)
        assert self.machine.revisions == self.oracle.revisions, (entry.commands, told)
        assert list(self.machine.changes) == self.oracle.changes
        assert self.machine.lock_changes == self.oracle.lock_changes
        return told

    def freeze(self):
        view = self.machine.freeze()
        self.frozen.append((view, b"".join(view.blocks()), view.blocks(), []))

    def read_on(self, choice, steps):
        _, whole, blocks, given = self.frozen[choice % len(self.frozen)]
        given += [block for _, block in zip(range(steps), blocks, strict=False)]
        assert whole.startswith(b"".join(given))

    def release(self, choice):
        view, whole, blocks, given = self.frozen.pop(choice % len(self.frozen))
        assert b"".join(given) + b"".join(blocks) == whole
        assert b"".join(view.blocks()) == whole
        view.release()

    def reload(self, piece):
        before = digest(self.machine)
        self.machine = loaded(encoding(self.machine), piece)
        assert digest(self.machine) == before

    def check(self, chosen=0):
        """Compare everything that can be read; of the past, what stood `chosen` revisions ago."""
        self.check_keys()
        self.check_leases()
        self.check_locks()
        self.check_past(chosen)
        machine, oracle = self.machine, self.oracle
        told = (machine.revision, machine.cluster_time_ms, machine.cluster_id)
        assert told == (oracle.revision, oracle.now_ms, oracle.cluster_id)
        assert {n: m.disk_id for n, m in machine.members.items()} == oracle.disks
        demands = [oracle.invariants[place] for place in sorted(oracle.invariants)]
        by_place = sorted(machine.invariants(), key=lambda demand: (demand.key, demand.is_prefix))
        assert by_place == demands
        assert machine.session_count == len(oracle.identities.sessions)

    def check_keys(self):
        machine, oracle = self.machine, self.oracle
        everything = machine.page(b"", None, limit=100, max_bytes=1 << 20)
        assert list(everything.entries) == [oracle.entries[k] for k in sorted(oracle.entries)]
        assert machine.key_count == len(oracle.entries)
        assert machine.state_bytes == sum(len(e.key + e.value) for e in oracle.entries.values())

    def check_leases(self):
        machine, oracle = self.machine, self.oracle
        described = [oracle.describe(lease_id) for lease_id in sorted(oracle.leases)]
        assert [machine.describe_lease(d.lease_id) for d in described] == described
        listed, more = machine.list_leases(0, 100)
        assert (listed, more) == ([replace(d, keys=()) for d in described], False)
        granted = [lease for lease in oracle.leases.values() if not lease.implicit]
        assert machine.lease_count == len(granted)
        deadlines = [lease.deadline_ms for lease in oracle.leases.values()]
        deadlines += [place.until_ms for place in oracle.places if place.until_ms < NEVER]
        next_ms = oracle.now_ms if oracle.work else min(deadlines, default=None)
        assert machine.next_deadline_ms() == next_ms
        ttls = [lease.ttl_ms for lease in oracle.leases.values()]
        assert machine.smallest_ttl_ms() == min(ttls, default=None)

    def check_locks(self):
        machine, oracle = self.machine, self.oracle
        assert machine.next_token == oracle.next_token
        assert machine.place_count == len(oracle.places)
        keys = [place.asked.key for place in oracle.places] + [ended[2] for ended in oracle.ended]
        for key in [*keys, b"nobody's"]:
            assert machine.acquisition(key) == oracle.acquisition(key), key
        for name in [*LOCKS, b"nobody's"]:
            assert machine.describe_lock(name, 2) == oracle.describe_lock(name, 2), name
        for place in oracle.places:
            for name, token in zip(place.names, place.tokens, strict=False):
                assert machine.holds(name, token)
                assert not machine.holds(name, token + 1_000)
        names = oracle.lock_names()
        listed, more = machine.list_locks(None, b"", 2)
        assert ([lock.name for lock in listed], more) == (names[:2], len(names) > 2)
        listed, more = machine.list_locks(b"a", b"", 9)
        assert ([lock.name for lock in listed], more) == ([n for n in names if n > b"a"], False)
        assert [guard.prefix for guard in machine.guards()] == sorted(oracle.guards)
        assert list(machine.guards()) == [oracle.guards[prefix] for prefix in sorted(oracle.guards)]

    def check_past(self, chosen):
        machine, oracle = self.machine, self.oracle
        assert machine.compacted_revision == oracle.compacted
        kept = oracle.revision - oracle.compacted + 1
        revision = oracle.revision - chosen % kept
        past = oracle.entries_at(revision)
        entries = [past[key] for key in sorted(past)]
        page = machine.page_at(b"", None, revision, limit=100, max_bytes=FAR)
        assert list(page.entries) == entries, revision
        part = machine.page_at(b"b", b"c", revision, limit=2, max_bytes=FAR, keys_only=True)
        inside = [entry._replace(value=b"") for entry in entries if b"b" <= entry.key < b"c"]
        assert (list(part.entries), part.more) == (inside[:2], len(inside) > 2)
        assert machine.get_at(b"ba", revision) == past.get(b"ba")
        assert machine.history_after(revision, 1_000) == oracle.after(revision)
        assert machine.history_after(revision, 2) == oracle.after(revision)[:2]


def word_of(result):
    """Put the word of a refusal in its place: its message is for people."""
    if isinstance(result, Refused):
        return result.reason.value
    if isinstance(result, KEPT) and isinstance(result.result, Refused):
        return replace(result, result=result.result.reason.value)
    return result
