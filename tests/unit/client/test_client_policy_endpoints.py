"""Whom the client asks next, on a virtual clock."""

import pytest

from kvraft_client.policy.endpoints import Endpoints

ALL = ["a:1", "b:1", "c:1"]


def known(leader=None, term=1):
    """Three endpoints whose names are known."""
    endpoints = Endpoints(ALL, 2.0)
    for address in ALL:
        endpoints.answered(address, "n" + address[0], term, now=0.0)
    endpoints.leader_is(leader, term)
    return endpoints


def test_there_must_be_an_endpoint():
    with pytest.raises(ValueError, match="at least one"):
        Endpoints([], 2.0)


def test_the_first_is_asked_first_and_the_last_that_answered_is_kept():
    endpoints = Endpoints(ALL, 2.0)

    assert endpoints.choose(0.0) == "a:1"

    endpoints.answered("b:1", "nb", 1, now=0.0)

    assert endpoints.choose(0.0) == "b:1"


def test_the_leaders_endpoint_is_chosen_by_name():
    endpoints = known(leader="nc")

    assert endpoints.choose(0.0) == "c:1"
    assert endpoints.choose(0.0, ["c:1"]) in ("a:1", "b:1")
    assert endpoints.choose(0.0, ALL) is None


def test_while_the_leaders_endpoint_is_unknown_the_unknown_ones_are_tried():
    endpoints = Endpoints(ALL, 2.0)
    endpoints.answered("a:1", "na", 1, now=0.0)
    endpoints.leader_is("nz", 1)

    assert endpoints.choose(0.0) == "b:1"


def test_a_newer_term_makes_the_leader_unknown_and_an_older_one_teaches_nothing():
    endpoints = known(leader="na", term=3)
    endpoints.leader_is("nb", 2)

    assert endpoints.leader == "na"

    endpoints.answered("a:1", "na", 4, now=0.0)

    assert endpoints.leader is None


def test_a_hint_is_followed_and_a_leader_that_refuses_is_forgotten():
    endpoints = known(leader="na")
    endpoints.refused("a:1", "nb")

    assert endpoints.choose(0.0) == "b:1"

    endpoints.refused("b:1", None)

    assert endpoints.leader is None


def test_a_node_that_names_itself_while_refusing_is_not_believed():
    endpoints = known(leader="na")
    endpoints.refused("a:1", "na")

    assert endpoints.leader is None


def test_a_refusal_by_a_follower_does_not_unseat_the_leader():
    endpoints = known(leader="na")
    endpoints.refused("b:1", None)

    assert endpoints.leader == "na"


def test_an_endpoint_that_failed_is_passed_over_for_longer_each_time_up_to_a_bound():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    pauses = []
    now = 0.0
    for _ in range(8):
        endpoints.failed("a:1", now, jitter=1.0)
        step = next(t for t in range(1, 10_000) if endpoints.choose(now + t / 1_000) == "a:1")
        pauses.append(step / 1_000)
        now += step / 1_000

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_the_calls_that_one_break_ends_are_one_failure():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    for _ in range(64):
        endpoints.failed("a:1", 0.0, jitter=1.0)

    assert endpoints.choose(0.3) == "a:1"


def test_an_answer_ends_the_pause():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    endpoints.failed("a:1", 0.0, jitter=0.0)
    endpoints.answered("a:1", "na", 1, now=0.0)

    assert endpoints.choose(0.01) == "a:1"


def test_if_all_are_passed_over_one_is_still_chosen():
    endpoints = Endpoints(ALL, 2.0)
    for address in ALL:
        endpoints.failed(address, 0.0, jitter=1.0)

    assert endpoints.choose(0.01) in ALL


@pytest.mark.parametrize(
    ("now", "ready", "mutation", "wanted"),
    [
        (0.5, True, True, False),
        (0.5, False, True, True),  # nothing may be sent into a connection that never stood
        (0.5, False, False, True),
        (2.5, True, True, True),  # silent for long: a black hole would make it UNKNOWN
        (2.5, True, False, False),
    ],
)
def test_when_an_endpoint_is_asked_for_its_status_first(now, ready, mutation, wanted):
    endpoints = known(leader="na")

    assert wanted is endpoints.wants_probe("a:1", now, ready=ready, mutation=mutation)


def test_while_no_leader_is_known_one_asks_again_but_not_all_the_time():
    endpoints = known(leader=None)
    endpoints.probing("a:1", 1.0)

    assert not endpoints.wants_probe("a:1", 1.05, ready=True, mutation=True)
    assert endpoints.wants_probe("a:1", 1.2, ready=True, mutation=True)


def test_an_endpoint_that_failed_is_asked_for_its_status_before_a_mutation():
    endpoints = known(leader="na")
    endpoints.failed("b:1", 0.1, jitter=0.0)

    assert endpoints.wants_probe("b:1", 0.5, ready=True, mutation=True)


def test_a_refusal_is_a_sign_of_life():
    endpoints = known(leader="na")
    endpoints.heard("a:1", 3.0)

    assert not endpoints.wants_probe("a:1", 4.0, ready=True, mutation=True)
