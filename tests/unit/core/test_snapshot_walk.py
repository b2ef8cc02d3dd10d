"""Random walks: a state reloaded anywhere goes on like the one it was taken from."""

from core_states import apply, bootstrapped, digest, encoding, loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Delete,
    DeleteRange,
    KeyIdentity,
    LeaseGrant,
    LeaseRevoke,
    Put,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Update,
)

TIGHT = {
    "history_revisions": 4,
    "history_ms": 3_000,
    "history_bytes": 3_000,
    "history_removals": 2,
    "sessions": 3,
    "session_window": 4,
    "session_idle_ms": 4_000,
    "key_retention_ms": 2_000,
    "expiries_per_entry": 1,
    "outcome_records": 9,
    "outcome_reply_bytes": 60,
}
"""So small that everything is trimmed, aged and refused within a walk."""

keys = st.sampled_from([b"a", b"aa", b"aaa", b"b"])
values = st.sampled_from([b"1", b"-7", b"x", bytes(70)])
ttls = st.none() | st.sampled_from([1_000, 2_500])
small = st.integers(1, 6)
identities = st.builds(KeyIdentity, st.sampled_from([b"i", b"j", b"k"])) | st.builds(
    SessionIdentity, st.integers(1, 4), small, st.integers(1, 4)
)
writes = (
    st.builds(Put, keys, values, ttl_ms=ttls)
    | st.builds(Put, keys, values, lease_id=st.integers(1, 3))
    | st.builds(Delete, keys, st.booleans())
    | st.just(DeleteRange(b"a", b"b"))
    | st.builds(Update, keys, st.just((Action(ActionKind.ADD, 5),)))
)
invariants = st.builds(
    SetInvariant,
    keys,
    st.booleans(),
    minimum=st.none() | st.just(-5),
    maximum=st.none() | st.just(5),
)
commands = st.one_of(
    writes,
    writes,
    st.builds(Request, writes, identity=identities),
    st.builds(Request, writes, identity=identities),
    st.builds(Resolve, identities),
    st.just(SessionOpen()),
    st.builds(SessionClose, st.integers(1, 4)),
    invariants,
    st.builds(LeaseGrant, st.just(1_500), st.integers(1, 3)),
    st.builds(LeaseRevoke, st.integers(1, 3)),
)
entries = st.tuples(st.lists(commands, max_size=4), st.integers(0, 1_200))


@settings(deadline=None)
@given(st.lists(entries, max_size=30), st.sets(st.integers(0, 30)), st.integers(1, 99))
def test_a_state_reloaded_anywhere_goes_on_alike(walk, reloads, piece):
    machine, again, now_ms = bootstrapped(**TIGHT), bootstrapped(**TIGHT), 0
    frozen = []
    for number, (batch, later_ms) in enumerate(walk):
        now_ms += later_ms
        if number in reloads:
            whole = encoding(machine)
            again = loaded(whole, piece)
            assert encoding(again) == whole
            frozen.append((machine.freeze(), whole))
        assert apply(again, *batch, at=now_ms) == apply(machine, *batch, at=now_ms)
        assert digest(again) == digest(machine)
    for view, whole in frozen:
        assert b"".join(view.blocks()) == whole
        view.release()
    apply(machine)
    assert [table._views for table in tables(machine)] == [[]] * 5


def tables(machine):
    identities = machine._identities
    yield from (machine._keyspace, machine._leases.table, identities.sessions.table)
    yield from (identities.outcomes.sequences, identities.outcomes.keyed)
