"""Replies are lost and requests repeated: one effect each; without identities, several."""

import pytest

from kvraft_chaos import double_effects

OPERATIONS = 2_000


@pytest.mark.smoke
def test_lost_replies_and_repeated_requests_have_one_effect(progress):
    audit = double_effects.run(OPERATIONS, identities=True, seed=1)
    progress(f"{audit}")

    assert audit.lost_replies > OPERATIONS / 50
    assert audit.repeated_requests > OPERATIONS / 50
    assert audit.double_effects == 0
    assert audit.lost_effects == 0
    assert audit.wrong_outcomes == 0
    assert audit.refused == 0


@pytest.mark.smoke
def test_without_identities_there_are_double_effects(progress):
    """The control: the proxies do what they claim, and the count would show it."""
    audit = double_effects.run(OPERATIONS, identities=False, seed=1)
    progress(f"{audit}")

    assert audit.double_effects > 0
