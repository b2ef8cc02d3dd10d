"""Holders are stopped and cut off for longer than they hold: fenced, nothing is lost or doubled."""

import pytest

from kvraft_chaos import fenced_counter

INCREMENTS = 2_000
OF_THE_CONTROL = 960


@pytest.mark.smoke
def test_a_fenced_counter_loses_and_doubles_nothing(progress):
    audit = fenced_counter.run(INCREMENTS, fences=True, seed=1)
    progress(f"{audit}")

    assert audit.pauses >= 2
    assert audit.cuts >= 2
    assert audit.stale > 0, "no fence was ever stale: nothing was tested"
    assert audit.acknowledged == INCREMENTS
    assert audit.counted == INCREMENTS
    assert audit.is_exact


@pytest.mark.smoke
def test_without_fences_increments_are_lost(progress):
    """The control: the strikes do what they claim, and the count would show it."""
    audit = fenced_counter.run(OF_THE_CONTROL, fences=False, seed=1)
    progress(f"{audit}")

    assert audit.lost > 0
    assert not audit.is_exact
