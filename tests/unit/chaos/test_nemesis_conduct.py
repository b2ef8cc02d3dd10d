"""A plan is played by the clock, and whatever happens, everything is healed at the end."""

import threading

import pytest
from fake_target import FakeTarget

from kvraft_chaos.nemesis.conduct import HealError, conduct
from kvraft_chaos.nemesis.fault import Fault
from kvraft_chaos.nemesis.node_processes import NotHere
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.topology import NODES


class Clock(threading.Event):
    """A stop that takes no time to wait for: time passes instead. `at_ms` None: nobody stops."""

    def __init__(self, at_ms=None):
        super().__init__()
        self.ms, self._at_ms = 0, at_ms

    def now_ns(self):
        return self.ms * 1_000_000

    def wait(self, timeout=None):
        end = self.ms + round(timeout * 1_000)
        if self._at_ms is not None and end >= self._at_ms:
            self.ms = self._at_ms
            return True
        self.ms = end
        return False


class Noted(Fault):
    """Writes down what is asked of it, on the clock of the test."""

    name, sentence = "noted", "says what it is asked"
    clock, notes = None, []

    def strike(self, cluster, arguments):
        self.note("strike", arguments)
        self.struck = ("n1",)
        if arguments.get("raises"):
            raise arguments["raises"]
        return "well struck"

    def heal(self, cluster):
        self.note("heal", {})

    def note(self, what, arguments):
        self.number = arguments.get("number", getattr(self, "number", None))
        self.notes.append((self.clock.ms, what, self.number))


class Beating(Noted):
    name, beat_ms = "beating", 300

    def beat(self, cluster, number):
        self.note(f"beat {number}", {})
        if number == 3:
            raise OSError("out of breath")


class Unhealable(Noted):
    name = "unhealable"

    def heal(self, cluster):
        super().heal(cluster)
        raise OSError("it does not\nheal")


class Lacking(Noted):
    name = "lacking"

    @staticmethod
    def needs():
        return "a moon"


KINDS = {kind.name: kind for kind in (Noted, Beating, Unhealable, Lacking)}


def played(*steps, stop_at_ms=None, cluster=None):
    """(notes of the faults, marks, the cluster) of these (at, for, fault, arguments)."""
    clock, marks, cluster = Clock(stop_at_ms), [], cluster or FakeTarget()
    Noted.clock, Noted.notes = clock, []
    planned = tuple(
        Step(at, length, fault, {"number": number, **more})
        for number, (at, length, fault, more) in enumerate(steps)
    )
    plan = Plan("bank", 1, 60_000, NODES, planned)
    conduct(plan, cluster, marks.append, clock, now_ns=clock.now_ns, faults=KINDS)
    return Noted.notes, marks, cluster


def test_strokes_begin_and_heal_on_time_and_are_marked():
    notes, marks, cluster = played((100, 500, "noted", {}), (200, 100, "noted", {}))
    assert notes == [(100, "strike", 0), (200, "strike", 1), (300, "heal", 1), (600, "heal", 0)]
    assert [(mark.time_ns // 1_000_000, mark.type, mark.stroke) for mark in marks] == notes
    assert (marks[0].name, marks[0].detail, marks[0].nodes) == ("noted", "well struck", ("n1",))
    assert cluster.mended == 1


def test_a_fault_beats_while_it_lasts_and_heals_though_a_beat_failed():
    notes, marks, _ = played((0, 700, "beating", {}))
    assert notes == [(0, "strike", 0), (300, "beat 1", 0), (600, "beat 2", 0), (700, "heal", 0)]
    notes, marks, _ = played((0, 5_000, "beating", {}))
    assert [what for _, what, _ in notes] == ["strike", "beat 1", "beat 2", "beat 3", "heal"]
    assert marks[1].detail == "failed: out of breath"


def test_a_strike_that_fails_is_marked_and_healed():
    notes, marks, _ = played((0, 100, "noted", {"raises": OSError("no such link")}))
    assert [what for _, what, _ in notes] == ["strike", "heal"]
    assert marks[0].detail == "failed: no such link"


def test_what_a_machine_or_a_cluster_cannot_have_is_skipped_with_a_word():
    _, marks, _ = played(
        (0, 100, "lacking", {}), (0, 100, "noted", {"raises": NotHere("these are containers")})
    )
    assert [mark.detail for mark in marks[:2]] == [
        "skipped: this machine lacks a moon",
        "skipped: these are containers",
    ]
    assert [(mark.type, mark.stroke) for mark in marks[2:]] == [("heal", 1)]


def test_one_heal_that_fails_keeps_no_other_from_healing():
    notes, marks, cluster = played(
        (0, 900, "noted", {}), (1, 900, "unhealable", {}), (2, 900, "noted", {}), stop_at_ms=500
    )
    assert notes[3:] == [(500, "heal", 2), (500, "heal", 1), (500, "heal", 0)]
    assert marks[4].detail == "failed: it does not"
    assert cluster.mended == 1


def test_stopped_half_way_everything_is_healed_and_nothing_strikes_any_more():
    notes, _, _ = played(
        (0, 9_000, "noted", {}), (100, 50, "noted", {}), (600, 9_000, "noted", {}), stop_at_ms=500
    )
    assert notes == [(0, "strike", 0), (100, "strike", 1), (150, "heal", 1), (500, "heal", 0)]


def test_what_cannot_be_mended_is_told_after_all_was_tried():
    class Beyond(FakeTarget):
        def mend(self):
            raise OSError("Toxiproxy is gone\nfor good")

    with pytest.raises(HealError, match=r"^the cluster could not be healed: Toxiproxy is gone$"):
        played((0, 100, "noted", {}), cluster=Beyond())
    assert [what for _, what, _ in Noted.notes] == ["strike", "heal"]
