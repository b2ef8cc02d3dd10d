"""The state machine against the naive oracle, with freezes, snapshots and reloads in between."""

from dataclasses import replace

import pytest
from core_oracle import Oracle
from core_states import MEMBERS, digest, encoding, loaded
from core_strategies import meeting_command, small_limits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kvraft.core.codec import decode_entry, encode_entry
from kvraft.core.commands import Bootstrap, Entry
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused


class Machine(RuleBasedStateMachine):
    """`self.frozen` holds (view, its encoding when frozen, an iterator half way, what it gave)."""

    def __init__(self):
        super().__init__()
        self.machine, self.oracle = StateMachine(), Oracle()
        self.frozen = []

    @initialize()
    def bootstrap(self):
        self.apply(0, 1, None, [Bootstrap(7, MEMBERS, small_limits)])

    @rule(
        gap=st.integers(1, 3),
        passed_ms=st.none() | st.sampled_from([0, 1, 400, 1_000, 2_500, 9_000]),
        commands=st.lists(meeting_command, max_size=6),
    )
    def entry(self, gap, passed_ms, commands):
        self.apply(self.machine.index, gap, passed_ms, commands)

    def apply(self, index, gap, passed_ms, commands):
        # A stamp from behind (a new leader's base may lie below) must not turn time back.
        stamp = None if passed_ms is None else self.oracle.now_ms + passed_ms - 1
        entry = decode_entry(encode_entry(Entry(stamp, tuple(commands))))
        results = self.machine.apply(index + gap, entry)
        told = [r.reason.value if isinstance(r, Refused) else r for r in results]
        assert told == self.oracle.apply(index + gap, entry)
        assert len(self.machine.revisions) == len(commands)
        assert self.machine.revision == self.oracle.revision
        assert not commands or self.machine.revisions[-1] == self.oracle.revision

    @precondition(lambda self: len(self.frozen) < 3)
    @rule()
    def freeze(self):
        view = self.machine.freeze()
        self.frozen.append((view, b"".join(view.blocks()), view.blocks(), []))

    @precondition(lambda self: self.frozen)
    @rule(choice=st.integers(0, 2), steps=st.integers(1, 9))
    def read_on(self, choice, steps):
        _, whole, blocks, given = self.frozen[choice % len(self.frozen)]
        given += [block for _, block in zip(range(steps), blocks, strict=False)]
        assert whole.startswith(b"".join(given))

    @precondition(lambda self: self.frozen)
    @rule(choice=st.integers(0, 2))
    def release(self, choice):
        view, whole, blocks, given = self.frozen.pop(choice % len(self.frozen))
        assert b"".join(given) + b"".join(blocks) == whole
        assert b"".join(view.blocks()) == whole
        view.release()

    @rule(piece=st.sampled_from([1, 7, 64, 1 << 20]))
    def reload(self, piece):
        before = digest(self.machine)
        self.machine = loaded(encoding(self.machine), piece)
        assert digest(self.machine) == before

    @invariant()
    def equal(self):
        machine, oracle = self.machine, self.oracle
        everything = machine.page(b"", None, limit=100, max_bytes=1 << 20)
        assert list(everything.entries) == [oracle.entries[k] for k in sorted(oracle.entries)]
        assert machine.key_count == len(oracle.entries)
        assert machine.state_bytes == sum(len(e.key + e.value) for e in oracle.entries.values())
        described = [oracle.describe(lease_id) for lease_id in sorted(oracle.leases)]
        assert [machine.describe_lease(d.lease_id) for d in described] == described
        listed, more = machine.list_leases(0, 100)
        assert (listed, more) == ([replace(d, keys=()) for d in described], False)
        granted = [lease for lease in oracle.leases.values() if not lease.implicit]
        assert machine.lease_count == len(granted)
        deadlines = [lease.deadline_ms for lease in oracle.leases.values()]
        assert machine.next_deadline_ms() == min(deadlines, default=None)
        ttls = [lease.ttl_ms for lease in oracle.leases.values()]
        assert machine.smallest_ttl_ms() == min(ttls, default=None)
        assert (machine.cluster_time_ms, machine.cluster_id) == (oracle.now_ms, oracle.cluster_id)
        assert {n: m.disk_id for n, m in machine.members.items()} == oracle.disks


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Cut chunks and blocks so small that a handful of keys crosses many of them."""
    monkeypatch.setattr("kvraft.core.table.TABLE_CHUNK_RECORDS", 2)
    monkeypatch.setattr("kvraft.core.frozen.SNAPSHOT_BLOCK_BYTES", 48)
    monkeypatch.setattr("kvraft.core.machine.DISCARDED_PER_APPLY", 1)


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMachineAgainstOracle = Machine.TestCase
