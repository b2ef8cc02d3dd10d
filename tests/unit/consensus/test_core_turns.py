"""`Core.turn` leaves SyncObj alone where it has nothing to do, and nowhere else."""

import pysyncobj.syncobj as library
import pytest
from raw_syncobj import Raw, entries

from kvraft.consensus.envelope import wrap
from kvraft.consensus.pysyncobj_core import NoPoller, UntestedLibraryError
from kvraft.consensus.timing import Timing

PAUSE = Timing().tick_ms / 1000
HEARTBEAT = Timing().heartbeat_ms / 1000


class Counted(Raw):
    """Counts SyncObj's own ticks."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch)
        self.ticks = 0
        tick = self.core._machine.doTick

        def counted(seconds):
            self.ticks += 1
            tick(seconds)

        self.core._machine.doTick = counted

    def turns(self, *after):
        """Take a turn after each of these pauses; return how many reached SyncObj."""
        before = self.ticks
        for seconds in after:
            self.now += seconds
            self.core.turn(self.now)
        return self.ticks - before

    def rest(self):
        """Let it come to rest."""
        self.turns(PAUSE, 2 * PAUSE)
        self.take()
        return self


@pytest.fixture
def counted(monkeypatch):
    return Counted(monkeypatch)


def test_no_system_call_a_tick_and_the_module_is_as_before(monkeypatch):
    before = library.createPoller
    raw = Raw(monkeypatch)
    assert library.createPoller is before
    assert isinstance(raw.core._machine._poller, NoPoller)
    with pytest.raises(UntestedLibraryError, match="wants to wait for 7"):
        raw.core._machine._poller.subscribe(7, None, 1)


def test_an_idle_follower_is_never_ticked(counted):
    counted.core.append("b", 1, (1, 0), entries((2, 1)), 0)
    counted.rest()
    assert counted.turns(*[1.0] * 50) == 0


def test_a_follower_applies_what_is_committed_in_the_next_turn(counted):
    counted.core.append("b", 1, (1, 0), entries((2, 1)), 0)
    counted.rest()
    counted.core.append("b", 1, (2, 1), [], 2)
    assert counted.turns(1e-6) == 1
    assert counted.applied == [b"2"]
    assert counted.turns(1e-6) == 0


def test_a_resting_leader_is_ticked_once_a_heartbeat(counted):
    counted.lead()
    counted.rest()
    assert counted.turns(*[HEARTBEAT / 10] * 100) in (9, 10, 11)


def test_a_proposal_leaves_in_the_next_turn(counted):
    counted.lead()
    counted.rest()
    counted.core.propose(b"x")
    assert counted.turns(1e-6) == 1
    sent = [m["entries"] for _, m in counted.take("append_entries")]
    assert [one[0][0] for one in sent] == [wrap(b"x")] * 2


def test_a_match_beyond_commit_is_acted_on_in_the_next_turn_another_is_not(counted):
    counted.lead()
    counted.core.propose(b"x")
    counted.rest()
    counted.core.matched("b", 3)
    assert counted.turns(1e-6) == 1
    assert counted.applied == [b"x"]
    counted.core.matched("c", 3)
    assert counted.turns(1e-6) == 0


@pytest.mark.parametrize("within", [0.1, 0.5, 0.9])
def test_a_new_position_is_sent_from_as_soon_as_syncobj_sends_again(counted, within):
    counted.lead()
    counted.rest()
    counted.core.propose(b"x")
    counted.turns(1e-6)  # it sends, and will not look again for one pause
    counted.now += within * PAUSE
    counted.core.next_index("c", 2)
    counted.take()
    counted.turns(*[PAUSE / 5] * 6)
    sent = [m["entries"] for peer, m in counted.take("append_entries") if peer == "c"]
    assert [len(one) for one in sent if one] == [2]


def test_a_connection_is_used_as_soon_as_syncobj_sends_again(counted):
    counted.lead()
    counted.core.disconnected("c")
    counted.core.propose(b"x")
    counted.rest()
    counted.core.connected("c")
    counted.turns(*[PAUSE / 5] * 6)
    sent = [m["entries"] for peer, m in counted.take("append_entries") if peer == "c"]
    assert [len(one) for one in sent if one] == [1]


def test_commands_that_one_tick_had_no_time_for_are_taken_by_the_next(counted):
    counted.lead()
    counted.rest()
    add = counted.journal.add

    def slow(*arguments):
        counted.now += PAUSE
        add(*arguments)

    counted.journal.add = slow
    counted.core.propose(b"x")
    counted.core.propose(b"y")
    last = counted.journal.last_index
    assert counted.turns(1e-6) == 1
    assert counted.journal.last_index == last + 1
    assert counted.turns(1e-6) == 1
    assert counted.journal.last_index == last + 2
