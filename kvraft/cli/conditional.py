"""`--if CONDITION`: parsed once, and told in its own words where it is false."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from kvraft.cli.options import Settings
from kvraft.cli.output import entry_json, print_entries, print_json, printable
from kvraft_client.conditions import All, AnyOf, Clause, Condition, Not, Target
from kvraft_client.errors import ConditionFailed, InvalidRequest
from kvraft_client.values import Unmet


def condition_of(text: str | None, key: str | None = None) -> Condition | None:
    """Parse what `--if` was given; a bare target means `key`."""
    if text is None:
        return None
    from kvraft_client.text import parse_condition  # noqa: PLC0415 - loads the parser

    with told_as("--if"):
        return parse_condition(text, None if key is None else key.encode())


@contextmanager
def told_as(option: str) -> Iterator[None]:
    """Let a mistake in a text say which option it stands in."""
    try:
        yield
    except InvalidRequest as error:
        error.args = (f"{option}: {error}",)
        raise


@contextmanager
def told_if_false(settings: Settings, when: Condition | None, key: str | None) -> Iterator[None]:
    """Where the condition is false, print which clause and what stands now: exit status 2."""
    try:
        yield
    except ConditionFailed as failed:
        if settings.as_json:
            print_json({"unmet": unmet_json(failed.unmet, when, key)})
        else:
            print_unmet(failed.unmet, when, key)
        raise typer.Exit(2) from failed


def clauses_of(condition: Condition | None) -> list[Clause]:
    """Return the clauses in reading order, in which the store counts them."""
    match condition:
        case Clause():
            return [condition]
        case All() | AnyOf():
            return [clause for part in condition.parts for clause in clauses_of(part)]
        case Not():
            return clauses_of(condition.part)
    return []


def clause_text(clauses: list[Clause], index: int, key: str | None) -> str | None:
    """Return a clause as text; None: this condition was not given here."""
    if index >= len(clauses):
        return None
    from kvraft_client.text import format_condition  # noqa: PLC0415 - loads the parser

    return format_condition(clauses[index], None if key is None else key.encode())


def unmet_json(unmet: Unmet, when: Condition | None, key: str | None) -> dict[str, Any]:
    """Return why a condition was false as JSON; clauses are counted from 0."""
    shown: dict[str, Any] = {
        "clause": unmet.clause,
        "text": clause_text(clauses_of(when), unmet.clause, key),
        "mismatched": list(unmet.mismatched),
        "entries": [entry_json(entry) for entry in unmet.entries],
    }
    if unmet.entries_omitted:
        shown["entries_omitted"] = True
    return shown


def print_unmet(unmet: Unmet, when: Condition | None, key: str | None) -> None:
    """Print the clause on stderr, then the entries it met."""
    clauses = clauses_of(when)
    blamed = clause_text(clauses, unmet.clause, key) or f"clause {unmet.clause}"
    typer.echo(f"condition false: {printable(blamed.encode())}", err=True)
    for index in unmet.mismatched:
        text = clause_text(clauses, index, key) or f"clause {index}"
        typer.echo(f"of another type than the value: {printable(text.encode())}", err=True)
    if unmet.entries_omitted:
        typer.echo("what stood then was too large to keep for a repeated request", err=True)
        return
    named = {clause.key for clause in clauses if clause.target is not Target.COUNT}
    for absent in sorted(named - {entry.key for entry in unmet.entries}):
        typer.echo(f"absent: {printable(absent)}", err=True)
    if unmet.entries:
        print_entries(unmet.entries)
