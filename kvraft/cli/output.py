"""How results look: JSON for programs, tables for people. rich is loaded only for a table."""

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from kvraft_client.values import Entry, LeaseDescription, NodeStatus

WIDE = 200
"""Columns of a table that does not go to a terminal: nobody scrolls there."""


def print_json(data: Any) -> None:
    """Print one line of JSON."""
    typer.echo(json.dumps(data))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    from rich.console import Console  # noqa: PLC0415

    Console(width=None if sys.stdout.isatty() else WIDE).print(table_of(columns, rows))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Make a table; cells are text, never markup, and None is left empty."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


def printable(data: bytes) -> str:
    """Show bytes as text without anything that could move a terminal's cursor."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def bytes_json(name: str, data: bytes) -> dict[str, str]:
    """Return {name: text}, or {name_base64: ...} where it is not UTF-8."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}


def entry_json(entry: Entry | None) -> dict[str, Any] | None:
    """Return an entry as JSON."""
    if entry is None:
        return None
    fields: dict[str, Any] = {
        **bytes_json("key", entry.key),
        **bytes_json("value", entry.value),
        "version": entry.version,
        "mod_revision": entry.mod_revision,
        "create_revision": entry.create_revision,
        "lease_id": entry.lease_id,
    }
    if entry.value_omitted:
        fields["value_omitted"] = True
    return fields


def print_entries(entries: Iterable[Entry]) -> None:
    """Print entries as a table."""
    print_table(
        ("key", "value", "version", "mod_revision", "create_revision", "lease_id"),
        (
            (
                printable(entry.key),
                "(omitted)" if entry.value_omitted else printable(entry.value),
                entry.version,
                entry.mod_revision,
                entry.create_revision,
                entry.lease_id or None,
            )
            for entry in entries
        ),
    )


def lease_json(lease: LeaseDescription) -> dict[str, Any]:
    """Return a lease with its keys as JSON."""
    return {
        "lease_id": lease.lease_id,
        "ttl_ms": lease.ttl_ms,
        "remaining_ms": lease.remaining_ms,
        "keys": [bytes_json("key", key) for key in lease.keys],
    }


def node_json(node: NodeStatus) -> dict[str, Any]:
    """Return one node's status as JSON; where it did not answer, `error`, and no figures."""
    identity = {"name": node.name, "endpoint": node.endpoint, "role": node.role}
    if node.error is not None:
        figures = ("leader", "term", "commit", "applied", "revision")
        return {**identity, **dict.fromkeys(figures), "counters": {}, "error": node.error}
    return {
        **identity,
        "leader": node.leader,
        "term": node.term,
        "commit": node.commit_index,
        "applied": node.applied_index,
        "revision": node.revision,
        "last_index": node.last_index,
        "durable_index": node.durable_index,
        "snapshot_index": node.snapshot_index,
        "cluster_id": f"{node.cluster_id:016x}",  # beyond what JSON's numbers carry exactly
        "disk_id": node.disk_id,
        "cluster_time_ms": node.cluster_time_ms,
        "keys": node.keys,
        "leases": node.leases,
        "state_bytes": node.state_bytes,
        "quorum_reachable": node.quorum_reachable,
        "version": node.version,
        "peers": [
            {
                "name": peer.name,
                "connected": peer.connected,
                "match_index": peer.match_index,
                "contact_age_ms": peer.contact_age_ms,
            }
            for peer in node.peers
        ],
        "counters": dict(sorted(node.counters.items())),
    }


def print_nodes(nodes: Sequence[NodeStatus]) -> None:
    """Print a table of nodes."""
    print_table(
        ("name", "endpoint", "role", "term", "commit", "applied", "revision", "keys", "note"),
        (
            (node.name, node.endpoint, None, None, None, None, None, None, node.error)
            if node.error is not None
            else (
                node.name,
                node.endpoint,
                node.role,
                node.term,
                node.commit_index,
                node.applied_index,
                node.revision,
                node.keys,
                None if node.quorum_reachable else "no quorum",
            )
            for node in nodes
        ),
    )
