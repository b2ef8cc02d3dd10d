"""What every node holds at the end, by its own digest, as events of the history."""

import time

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.history import Recorder
from kvraft_chaos.node_client import NodeError
from kvraft_chaos.run.findings import STATE_HASH
from kvraft_chaos.waiting import POLL_SECONDS

REPORT_SECONDS = 10.0
"""Until every node has applied what the leader has: a node that came back late loads a snapshot."""
CALL_SECONDS = 2.0


def record_states(cluster: ChaosCluster, recorder: Recorder) -> None:
    """Ask until all report at one index of the log, or for as long as is reasonable."""
    deadline = time.monotonic() + REPORT_SECONDS
    digests: dict[str, str] = {}
    missing = list(cluster.names)
    with cluster.client(cluster.names[0]) as client:
        while missing and time.monotonic() < deadline:
            try:
                digests, missing = client.state_hashes(CALL_SECONDS)
            except NodeError:
                time.sleep(POLL_SECONDS)
    process = recorder.process()
    for node, digest in sorted(digests.items()):
        recorder.record(process, "invoke", STATE_HASH, node=node)
        recorder.record(process, "ok", STATE_HASH, value={"digest": digest}, node=node)
