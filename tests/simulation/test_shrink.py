"""Delta debugging keeps what is needed, drops the rest, and ends."""

import pytest

from kvraft_chaos.simulation.shrink import ddmin


@pytest.mark.parametrize("needed", [[3], [0, 19], [4, 5, 6], [0, 7, 11, 19], list(range(20))])
def test_only_what_is_needed_is_left(needed):
    assert ddmin(range(20), lambda kept: set(needed) <= set(kept), runs_max=1000) == needed


def test_what_fails_with_nothing_needs_nothing():
    assert ddmin(range(20), lambda _: True) == []


def test_the_number_of_runs_is_bounded():
    tried = []

    def fails(kept):
        tried.append(kept)
        return {2, 9, 17} <= set(kept)

    kept = ddmin(range(20), fails, runs_max=5)
    assert len(tried) <= 6  # and the look at nothing
    assert {2, 9, 17} <= set(kept)


def test_the_order_stays():
    assert ddmin([5, 1, 4, 2], lambda kept: {5, 4} <= set(kept)) == [5, 4]
