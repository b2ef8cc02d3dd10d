"""Faults that reach into a node's process or its directory: for clusters of processes only."""

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.nemesis.target import Target


class NotHere(Exception):  # noqa: N818 - no error: this cluster cannot have the fault
    """The stroke is skipped with this word."""


def processes(cluster: Target) -> ChaosCluster:
    """The same cluster, where its nodes are processes of this machine."""
    if isinstance(cluster, ChaosCluster):
        return cluster
    raise NotHere("the nodes are no processes of this machine")
