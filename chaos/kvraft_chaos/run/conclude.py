"""The end of a run: a verdict, and something to look at."""

from kvraft_chaos.report.plots import write_plots
from kvraft_chaos.report.timeline import write_timeline
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.run.judge import Judgement, judge


def concluded(directory: RunDirectory) -> Judgement:
    """Judge it, then draw it: the timeline shows what the verdict names."""
    judgement = judge(directory)
    write_timeline(directory)
    write_plots(directory)
    return judgement
