"""The comparison with the oracle convicts a machine that is wrong in one place."""

from dataclasses import replace

import pytest
from core_campaign import SMALL_PIECES, Campaign

from kvraft.core import (
    condition_evaluation,
    granting,
    lock_commands,
    machine,
    operations,
    queues,
)
from kvraft.core.command_codec import request_hash
from kvraft.core.conditions import Operator
from kvraft.core.ended_places import EndedPlaces
from kvraft.core.granting import Granting
from kvraft.core.guards import Guards
from kvraft.core.history import History
from kvraft.core.identities import Identities
from kvraft.core.invariants import Invariants
from kvraft.core.overlay import Overlay
from kvraft.core.plan import Plan
from kvraft.core.results import ReleaseResult, Unmet

OPERATIONS = 2_500
SEEDS = (1, 2, 3, 4)
PLACE_SIZES = [name for name in SMALL_PIECES if name.endswith("PLACE_ENTRIES")]


@pytest.fixture(autouse=True)
def _places_that_end_easily(monkeypatch):
    for name in PLACE_SIZES:
        monkeypatch.setattr(name, SMALL_PIECES[name])


def convicted():
    for seed in SEEDS:
        try:
            Campaign(seed).run(OPERATIONS)
        except AssertionError:
            return True
    return False


def version_goes_on_after_a_delete(patch):
    versions = {}
    write = Plan.write

    def wrong(self, command, value, old, **how):
        record = write(self, command, value, old, **how)
        if not isinstance(record, tuple):
            return record
        versions[command.key] = version = versions.get(command.key, 0) + 1
        record = (*record[:3], version, record[4])
        self.steps[-1] = self.steps[-1]._replace(record=record)
        return record

    patch(Plan, "write", wrong)


def condition_comes_before_the_identity(patch):
    request = machine.StateMachine._request

    def wrong(self, command):
        if command.condition is not None:
            unmet = machine.unmet(self._plan(), command.condition)
            if unmet is not None:
                return machine.bounded_unmet(unmet, self.limits.reply_bytes)
        return request(self, command)

    patch(machine.StateMachine, "_request", wrong)


def false_conditions_are_not_recorded(patch):
    record = Identities.record

    def wrong(self, identity, digest, result, **when):
        if not isinstance(result, Unmet):
            record(self, identity, digest, result, **when)

    patch(Identities, "record", wrong)


def resolve_burns_nothing(patch):
    keep = Identities._keep

    def wrong(self, identity, revision, packed, now_ms):
        if revision:
            keep(self, identity, revision, packed, now_ms)

    patch(Identities, "_keep", wrong)


def transactions_read_what_was_before(patch):
    patch(Overlay, "get", lambda self, key: self._live.get(key))


def immutable_keys_go_with_their_range(patch):
    patch(Invariants, "refuse_delete_range", lambda *_: None)


def not_equal_is_false_on_an_absent_key(patch):
    patch(condition_evaluation, "_absent", lambda _: False)


def between_leaves_out_its_end(patch):
    compare = condition_evaluation._COMPARE | {
        Operator.BETWEEN: lambda value, operands: operands[0] <= value < operands[1]
    }
    patch(condition_evaluation, "_COMPARE", compare)


def updates_detach_the_lease(patch):
    write = Plan.write

    def wrong(self, command, value, old, **_):
        return write(self, command, value, old, keep_lease=False)

    patch(Plan, "write", wrong)


def history_begins_one_revision_late(patch):
    forget = History._forget_oldest

    def wrong(self):
        gone = forget(self)
        self.compacted_revision += 1
        return gone

    patch(History, "_forget_oldest", wrong)


def actions_that_write_nothing_take_a_revision(patch):
    apply_actions = operations.apply_actions

    def wrong(*asked):
        changed = apply_actions(*asked)
        return changed._replace(written=True) if hasattr(changed, "written") else changed

    patch(operations, "apply_actions", wrong)


def readers_overtake_a_writer(patch):
    admits = lock_commands.admits
    patch(
        lock_commands.LockCommands,
        "_is_free",
        lambda self, record: all(
            lock is None or admits(lock, record, self.limits)
            for lock in map(self._places.locks.get, record.names)
        ),
    )


def grants_reach_what_is_about_to_end(patch):
    settle = Granting._settle

    def wrong(self):
        marked = self._ending_leases, self._ending_places
        self._ending_leases, self._ending_places = set(), frozenset()
        settle(self)
        self._ending_leases, self._ending_places = marked

    patch(Granting, "_settle", wrong)


def several_locks_are_granted_one_by_one(patch):
    def wrong(places, place_id, record, limits):
        lock = places.locks[record.names[0]]
        return lock.queue[0] == place_id and queues.admits(lock, record, limits)

    patch(granting, "heads_all", wrong)


def endings_are_forgotten_at_once(patch):
    patch(EndedPlaces, "get", lambda *_: None)
    patch(EndedPlaces, "add", lambda *_: None)


def a_late_cancel_leaves_no_trace(patch):
    patch(lock_commands.LockCommands, "_release_absent", lambda *_: ReleaseResult(False))


def stale_fences_are_ignored(patch):
    patch(machine, "refuse_fences", lambda *_: None)


def fences_come_after_the_condition(patch):
    decide = machine.StateMachine._decide

    def wrong(self, command):
        if command.condition is not None:
            unmet = machine.unmet(self._plan(), command.condition)
            if unmet is not None:
                return machine.bounded_unmet(unmet, self.limits.reply_bytes)
        return decide(self, command)

    patch(machine.StateMachine, "_decide", wrong)


def a_shared_fence_opens_a_guard(patch):
    patch(machine, "exclusive_locks", lambda _, fences: frozenset(f.lock for f in fences))


def ranges_pass_guards(patch):
    patch(Guards, "refuse_range", lambda *_: None)


def nobody_waits_for_itself(patch):
    patch(lock_commands, "refuse_deadlock", lambda *_: None)


def fences_are_no_part_of_the_request(patch):
    patch(
        machine.StateMachine,
        "_request",
        lambda self, command, request=machine.StateMachine._request: request(
            self, replace(command, digest=request_hash(command.mutation, command.condition, ()))
        ),
    )


MUTANTS = [
    version_goes_on_after_a_delete,
    condition_comes_before_the_identity,
    false_conditions_are_not_recorded,
    resolve_burns_nothing,
    transactions_read_what_was_before,
    immutable_keys_go_with_their_range,
    not_equal_is_false_on_an_absent_key,
    between_leaves_out_its_end,
    updates_detach_the_lease,
    history_begins_one_revision_late,
    actions_that_write_nothing_take_a_revision,
    readers_overtake_a_writer,
    grants_reach_what_is_about_to_end,
    several_locks_are_granted_one_by_one,
    a_late_cancel_leaves_no_trace,
    endings_are_forgotten_at_once,
    stale_fences_are_ignored,
    fences_come_after_the_condition,
    a_shared_fence_opens_a_guard,
    ranges_pass_guards,
    nobody_waits_for_itself,
    fences_are_no_part_of_the_request,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_wrong_machine_is_convicted(mutant, monkeypatch):
    mutant(monkeypatch.setattr)
    assert convicted()


def test_the_right_machine_is_not():
    assert not convicted()
