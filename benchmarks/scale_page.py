"""The part of docs/performance.md that is made of a run: tables, pictures, the model's figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import Spread
from benchmarks.scale_model import UNSEEN, Model, growth, model, us_a_kib, us_an_event
from benchmarks.scale_points import Point, worded

BEGIN = "<!-- scale: written by `python -m benchmarks.plots` -->"
END = "<!-- scale: end -->"
HEAD = (
    "puts/s: median (low to high)",
    "p50, ms",
    "leader, us (its loop)",
    "a follower, us",
    "client, us",
    "puts an entry",
)


class MarkError(ValueError):
    """The page has no place for the figures."""


def written(
    page: str,
    content: Mapping[str, Any],
    curves: Mapping[str, Sequence[Point]],
    links: Mapping[str, str],
) -> str:
    """Return the page with everything between the marks made of this run."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkError(f"no {BEGIN} with {END} behind it")
    loads = ", ".join(f"{load} before {part}" for part, load in content["load_before"].items())
    machine = content["machine"]
    on = f"{machine['cores']} cores ({machine['processor']}), {machine['file system']}"
    lines = ["", f"Measured on {on}; the machine's load {loads}.", ""]
    for axis, curve in curves.items():
        lines += [*_table(axis, curve), "", f"![Puts by {axis}]({links[axis]})", ""]
    found = model(curves.get("callers", ()), int(machine["cores"]))
    lines += [*(_model(found) if found else []), *_slopes(curves), *_leases(content["rows"])]
    return before + begin + "\n".join([*lines, ""]) + end + after


def _table(axis: str, curve: Sequence[Point]) -> list[str]:
    more = {"bytes a value": "MB/s", "watchers": "events/s"}.get(axis)
    head = [axis, *HEAD, *([more] if more else [])]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for point in curve:
        rate = point.rate
        cells = [
            worded(point),
            f"{rate.median:,.0f} ({rate.low:,.0f} to {rate.high:,.0f})",
            f"{point.p50_ms:,.1f}",
            f"{point.leader_us:,.0f} ({point.loop_us:,.0f})",
            f"{point.follower_us:,.0f}",
            f"{point.client_us:,.0f}",
            f"{point.per_entry:,.1f}",
        ]
        if axis == "bytes a value":
            cells.append(f"{rate.median * point.x / 1e6:,.2f}")
        elif axis == "watchers":
            cells.append(f"{point.events:,}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _model(found: Model) -> list[str]:
    used = ", ".join(f"{name} {share:.0%}" for name, share in found.used.items())
    first = (
        f"**{found.first}** first"
        if found.first
        else "none of them: puts wait, or others use the machine"
    )
    own = (
        f"- **A put costs {found.all.own:.0f} us of processor time, and its part of "
        f"{found.all.entry:,.0f} us for each entry**: the three nodes and the client together "
        f"(fitted below {UNSEEN} callers, within {found.worst:.0%})."
    )
    predicted = (
        f"- At {UNSEEN} callers, which the fit has not seen: **{found.predicted:,.0f} puts/s "
        f"predicted, {found.measured:,.0f} measured** ({found.measured / found.predicted:.0%})."
    )
    larger = (
        f"- With a core for each process the leader's loop is the bound, one Python thread: "
        f"{found.leader_bound:,.0f} puts/s at {UNSEEN} callers, {found.leader_most:,.0f} with "
        f"full entries ({found.loop.own:.0f} us a put, {found.loop.entry:,.0f} an entry)."
    )
    return [own, predicted, f"- Used there: {used}. Used up: {first}.", larger]


def _slopes(curves: Mapping[str, Sequence[Point]]) -> list[str]:
    """Say in one figure what each other axis costs."""
    lines = []
    for axis, curve in curves.items():
        if len(curve) < 2:
            continue
        first, last = worded(curve[0]), worded(curve[-1])
        match axis:
            case "keys":
                text = f"A put among {last} keys costs {growth(curve):.0%} of one among {first}."
            case "bytes a value":
                text = f"A KiB of a value costs all processes {us_a_kib(curve):.0f} us."
            case "puts a transaction":
                text = (
                    f"A put among {last} of a transaction costs {growth(curve):.0%} of one alone."
                )
            case "nodes":
                share = curve[-1].rate.median / curve[0].rate.median
                text = f"{last} nodes on this machine do {share:.0%} of the puts of {first}."
            case "watchers":
                text = f"An event to a watcher costs the nodes {us_an_event(curve):.0f} us."
            case _:
                continue
        lines.append(f"- {text}")
    return [*lines, ""]


def _leases(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what leases cost and whether the goals were met."""
    lines = []
    for each in rows:
        if each["unit"] not in {"% of a core", "leases"}:
            continue
        figure, goals = Spread(**each["spread"]), each["goals"].values()
        limits = [f"at most {goal:g}" for goal in goals]
        limits += [f"at least {goal:,g}" for goal in each["least"].values()]
        verdict = "met" if each["met"] else "MISSED"
        note = f" ({each['note']})" if each["note"] else ""
        lines.append(
            f"- {each['name']}: {round(figure.median, 1):,} {each['unit']}, {', '.join(limits)}: "
            f"{verdict}{note}"
        )
    return [*lines, ""] if lines else []
