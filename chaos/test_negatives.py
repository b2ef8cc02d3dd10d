"""Known mistakes, each in a short run: a tool that never convicts proves nothing by silence."""

from contextlib import contextmanager, nullcontext
from threading import Event

import pytest

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import load
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.run.judge import judge
from kvraft_chaos.run.request import Request
from kvraft_chaos.run.session import run

CONVICTED_BY = {
    "local-reads": "linearizability",
    "no-fence": "fences",
    "no-identity": "effects",
    "check-then-set": "linearizability",
    "plain-pysyncobj": "linearizability",
}
"""The checker that is there for this mistake; others may find it too."""


@contextmanager
def unseen(_scoreboard):
    """No live view."""
    yield lambda _mark: None


def test_every_control_is_listed_with_its_checker():
    assert CONVICTED_BY.keys() == NEGATIVES.keys()


@pytest.mark.parametrize("name", sorted(NEGATIVES))
def test_a_known_mistake_is_convicted(name, tmp_path, proxies, progress):
    progress(f"{name}: {NEGATIVES[name].sentence}")
    plan = Request(negative=name, seed=1).plan_asked()
    directory = run(plan, tmp_path / "run", Event(), unseen, proxies=lambda: nullcontext(proxies))
    judgement = judge(directory)

    assert judgement.verdict is Verdict.INVALID
    guilty = [
        each
        for each in judgement.findings
        if each.checker == CONVICTED_BY[name] and each.verdict is Verdict.INVALID
    ]
    assert guilty, [f"{each.checker}: {each.sentence}" for each in judgement.findings]
    progress(guilty[0].sentence)
    events = load(directory.history)
    assert guilty[0].contradiction, "nothing to look at"
    assert all(events[index].type != "fail" for index in guilty[0].contradiction)
