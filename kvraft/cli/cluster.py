"""`kvraft cluster start|stop|status`: three nodes on this machine."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import ClusterError, LocalCluster, LocalNode
from kvraft.cli.options import Format
from kvraft.cli.output import print_json, print_table
from kvraft_client import Client, NodeStatus

COLUMNS = ("name", "pid", "endpoint", "peer", "role", "term", "commit", "applied", "revision")

app = typer.Typer(help="Run a cluster of nodes on this machine.", no_args_is_help=True)
console = Console(stderr=True)

Directory = Annotated[Path, typer.Option("--dir", help="Where the nodes live.", metavar="D")]
Output = Annotated[Format, typer.Option("-o", "--output", help="For people, or for programs.")]


@app.command(epilog="example: kvraft cluster start --nodes 3")
def start(
    directory: Directory = Path(".kvraft"),
    nodes: Annotated[int | None, typer.Option(help="3 or 5.")] = None,
    base_port: Annotated[int | None, typer.Option(help="The first client port.")] = None,
    restore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Begin a new cluster from this backup."),
    ] = None,
) -> None:
    """Start every node that is not running, and wait until the cluster answers."""

    def begin() -> None:
        cluster = local_cluster.describe(directory, nodes, base_port)
        begun = time.monotonic()
        with console.status(f"starting {len(cluster.nodes)} nodes in {directory}"):
            if restore is None:
                started = local_cluster.start(cluster)
            else:
                started = local_cluster.restore(cluster, restore)
            local_cluster.wait_until_ready(cluster, started)
        names = ", ".join(node.name for node in started) or "nothing: all were running"
        console.print(f"started {names} in {time.monotonic() - begun:.2f} s")
        console.print(f"endpoints {cluster.endpoints}", soft_wrap=True)

    _or_one_line(begin)


@app.command(epilog="example: kvraft cluster stop")
def stop(directory: Directory = Path(".kvraft")) -> None:
    """Stop every node; data stays."""

    def end() -> None:
        cluster = _existing(directory)
        with console.status("stopping"):
            names = local_cluster.stop(list(cluster.nodes))
        console.print(f"stopped {', '.join(names) or 'nothing: no node was running'}")

    _or_one_line(end)


@app.command(epilog="example: kvraft cluster status -o json")
def status(directory: Directory = Path(".kvraft"), output: Output = Format.TABLE) -> None:
    """Show every node: process, role, term, indexes."""

    def show() -> None:
        rows = _rows(_existing(directory))
        if output is Format.JSON:
            print_json({"nodes": rows})
        else:
            print_table(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))

    _or_one_line(show)


def _existing(directory: Path) -> LocalCluster:
    if not (directory / "cluster.json").exists():
        raise ClusterError(f"there is no cluster in {directory}: kvraft cluster start")
    return local_cluster.describe(directory, None, None)


def _rows(cluster: LocalCluster) -> list[dict[str, Any]]:
    with Client(cluster.endpoints) as client:
        answers = client.status(timeout=local_cluster.PROBE_S)
    return [_row(node, answer) for node, answer in zip(cluster.nodes, answers, strict=True)]


def _row(node: LocalNode, answer: NodeStatus) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": node.name,
        "pid": node.pid(),
        "endpoint": node.endpoint,
        "peer": node.peer,
        "role": answer.role,
        "term": answer.term,
        "commit": answer.commit_index,
        "applied": answer.applied_index,
        "revision": answer.revision,
    }
    if answer.error is not None:
        row |= dict.fromkeys(("role", "term", "commit", "applied", "revision"))
    return row


def _or_one_line(action: Callable[[], None]) -> None:
    try:
        action()
    except (ClusterError, OSError) as error:
        console.print(f"kvraft cluster: {error}", style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
