"""What people look at after a run: a timeline and two plots, from the run directory alone."""

from kvraft_chaos.report.plots import write_plots
from kvraft_chaos.report.timeline import write_timeline

__all__ = ["write_plots", "write_timeline"]
