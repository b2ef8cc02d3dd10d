"""Every mistake is convicted by its schedule, and nothing of it is left behind."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.mutants import MUTANTS, registry
from kvraft_chaos.simulation.mutants.trial import Verdict, found_by_schedule, try_mutant

LEAST = 25


def test_there_are_enough():
    assert len(MUTANTS) >= LEAST


def test_the_page_names_them_all():
    page = (Path(__file__).parents[2] / "docs/reliability.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(MUTANTS)


def test_every_switch_is_off_in_one():
    off = {name for each in MUTANTS.values() for name in each.off.split("+") if name}
    assert off == set(Switches.__dataclass_fields__)


@pytest.mark.parametrize("name", MUTANTS)
def test_its_schedule_convicts_it(name):
    mutant = MUTANTS[name]
    assert mutant.finding in found_by_schedule(mutant)


def product():
    """Everything that a patch could replace, by identity."""
    ours = ("kvraft.", "kvraft_client.")
    modules = [module for name, module in sys.modules.items() if name.startswith(ours)]
    owners = {id(each): each for module in modules for each in (module, *vars(module).values())}
    classes = [each for each in owners.values() if isinstance(each, type | ModuleType)]
    return {
        f"{each.__name__}.{name}": id(value)
        for each in classes
        for name, value in vars(each).items()
        if callable(value) or isinstance(value, staticmethod | property)
    }


def changed(before):
    after = product()
    return [name for name, value in before.items() if after.get(name) != value]


@pytest.mark.parametrize("name", [name for name, each in MUTANTS.items() if not each.off])
def test_its_patch_changes_something_and_is_undone(name):
    before = product()
    with MUTANTS[name].apply():
        assert changed(before)
    assert changed(before) == []


class Owner:
    @staticmethod
    def answer():
        return 1


def wrong():
    with registry.replaced(Owner, "answer", staticmethod(lambda: 2)):
        raise KeyError(Owner.answer())


def test_a_patch_is_undone_where_an_exception_ends_it():
    with pytest.raises(KeyError, match="2"):
        wrong()
    assert Owner.answer() == 1


def test_two_mutants_of_one_name_are_refused():
    with pytest.raises(AssertionError):
        registry.register(next(iter(MUTANTS.values())))


def test_a_verdict_says_by_what():
    verdict = try_mutant("hold_acks_for_disk", range(1, 3))
    assert verdict.caught
    assert verdict.seeds == 1
    assert verdict.by == (
        "schedule f_power_loss_keeps_acknowledged_entries: quorum-retention; "
        "seed 1: quorum-retention"
    )


def test_no_mistake_is_not_caught(monkeypatch):
    schedule = "f_power_loss_keeps_acknowledged_entries"
    harmless = registry.Mutant("harmless", "Nothing.", schedule=schedule, finding="lost")
    monkeypatch.setitem(MUTANTS, "harmless", harmless)
    verdict = try_mutant("harmless", range(3, 4))
    assert verdict == Verdict("harmless", "Nothing.", "", "", 0, None, "")
    assert not verdict.caught
    assert verdict.by == "nothing"
