"""What is measured after the last heal: somebody leads a majority, every node serves."""

from types import SimpleNamespace

import pytest

from kvraft_chaos.node_client import NodeError, Standing
from kvraft_chaos.run import recovery
from kvraft_chaos.run.recovery import Recovery
from kvraft_client.policy.failure import Effect, Failure

NAMES = ("n1", "n2", "n3")


def down():
    failure = Failure("UNAVAILABLE", "down", "x", sent=True)
    return NodeError(failure, Effect.READ)


class FakeClient:
    """Of one node: what it says of itself, and after how many questions it serves."""

    def __init__(self, name, standing, refusals):
        self.name, self._standing, self._refusals = name, standing, refusals

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        return None

    def standing(self, _timeout_s):
        if self._standing is None:
            raise down()
        leads, term, leader = self._standing
        return Standing(self.name, leads, term, leader, 0, 0)

    def put(self, _key, _value, _timeout_s):
        if self._refusals[self.name] > 0:
            self._refusals[self.name] -= 1
            raise down()

    def get(self, _key, _timeout_s):
        return {}


class FakeCluster:
    names = NAMES

    def __init__(self, standings, refusals=None):
        self._standings = standings
        self._refusals = {**dict.fromkeys(NAMES, 0), **(refusals or {})}
        self.nodes = {name: SimpleNamespace(listen=name) for name in NAMES}

    def client(self, name, _listen=None):
        return FakeClient(name, self._standings[name], self._refusals)


@pytest.fixture
def measured(monkeypatch):
    monkeypatch.setattr(recovery, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(recovery, "RISING_SECONDS", 0.3)

    def of(standings, refusals=None):
        cluster = FakeCluster(dict(zip(NAMES, standings, strict=True)), refusals)
        monkeypatch.setattr(recovery, "NodeClient", cluster.client)
        return Recovery(cluster)

    return of


LEADS, FOLLOWS, LOST = (True, 3, "n1"), (False, 3, "n1"), (False, 3, None)


@pytest.mark.parametrize(
    "standings",
    [(LEADS, FOLLOWS, FOLLOWS), (LEADS, FOLLOWS, LOST), (LEADS, FOLLOWS, None)],
)
def test_a_leader_that_a_majority_follows_counts(measured, standings):
    assert measured(standings).measure()["leader_ms"] is not None


@pytest.mark.parametrize(
    "standings",
    [
        (LEADS, LOST, LOST),
        (LEADS, LOST, None),
        (LOST, FOLLOWS, FOLLOWS),
        (LEADS, (False, 2, "n1"), (False, 2, "n1")),
        (None, None, None),
    ],
)
def test_nobody_else_does(measured, standings):
    assert measured(standings).measure()["leader_ms"] is None


def test_the_slowest_node_decides_when_all_is_served(measured):
    quick = measured((LEADS, FOLLOWS, FOLLOWS)).measure()["operations_ms"]
    slow = measured((LEADS, FOLLOWS, FOLLOWS), {"n3": 5}).measure()["operations_ms"]
    never = measured((LEADS, FOLLOWS, FOLLOWS), {"n2": 10_000}).measure()["operations_ms"]

    assert quick is not None
    assert slow is not None
    assert slow >= 60  # five pauses between two questions
    assert never is None


def test_who_does_not_answer_is_named(measured):
    assert measured((LEADS, None, FOLLOWS)).silent() == ["n2"]
    assert measured((LEADS, FOLLOWS, FOLLOWS)).silent() == []
