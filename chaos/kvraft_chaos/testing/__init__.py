"""For tests of users' own programs; its public name is `kvraft_client.testing`."""

from kvraft_chaos.checkers.model import Model
from kvraft_chaos.testing.calls import Call, History
from kvraft_chaos.testing.local import Fault, LocalCluster
from kvraft_chaos.testing.verdicts import assert_linearizable

__all__ = ["Call", "Fault", "History", "LocalCluster", "Model", "assert_linearizable"]
