"""outcome."""

import shlex
from typing import Annotated, Any

import typer

from kvraft.cli.conditional import print_unmet, unmet_json
from kvraft.cli.options import INT64_MAX, Settings, client_command
from kvraft.cli.output import entry_json, print_entries, print_json
from kvraft.cli.replies import reply_json
from kvraft_client.answers import Applied, Fate, Refused
from kvraft_client.policy.identity import Identity, KeyIdentity, SessionIdentity

CONDITIONS = frozenset({"CONDITION", "CONFLICT"})
"""Reasons of a refusal that is a condition that was false."""

IdempotencyKey = Annotated[
    str | None, typer.Option(help="The identity you gave the command.", metavar="K")
]
Session = Annotated[
    int | None,
    typer.Option(help="As the command printed it.", metavar="ID", min=1, max=INT64_MAX),
]
Sequence = Annotated[
    int | None,
    typer.Option(help="As the command printed it.", metavar="N", min=1, max=INT64_MAX),
]


def register(app: typer.Typer) -> None:
    """Add the question for an outcome."""
    app.command("outcome", epilog="Example: kvraft outcome --idempotency-key order-17")(
        client_command(outcome)
    )


def outcome(
    settings: Settings,
    *,
    idempotency_key: IdempotencyKey = None,
    session: Session = None,
    sequence: Sequence = None,
) -> None:
    """Settle, for good, what became of a command whose answer was lost (exit status 3).

    Exit status as that command's own: 0 applied, 2 its condition was false, 1 refused, or never
    applied: an identity that the store does not know is burned, so a late copy is refused. An
    idempotency key is known for ten minutes after its command: ask within these.
    """
    identity = _identity(idempotency_key, session, sequence)
    with settings.client() as kv:
        fate = kv.outcome(identity)
    if settings.as_json:
        print_json(fate_json(fate))
    else:
        _print_fate(fate)
    if isinstance(fate, Applied):
        return
    raise typer.Exit(2 if isinstance(fate, Refused) and fate.reason in CONDITIONS else 1)


def question(identity: Identity) -> str:
    """Return the command that asks for the outcome of an identity."""
    if isinstance(identity, KeyIdentity):
        key = shlex.quote(identity.key.decode(errors="replace"))
        return f"kvraft outcome --idempotency-key {key}"
    return f"kvraft outcome --session {identity.session_id} --sequence {identity.sequence}"


def _identity(key: str | None, session: int | None, sequence: int | None) -> Identity:
    if key is not None and session is None and sequence is None:
        return KeyIdentity(key.encode())
    if key is None and session is not None and sequence is not None:
        return SessionIdentity(session, sequence)
    raise typer.BadParameter("give --idempotency-key K, or --session ID and --sequence N")


def fate_json(fate: Fate) -> dict[str, Any]:
    """Return an outcome as JSON."""
    if isinstance(fate, Applied):
        return {
            "outcome": "applied",
            "revision": fate.revision,
            "result": reply_json(fate.result),
            "reply_omitted": fate.reply_omitted,
        }
    if isinstance(fate, Refused):
        return {
            "outcome": "refused",
            "reason": fate.reason,
            "message": fate.message,
            "entry": entry_json(fate.current),
            "unmet": None if fate.unmet is None else unmet_json(fate.unmet, None, None),
        }
    return {"outcome": "never_applied"}


def _print_fate(fate: Fate) -> None:
    if isinstance(fate, Applied):
        typer.echo(f"applied, at revision {fate.revision}")
    elif isinstance(fate, Refused):
        typer.echo(f"not applied: {fate.message} [{fate.reason}]")
        if fate.unmet is not None:
            print_unmet(fate.unmet, None, None)
        elif fate.current is not None:
            print_entries([fate.current])
    else:
        typer.echo("never applied, and never will be: do it anew, with another identity")
