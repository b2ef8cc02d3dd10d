"""`python -m benchmarks.table FILE`: the figures of a run as Markdown, for docs/performance.md."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import DETAILS, shown

Row = Mapping[str, Any]
UNITS = {"1/s": " a second", "times": " times"}
VERDICTS = {True: "met", False: "**missed**", None: ""}


def markdown(content: Mapping[str, Any]) -> str:
    """Return the figures of one run; medians, and from the lowest to the highest round."""
    rows: Sequence[Row] = content["rows"]
    blocks = [_where(content)]
    if content["quick"]:
        blocks.append("A run with `--quick`: it shows that the benchmarks work, and nothing else.")
    blocks += [_table(each) for each in (_side_by_side(rows), _alone(rows), _costs(rows)) if each]
    return "\n\n".join(blocks) + "\n"


def _where(content: Mapping[str, Any]) -> str:
    told = "; ".join(f"{name}: {value}" for name, value in content["machine"].items())
    loads = ", ".join(f"{value} ({part})" for part, value in content["load_before"].items())
    stores = ", ".join(each for each in content["stores"] if each != "kvraft")
    against = f" Beside {stores}." if stores else ""
    return f"Measured on {told}; load before each part: {loads}.{against}"


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *body = lines
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))


def _side_by_side(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each workload, a column for each store, then what is promised of ours."""
    rates = {(row["workload"], row["store"]): row for row in rows if row["store"]}
    if not rates:
        return []
    stores = list(dict.fromkeys(store for _, store in rates))
    lines = [["operations a second", *stores, "kvraft's goal"]]
    for workload in dict.fromkeys(workload for workload, _ in rates):
        found = (rates.get((workload, store)) for store in stores)
        promised = (r for r in rows if r["workload"] == workload and not r["store"])
        goals = "; ".join(_promise(row) for row in promised)
        lines.append([workload, *("" if row is None else _spread(row) for row in found), goals])
    return lines


def _alone(rows: Sequence[Row]) -> list[list[str]]:
    """Every other figure."""
    others = [row for row in rows if not row["workload"]]
    if not others:
        return []
    lines = [["figure", "median (low to high, n)", "goal"]]
    for row in others:
        count = f", {row['spread']['count']}"
        figure = _spread(row, count) + UNITS.get(row["unit"], f" {row['unit']}")
        goals = ", ".join(_goals(row))
        lines.append([row["name"], figure, f"{goals}: {VERDICTS[row['met']]}" if goals else ""])
    return lines


def _costs(rows: Sequence[Row]) -> list[list[str]]:
    """What an operation costs: latencies, and processor time."""
    found = [row for row in rows if row["details"]]
    if not found:
        return []
    headings = [f"{head} {_unit(name)}".strip() for name, head in DETAILS.items()]
    lines = [["figure", *headings]]
    lines += ([row["name"], *_cells(row["details"])] for row in found)
    return lines


def _unit(name: str) -> str:
    return {"ms": "ms", "us": "µs"}.get(name.rpartition("_")[2], "")


def _cells(details: Mapping[str, float]) -> Iterator[str]:
    return (shown(details[name]) if name in details else "" for name in DETAILS)


def _spread(row: Row, more: str = "") -> str:
    found = row["spread"]
    if found["count"] == 1:
        return shown(found["median"])
    return f"{shown(found['median'])} ({shown(found['low'])} to {shown(found['high'])}{more})"


def _promise(row: Row) -> str:
    """Return a figure beside what it should be, e.g. "/ etcd 3.5.1: 3.1, at least 3: met"."""
    what = row["name"].removeprefix(row["workload"]).strip(", ")
    unit = "" if row["unit"] == "times" else f" {row['unit']}"
    told = f"{what}: {shown(row['spread']['median'])}{unit}"
    return f"{', '.join([told, *_goals(row)])}: {VERDICTS[row['met']]}"


def _goals(row: Row) -> Iterable[str]:
    for words, bounds in (("at most", row["goals"]), ("at least", row["least"])):
        for which, value in bounds.items():
            kind = "" if which == "median" else f"{which} "
            yield f"{kind}{words} {shown(value)}"


def main(arguments: list[str] | None = None) -> int:
    """Print the tables of a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("file", type=Path, help="what `python -m benchmarks --json` wrote")
    options = parser.parse_args(arguments)
    try:
        content = json.loads(options.file.read_text())
    except (OSError, ValueError) as error:
        print(f"benchmarks: {options.file}: {error}", file=sys.stderr)
        return 1
    print(markdown(content), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
