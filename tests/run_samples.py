"""A run that never happened, as a directory: valid, and small."""

from kvraft_chaos.history import Recorder
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.nemesis.planning import write_plan
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.run.findings import STATE_HASH
from kvraft_chaos.run.marks import Marks

NODES = ("n1", "n2", "n3")
PLAN = Plan("register", 7, 20_000, NODES, (Step(2_000, 1_000, "kill", {"node": "n1"}),))
LOG = "2026-11-21 08:00:00,000 {} INFO serving clients on 127.0.0.1:1, peers on 127.0.0.1:2\n"
LED = "2026-11-21 08:00:01,000 n2 INFO leads term 1: elected by n2, n3\n"


def write_run(path, plan=PLAN, *, stale=False, phases=("setup", "faults", "healed", "finals")):
    """`stale`: a read that the store cannot have answered."""
    directory = RunDirectory(path)
    path.mkdir()
    write_plan(plan, directory.plan)
    with Recorder(directory.history) as recorder:
        writer, reader, last = (recorder.process() for _ in range(3))
        recorder.record(writer, "invoke", "put", key="k", value={"value": "a"})
        recorder.record(writer, "ok", "put", key="k", value={"mod_revision": 2})
        recorder.record(reader, "invoke", "get", key="k")
        read = {"value": None} if stale else {"value": "a", "mod_revision": 2}
        recorder.record(reader, "ok", "get", key="k", value=read)
        for node in plan.nodes:
            recorder.record(last, "invoke", STATE_HASH, node=node)
            recorder.record(last, "ok", STATE_HASH, value={"digest": "d"}, node=node)
    with Marks(directory.faults) as marks:
        for phase in (*phases, "end"):
            marks.add("phase", phase)
            if phase == "healed":
                marks.add("recovered", "", value={"leader_ms": 10, "operations_ms": 20})
    directory.logs.mkdir()
    for node in plan.nodes:
        text = LOG.format(node) + (LED if node == "n2" else "")
        (directory.logs / f"{node}.log").write_text(text)
    return directory
