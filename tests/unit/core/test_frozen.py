"""Frozen states: constant while the machine goes on, cut into blocks, freed in slices."""

import gc
from dataclasses import replace
from hashlib import blake2b

import pytest
from core_states import apply, asked, bootstrapped, encoding, full, loaded

from kvraft.core.commands import (
    Delete,
    DeleteRange,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
)
from kvraft.core.layout import EVENT, KEY
from kvraft.core.limits import SNAPSHOT_BLOCK_BYTES, TABLE_CHUNK_RECORDS
from kvraft.core.snapshot import state_hash
from kvraft.core.table import Table

WHOLE = {"limit": 999, "max_bytes": 1 << 30}


@pytest.fixture
def _one_record_a_chunk(monkeypatch):
    monkeypatch.setattr("kvraft.core.table.TABLE_CHUNK_RECORDS", 1)


def filled():
    machine = bootstrapped()
    apply(machine, LeaseGrant(5_000, lease_id=5), LeaseGrant(6_000, lease_id=6), at=0)
    apply(machine, *(Put(b"k%d" % number, b"v", lease_id=5) for number in range(6)))
    return machine


def test_a_frozen_state_tells_where_it_stands():
    machine = filled()
    frozen = machine.freeze()
    assert (frozen.index, frozen.revision) == (machine.index, machine.revision)
    assert frozen.state_bytes == machine.state_bytes == 18


@pytest.mark.usefixtures("_one_record_a_chunk")
@pytest.mark.parametrize("read_before", range(13))
def test_a_frozen_state_is_constant_whatever_comes_between_two_blocks(read_before):
    machine = filled()
    whole = encoding(machine)
    frozen = machine.freeze()
    blocks = frozen.blocks()
    read = b"".join(next(blocks) for _ in range(read_before))
    apply(machine, Put(b"k1", b"changed"), Delete(b"k2"), Put(b"k11", b"new"), Put(b"a", b"new"))
    apply(machine, Delete(b"k4"), Put(b"k4", b"again"), Delete(b"k4"), Delete(b"k11"))
    apply(machine, LeaseKeepAlive(6), LeaseGrant(1_000, lease_id=1), at=100)
    apply(machine, DeleteRange(b"", None), LeaseRevoke(5), Put(b"k2", b"back"))
    assert read + b"".join(blocks) == whole
    assert b"".join(frozen.blocks()) == whole
    assert encoding(machine) != whole


@pytest.mark.usefixtures("_one_record_a_chunk")
@pytest.mark.parametrize("read_before", range(0, 27, 2))
def test_identities_and_history_are_constant_too(read_before, monkeypatch):
    monkeypatch.setattr("kvraft.core.history.HISTORY_CHUNK_BYTES", 1)
    machine = full()
    machine.limits = replace(machine.limits, history_bytes=1, history_removals=3)
    whole = encoding(machine)
    frozen = machine.freeze()
    blocks = frozen.blocks()
    read = b"".join(next(blocks) for _ in range(read_before))
    kept = len(machine._history)
    apply(machine, asked(Put(b"c", b"5"), SessionIdentity(2, 2, 2)), SessionOpen())
    apply(machine, asked(Delete(b"c"), SessionIdentity(1, 1, 1)), SessionClose(2), Delete(b"a"))
    apply(machine, asked(Put(b"a", b""), KeyIdentity(b"new")), SetInvariant(b"i", True))
    apply(machine, at=machine.cluster_time_ms + machine.limits.key_retention_ms)
    apply(machine, Put(b"d", b""), at=machine.cluster_time_ms + machine.limits.session_idle_ms)
    assert len(machine._history) < kept
    assert machine.session_count == len(machine._identities.outcomes) == 0
    assert read + b"".join(blocks) == whole
    assert b"".join(frozen.blocks()) == whole
    frozen.release()
    apply(machine)
    for table in tables(machine):
        assert not table.discarded
        assert not table._views


def tables(machine):
    identities = machine._identities
    yield from (machine._keyspace, machine._leases.table, identities.sessions.table)
    yield from (identities.outcomes.sequences, identities.outcomes.keyed)


def test_apply_frees_the_history_that_only_a_view_kept():
    machine = full()
    machine.limits = replace(machine.limits, history_bytes=1)
    frozen = machine.freeze()
    apply(machine)
    frozen.release()
    assert machine._history.discarded
    apply(machine)
    assert not machine._history.discarded


def test_a_key_deleted_and_written_again_comes_once():
    machine = filled()
    whole = encoding(machine)
    frozen = machine.freeze()
    apply(machine, Delete(b"k3"), Put(b"k3", b"again"))
    assert b"".join(frozen.blocks()) == whole


def test_views_of_different_moments_live_side_by_side():
    machine = filled()
    moments = []
    for number in range(4):
        moments.append((machine.freeze(), encoding(machine)))
        apply(machine, Put(b"k1", b"%d" % number), Delete(b"k%d" % (number + 2)))
    for frozen, whole in reversed(moments):
        assert b"".join(frozen.blocks()) == whole
    moments[1][0].release()
    assert b"".join(moments[0][0].blocks()) == moments[0][1]
    assert b"".join(moments[2][0].blocks()) == moments[2][1]


def test_equal_content_is_equal_bytes_however_it_came_about():
    machine = bootstrapped()
    apply(machine, *(Put(b"%d" % number, b"v") for number in (3, 1, 2)))
    frozen = machine.freeze()
    again = loaded(encoding(machine))
    for each in (machine, again):
        apply(each, Delete(b"2"), Put(b"0", b"v"))
    frozen.release()
    assert encoding(again) == encoding(machine)


def test_blocks_are_small_even_where_a_value_is_large():
    machine = bootstrapped()
    apply(machine, Put(b"large", bytes(3 * SNAPSHOT_BLOCK_BYTES)), Put(b"small", b"v"))
    apply(machine, *(Put(b"m%d" % number, bytes(1_000)) for number in range(100)))
    frozen = machine.freeze()
    sizes = [len(block) for block in frozen.blocks()]
    assert max(sizes) == SNAPSHOT_BLOCK_BYTES
    heads = len(encoding(bootstrapped()))
    events = sum(EVENT.size + len(entry.key) for entry in machine.page(b"", None, **WHOLE).entries)
    keys = KEY.size * machine.key_count + machine.state_bytes
    assert sum(sizes) == heads + keys + events
    again = loaded(encoding(machine), SNAPSHOT_BLOCK_BYTES)
    assert again.page(b"", None, **WHOLE) == machine.page(b"", None, **WHOLE)


def test_keys_written_since_are_skipped_in_bounded_slices():
    """A long run of new keys must not stall the reader: it gets empty blocks meanwhile."""
    machine = bootstrapped()
    apply(machine, Put(b"z", b"v"))
    whole = encoding(machine)
    frozen = machine.freeze()
    apply(machine, *(Put(b"%06d" % number, b"") for number in range(3 * TABLE_CHUNK_RECORDS)))
    blocks = list(frozen.blocks())
    assert blocks.count(b"") >= 3
    assert b"".join(blocks) == whole


def test_what_a_view_remembered_is_freed_in_slices():
    table = Table()
    for key in range(10):
        table.put(key, "old")
    first, second = table.freeze(), table.freeze()
    for key in range(10):
        table.put(key, "new")
    table.release(first)
    table.release(second)
    left = []
    while table.discarded:
        left.append(sum(map(len, table.discarded)))
        table.discard(4)
    assert left == [20, 16, 12, 8, 4]
    table.discard(4)


def test_apply_frees_what_views_remembered():
    machine = filled()
    frozen = machine.freeze()
    apply(machine, DeleteRange(b"", None), LeaseRevoke(5))
    frozen.release()
    assert machine._keyspace.discarded
    apply(machine)
    assert not machine._keyspace.discarded
    assert not machine._leases.table.discarded


def test_a_view_costs_nothing_where_nothing_changes():
    machine = filled()
    frozen = machine.freeze()
    apply(machine, Put(b"k1", b"2"), Put(b"k1", b"3"))
    assert len(frozen._keys._before) == 1
    frozen.release()
    apply(machine, Put(b"k2", b"2"))
    assert not machine._keyspace._views


def test_keys_that_came_and_went_since_have_no_place_in_a_views_order():
    machine = filled()
    frozen = machine.freeze()
    apply(machine, Put(b"new", b""), Delete(b"new"), Delete(b"k1"))
    assert list(frozen._keys._gone) == [b"k1"]


def test_the_hash_is_taken_block_by_block():
    machine = filled()
    frozen = machine.freeze()
    *steps, digest = state_hash(frozen)
    assert steps == [None] * len(list(frozen.blocks()))
    assert digest == blake2b(encoding(machine), digest_size=32).hexdigest()
    apply(machine)
    *_, later = state_hash(machine.freeze())
    assert later != digest, "another index is another state"


def test_the_collector_never_walks_a_table_again():
    table = Table()
    table.put(b"a", (bytes(1),))
    gc.collect()  # it would stop tracking a plain dict, whose records it need not look at,
    table.put(b"b", (bytes(1),))  # and this would track it again, among the youngest objects
    young = gc.get_objects(generation=0)
    assert not any(each is table._records for each in young)
