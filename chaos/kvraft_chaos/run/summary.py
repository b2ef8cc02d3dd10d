"""A verdict in words: what was found, where to look, how to repeat it."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.run.judge import Judgement

COLOURS = {
    Verdict.VALID: "bold green",
    Verdict.INVALID: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}


def summary(judgement: Judgement, directory: RunDirectory, *, verbose: bool) -> Iterator[Text]:
    """Lines; every finding that is not valid in full, the others by name unless `verbose`."""
    plan = judgement.plan
    told = f"  {plan.workload}, seed {plan.seed}, {plan.duration_ms / 1_000:g} s"
    if plan.negative:
        told += f", negative control {plan.negative}"
    counts = f"{judgement.operations} operations, {judgement.unknown} unknown"
    yield Text.assemble(_coloured(judgement.verdict), f"{told}: {counts}")
    good = [each for each in judgement.findings if each.verdict is Verdict.VALID]
    for finding in judgement.findings:
        if finding.verdict is not Verdict.VALID or verbose:
            yield Text.assemble("  ", _coloured(finding.verdict), f"  {_told(finding)}")
    if good and not verbose:
        yield Text.assemble("  ", _coloured(Verdict.VALID), f"  {_names(good)}")
    yield Text(f"  look    {directory.timeline if directory.timeline.exists() else directory.path}")
    yield Text(f"  repeat  {judgement.command}")


def _coloured(verdict: Verdict) -> tuple[str, str]:
    return f"{verdict.value:<7}", COLOURS[verdict]


def _told(finding: Finding) -> str:
    sentence = finding.sentence.removeprefix(f"{finding.verdict.value}: ")
    where = f" {finding.key}" if finding.key and not sentence.startswith(finding.key) else ""
    return f"{finding.checker}{where}: {sentence}"


def _names(findings: list[Finding]) -> str:
    counts = Counter(each.checker for each in findings)
    return ", ".join(name if n == 1 else f"{name} ({n})" for name, n in counts.items())
