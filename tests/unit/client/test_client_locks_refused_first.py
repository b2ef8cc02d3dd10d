"""A request that was refused has left no stream behind that could give its place up."""

from fake_node import NO_QUORUM

from kvraft_client import Client
from kvraft_client.policy.lock import Phase


def test_a_grant_after_a_refusal_needs_no_confirmation(start):
    node = start()
    with Client(node.endpoint) as kv:
        node.script["Acquire"] = [NO_QUORUM]
        with kv.lock("l") as lock:
            assert len(node.named("Acquire")) == 2
            assert node.named("Confirm") == []
            assert lock.phase is Phase.GRANTED
