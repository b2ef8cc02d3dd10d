"""The `kvraft` command: its commands by name, each imported only when it is asked for.

So `kvraft get` loads no server code, and `kvraft serve` neither the client nor rich. A module of
commands has `register(app)`, which adds them to a typer app; that of a group has its own `app`.
Exit status: 0 done, 1 error, 2 condition false, 3 outcome unknown.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from kvraft.cli.exit_status import exit_status
from kvraft.cli.options import root_options

GROUPS = {
    "cluster": "kvraft.cli.cluster",
    "chaos": "kvraft.cli.chaos",
    "lease": "kvraft.cli.leases",
    "invariant": "kvraft.cli.invariants",
    "guard": "kvraft.cli.locks",
}
"""Groups of commands -> module with `app`."""
COMMANDS = {
    "get": "kvraft.cli.reading",
    "list": "kvraft.cli.reading",
    "put": "kvraft.cli.writing",
    "delete": "kvraft.cli.writing",
    "update": "kvraft.cli.writing",
    "cas": "kvraft.cli.comparing",
    "txn": "kvraft.cli.txn",
    "watch": "kvraft.cli.watch",
    "outcome": "kvraft.cli.outcome",
    "lock": "kvraft.cli.locking",
    "locks": "kvraft.cli.locks",
    "contention": "kvraft.cli.contention",
    "status": "kvraft.cli.operate",
    "hash": "kvraft.cli.operate",
    "transfer": "kvraft.cli.operate",
    "snapshot": "kvraft.cli.operate",
    "drill": "kvraft.cli.drill",
    "bench": "kvraft.cli.bench",
    "verify": "kvraft.cli.verify",
}
"""Command -> module with `register`."""
FIRST = (
    "get",
    "put",
    "delete",
    "update",
    "cas",
    "txn",
    "list",
    "watch",
    "outcome",
    "lock",
    "locks",
)
ORDER = ("serve", "cluster", *FIRST, "guard", "lease", "invariant", *COMMANDS, "chaos")
"""Order of the help, doubles aside."""


class RootGroup(TyperGroup):
    """Finds commands by `COMMANDS`; turns every error into one line and an exit status."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names, without importing anything."""
        del ctx
        return list(dict.fromkeys(ORDER))

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Import the module of a command and return the command; None: there is none."""
        del ctx
        holder = typer.Typer()
        holder.callback()(_nothing)
        if cmd_name == "serve":
            holder.command("serve", add_help_option=False, context_settings=_VERBATIM)(_serve)
        elif cmd_name in GROUPS:
            holder.add_typer(import_module(GROUPS[cmd_name]).app, name=cmd_name)
        elif cmd_name in COMMANDS:
            import_module(COMMANDS[cmd_name]).register(holder)
        return get_group(holder).commands.get(cmd_name)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001 - the signature is typer's
        **extra: Any,
    ) -> Any:
        """Run one command line and exit; with no arguments, show the help."""
        given = list(sys.argv[1:] if args is None else args) or ["--help"]

        def run() -> Any:
            return super(RootGroup, self).main(
                args=given,
                prog_name=prog_name or "kvraft",
                complete_var=complete_var,
                standalone_mode=False,
                **extra,
            )

        if not standalone_mode:
            return run()
        sys.exit(exit_status(run))


def _nothing() -> None:
    """Make the holder a group, even with a single command."""


_VERBATIM = {"ignore_unknown_options": True, "allow_extra_args": True}


def _serve(context: typer.Context) -> None:
    """Run one node in the foreground; `kvraft serve --help` shows its options."""
    from kvraft.cli.serve import main  # noqa: PLC0415

    raise typer.Exit(main(context.args))


app = typer.Typer(
    name="kvraft",
    cls=RootGroup,
    help="A replicated key-value store that decides: conditions, transactions, leases, watches.",
    no_args_is_help=False,
    epilog="Exit status: 0 done, 1 error, 2 condition false, 3 outcome unknown.",
    pretty_exceptions_enable=False,
)
app.callback()(root_options)
