"""chaos: faults on a private cluster and a verdict; faults for a program of your own.

Exit status: 0 valid, 1 invalid, 2 unknown, 3 no verdict: what was asked for cannot be had.
"""

import typer
from typer.core import TyperGroup

from kvraft.cli import chaos_judging, chaos_proxy, chaos_running
from kvraft.cli.chaos_extra import NO_VERDICT


class ChaosGroup(TyperGroup):
    """Its commands give verdicts, so a mistake in an option has a status of its own."""

    error_status = NO_VERDICT


app = typer.Typer(
    cls=ChaosGroup,
    help="Break a private cluster while clients use it, and judge what they saw.",
    epilog="Exit status: 0 valid, 1 invalid, 2 unknown, 3 no verdict (see the one line on stderr).",
    no_args_is_help=True,
)
chaos_running.register(app)
chaos_judging.register(app)
chaos_proxy.register(app)
chaos_proxy.register(app)
