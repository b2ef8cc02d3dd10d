"""The bank's judge: counts of clients, and the log revision by revision."""

from dataclasses import replace

import pytest
from unit.chaos.sequential_store import honest

from kvraft_chaos.checkers.bank import check_bank, check_log
from kvraft_chaos.checkers.store_log import Change
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.workloads.bank import Bank

OPENING = {"bank/account/0": 10, "bank/account/1": 10}
MOVED = [
    Change(3, "bank/account/0", "4"),
    Change(3, "bank/account/1", "16"),
    Change(3, "bank/transfer/1", "0 1 6"),
]


def events_with(index, value):
    events = list(honest(Bank(), 300))
    events[index] = replace(events[index], value=value)
    return events


def counts(events, f):
    found = [e for e in events if (e.f, e.type) == (f, "ok")]
    return [e for e in found if f == "list" or len(e.value["results"]) == 8]


def test_an_honest_history_is_valid():
    finding = check_bank(honest(Bank(), 300, lost=0.1))
    assert finding.verdict is Verdict.VALID
    assert "the sum never changed" in finding.sentence


def test_a_log_of_transfers_is_valid():
    assert check_log(MOVED, OPENING).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (MOVED[:1], "the sum was 20 and is 14 at 3"),
        ([Change(3, "bank/account/0", None)], "the sum was 20 and is 10 at 3"),
        (
            [Change(3, "bank/account/0", "-1"), Change(3, "bank/account/1", "21")],
            "bank/account/0 is -1 at 3",
        ),
        ([*MOVED, Change(4, "bank/transfer/1", "0 1 6")], "bank/transfer/1 was made again at 4"),
    ],
)
def test_a_wrong_log_convicts(log, words):
    report = check_log(log, OPENING)
    assert report.verdict is Verdict.INVALID
    assert words in report.sentence()


def test_a_count_with_another_sum_convicts():
    events = honest(Bank(), 300)
    listed, read = counts(events, "list")[3], counts(events, "txn")[3]
    (key, value, revision), *rest = listed.value["entries"]
    entries = [[key, str(int(value) + 1), revision], *rest]
    finding = check_bank(events_with(listed.index, {"entries": entries}))
    assert finding.verdict is Verdict.INVALID
    assert "a sum of 801 instead of 800" in finding.sentence
    assert listed.index in finding.contradiction
    missing = [{"value": None}, *read.value["results"][1:]]
    finding = check_bank(events_with(read.index, {**read.value, "results": missing}))
    assert finding.verdict is Verdict.INVALID


def test_an_account_below_nothing_convicts():
    listed = counts(honest(Bank(), 300), "list")[3]
    entries = [[key, "0", revision] for key, _, revision in listed.value["entries"]]
    entries[0][1], entries[1][1] = "-5", "805"
    finding = check_bank(events_with(listed.index, {"entries": entries}))
    assert "bank/account/0 overdrawn" in finding.sentence


def test_a_bank_without_accounts_or_log_is_not_known():
    events = honest(Bank(), 30)
    assert check_bank([]).verdict is Verdict.UNKNOWN
    assert check_bank([e for e in events if e.f != "log"]).verdict is Verdict.UNKNOWN
