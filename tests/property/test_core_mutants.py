"""The comparison with the oracle convicts a machine that is wrong in one place."""

import pytest
from core_campaign import Campaign

from kvraft.core import condition_evaluation, machine, operations
from kvraft.core.conditions import Operator
from kvraft.core.history import History
from kvraft.core.identities import Identities
from kvraft.core.invariants import Invariants
from kvraft.core.overlay import Overlay
from kvraft.core.plan import Plan
from kvraft.core.results import Unmet

OPERATIONS = 2_500
SEEDS = (1, 2)


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
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_wrong_machine_is_convicted(mutant, monkeypatch):
    mutant(monkeypatch.setattr)
    assert convicted()


def test_the_right_machine_is_not():
    assert not convicted()
