"""docs/chaos.md names what there is: workloads, faults, controls, files, options, bounds."""

import re
from pathlib import Path

from kvraft.cli.chaos_extra import NO_VERDICT, STATUS
from kvraft_chaos.history import MAX_EVENTS
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.run import findings, recovered
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.workloads.catalogue import WORKLOADS
from kvraft_chaos.workloads.deed import CALL_SECONDS

PAGE = (Path(__file__).resolve().parent.parent / "docs/chaos.md").read_text()


def table(head: str) -> list[list[str]]:
    """Cells of the table that begins with this column."""
    _, _, rest = PAGE.partition(f"| {head} |")
    rows = rest.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_workload_has_its_row() -> None:
    assert table("workload") == [
        [f"`{each.name}`", str(each.clients), each.sentence] for each in WORKLOADS.values()
    ]


def test_every_fault_has_its_row() -> None:
    assert table("fault") == [[f"`{each.name}`", each.sentence] for each in FAULTS.values()]


def test_every_negative_control_has_its_row() -> None:
    assert table("negative control") == [
        [f"`{each.name}`", each.sentence, f"`{each.workload}`"] for each in NEGATIVES.values()
    ]


def test_every_file_of_a_run_is_explained() -> None:
    named = set(re.findall(r"`([\w.]+?)/?`", " ".join(row[0] for row in table("file"))))
    run = RunDirectory(Path("run"))
    files = (run.history, run.faults, run.plan, run.verdict, run.logs, run.timeline)

    assert named == {path.name for path in (*files, run.latency, run.rate)}


def test_the_exit_statuses_are_those_of_the_command() -> None:
    rows = {int(status): words.split(":")[0] for status, words in table("exit status")}

    assert rows == {**{status: word for word, status in STATUS.items()}, NO_VERDICT: "no verdict"}


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"two election timeouts ({recovered.LEADER_MS // 1_000} s)" in PAGE
    assert f"all new operations succeed within {recovered.OPERATIONS_MS // 1_000} s" in PAGE
    assert f"a deadline of {CALL_SECONDS:g} s a call" in PAGE
    assert f"its history, {MAX_EVENTS:,} events" in PAGE
    assert findings.UNKNOWN_SHARE_MAX == 0.1
    assert "at most a tenth of the operations is unknown" in PAGE
