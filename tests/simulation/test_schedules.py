"""Every scripted schedule holds with all guards on, and shows its finding without the guard."""

import pytest

from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.schedules import SCHEDULES, elections

HOLDS = [(name, seed) for name, each in SCHEDULES.items() for seed in each.seeds]
GUARDS = [(name, off) for name, each in SCHEDULES.items() for off in each.guards]


@pytest.mark.parametrize(("name", "seed"), HOLDS)
def test_holds(name, seed):
    assert SCHEDULES[name].run(seed=seed) == set()


@pytest.mark.parametrize(("name", "off"), GUARDS)
def test_guard_matters(name, off):
    each = SCHEDULES[name]
    assert each.guards[off] in each.run(off)


def test_median_failover_is_within_the_target():
    """RULES I7: at most 0.3 s in the median, 1.0 s at worst, until a leader may propose."""
    middle, worst = elections.failover_times(range(100, 120))
    assert middle <= 0.3
    assert worst <= 1.0


def test_every_switch_is_seen_to_matter():
    switches = {switch for _, off in GUARDS for switch in off.split("+")}
    assert switches == set(Switches.__dataclass_fields__)
