"""Every way in which a command can end: one line on stderr, and an exit status.

0 done, 1 error, 2 condition false, 3 outcome unknown.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import typer


def exit_status(run: Callable[[], Any]) -> int:
    """Run, tell an error, and return the exit status."""
    try:
        result = run()
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:  # whoever read the output has enough: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        status = _status_of(error)
        if status is None:
            raise
        return status
    return result if isinstance(result, int) else 0


def _status_of(error: Any) -> int | None:
    """Tell an error, and return its exit status; None: it is a bug."""
    if isinstance(error, OSError):
        return _tell(f"error: {error}", 1)
    if hasattr(error, "format_message"):  # click's, or typer's own copy of them
        return _tell(_usage(error), _usage_status(error))
    if not hasattr(error, "outcome"):
        return None
    if error.outcome == "UNKNOWN":
        return _tell(f"outcome unknown: {error} ({_next(error)})", 3)
    if hasattr(error, "position"):  # of a text: its caret stands in a line of its own
        typer.echo(f"kvraft: error: {error}", err=True)
        return 1
    return _tell(f"error: {error}", 1)


def _next(error: Any) -> str:
    """Return what can be done about an unknown outcome."""
    if error.identity is None or error.reason == "SESSION_EXPIRED":  # nobody knows any more
        return "it may or may not have been applied; read before you try again"
    from kvraft.cli.outcome import question  # noqa: PLC0415 - only where it is needed

    return f"it may or may not have been applied; ask: {question(error.identity)}"


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    return f"error: {error.format_message()}{hint}"


def _usage_status(error: Any) -> int:
    """1, unless a group of commands has other words for it: there 1 is a verdict."""
    context = getattr(error, "ctx", None)
    while context is not None:
        if hasattr(context.command, "error_status"):
            return int(context.command.error_status)
        context = context.parent
    return 1


def _tell(text: str, status: int) -> int:
    typer.echo("kvraft: " + " ".join(text.split()), err=True)
    return status
