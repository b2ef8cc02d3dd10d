"""Integers that the wire has no room for are the caller's mistake, and named."""

import pytest

from kvraft_client import Client, InvalidRequest

HUGE = 2**70


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda kv: kv.get("k", revision=HUGE), "revision"),
        (lambda kv: kv.get("k", consistency="serializable", min_revision=HUGE), "min_revision"),
        (lambda kv: list(kv.list("k", revision=-HUGE)), "revision"),
        (lambda kv: kv.watch("k", start_revision=HUGE), "start_revision"),
        (lambda kv: kv.cas("k", "v", expect_revision=HUGE), "expect_revision"),
        (lambda kv: kv.cas("k", "v", expect_version=HUGE), "expect_version"),
        (lambda kv: kv.put("k", "v", lease=HUGE), "lease"),
        (lambda kv: kv.put("k", "v", fence=("a", HUGE)), "token"),
        (lambda kv: kv.leases.grant(lease_id=HUGE, ttl=5.0), "lease_id"),
        (lambda kv: kv.leases.keep_alive(HUGE), "lease_id"),
        (lambda kv: kv.leases.revoke(HUGE), "lease_id"),
        (lambda kv: kv.leases.describe(HUGE), "lease_id"),
        (lambda kv: kv.lock("a", lease=HUGE).acquire(), "lease"),
        (lambda kv: kv.lock("a", capacity=HUGE), "capacity"),
        (lambda kv: kv.check_fence("a", HUGE), "token"),
    ],
)
def test_a_number_beyond_int64_is_refused_before_anything_is_asked(start, call, named):
    node = start()
    with Client(node.endpoint) as kv, pytest.raises(InvalidRequest, match=rf"\b{named}\b"):
        call(kv)
    assert node.calls == []


def test_the_ends_of_int64_are_sent(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.watch("k", start_revision=2**63 - 1)
        kv.get("k", consistency="serializable", min_revision=-(2**63))
    assert [each.min_revision for each in node.named("Get")] == [-(2**63)]
