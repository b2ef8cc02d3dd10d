"""Others recorded these histories, and others judged them: our checker must agree."""

import csv
from pathlib import Path

import pytest
from unit.chaos import jepsen

from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.verdict import Verdict

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "jepsen-etcd"


def test_our_verdicts_are_the_published_ones():
    if not DATA.is_dir():
        pytest.skip("Jepsen's histories are not beside this checkout (shared/data/jepsen-etcd)")
    rows = list(csv.DictReader((DATA / "verdicts.csv").read_text().splitlines()))
    assert len(rows) == 52
    expected = {row["file"]: row["linearizable"] == "true" for row in rows}
    assert set(expected.values()) == {True, False}
    reports = {
        name: check(jepsen.events((DATA / name).read_text(encoding="utf-8"))) for name in expected
    }
    wrong = {
        name: reports[name].sentence()
        for name, linearizable in expected.items()
        if reports[name].verdict != (Verdict.VALID if linearizable else Verdict.INVALID)
    }
    assert wrong == {}
