"""The table of a campaign, as JSON for programs and as markdown for a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kvraft_chaos.campaign.histories import Result

ALL = "all"
HEAD = (
    "workload",
    "histories",
    "operations",
    "unknown",
    "valid",
    "invalid",
    "unknown verdicts",
    "leader after healing, worst",
    "all operations after healing, worst",
)


def rows(results: Iterable[Result], workloads: Sequence[str]) -> list[dict[str, Any]]:
    """One for each workload, in order, and one for all."""
    given = list(results)
    by_workload = {name: [each for each in given if each.workload == name] for name in workloads}
    return [
        _row(name, found)
        for name, found in {**by_workload, ALL: given}.items()
        if found or name == ALL
    ]


def _row(name: str, results: Sequence[Result]) -> dict[str, Any]:
    operations = sum(each.operations for each in results)
    unknown = sum(each.unknown for each in results)
    verdicts = [each.verdict for each in results]
    return {
        "workload": name,
        "histories": len(results),
        "operations": operations,
        "unknown_share": round(unknown / operations, 5) if operations else 0.0,
        "valid": verdicts.count("valid"),
        "invalid": verdicts.count("invalid"),
        "unknown": verdicts.count("unknown"),
        "worst_leader_ms": _worst(each.leader_ms for each in results),
        "worst_operations_ms": _worst(each.operations_ms for each in results),
    }


def _worst(figures: Iterable[int | None]) -> int | None:
    return max((each for each in figures if each is not None), default=None)


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """For `docs/reliability.md`."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    for row in table:
        cells = (
            row["workload"],
            f"{row['histories']:,}",
            f"{row['operations']:,}",
            f"{row['unknown_share']:.2%}",
            row["valid"],
            row["invalid"],
            row["unknown"],
            _seconds(row["worst_leader_ms"]),
            _seconds(row["worst_operations_ms"]),
        )
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1_000:.2f} s"
