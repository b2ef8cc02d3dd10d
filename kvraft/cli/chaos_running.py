"""chaos run: clients, faults and a verdict."""

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from kvraft.cli.chaos_extra import (
    chaos_module,
    conclude,
    console,
    json_asked,
    told_as_no_verdict,
)
from kvraft.cli.output import print_json

EXAMPLE = (
    "Example: kvraft chaos run --workload register --faults isolate-leader,one-way,kill "
    "--duration 60 --seed 7"
)
RUNS = Path("runs")
"""Where directories go that nobody named."""

Workload = Annotated[
    str | None, typer.Option(help="What clients do; --list names them.", metavar="NAME")
]
Faults = Annotated[
    str | None,
    typer.Option(
        help="What breaks, at times drawn from the seed; a mix if not given, '' for nothing.",
        metavar="A,B,C",
    ),
]
Duration = Annotated[
    float | None, typer.Option(help="Of clients at work; 20 if not given.", metavar="SECONDS")
]
Seed = Annotated[int | None, typer.Option(help="Same seed, same plan; drawn if not given.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="A new or empty directory; runs/TIME-WORKLOAD-SEED if not given.", metavar="DIR"
    ),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="Play this plan.json.", metavar="FILE")
]
NegativeName = Annotated[
    str | None,
    typer.Option(
        "--negative", help="A cluster or clients with a mistake: it must be found.", metavar="NAME"
    ),
]
Nodes = Annotated[int, typer.Option(help="3 or 5.")]
List = Annotated[bool, typer.Option("--list", help="Name all workloads, faults and negatives.")]
Json = Annotated[
    bool, typer.Option("--json", help="End with verdict.json on one line; the rest is on stderr.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="A line for each event and finding, no panel.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=EXAMPLE)(run)


def run(
    context: typer.Context,
    *,
    workload: Workload = None,
    faults: Faults = None,
    duration: Duration = None,
    seed: Seed = None,
    out: Out = None,
    plan_file: PlanFile = None,
    negative: NegativeName = None,
    nodes: Nodes = 3,
    show: List = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Play faults on a private cluster while clients use it, and judge what they saw.

    Real nodes in a temp folder on free ports, every link through a Toxiproxy: the server at
    $TOXIPROXY_URL, a toxiproxy-server on PATH, else the embedded one. Nothing is left but the
    directory: plan, history, verdict, logs, a timeline to look at. Ctrl-C heals, and judges what
    there is. Exit status: 0 valid, 1 invalid, 2 unknown, 3 no verdict.
    """
    as_json = json_asked(context, as_json=as_json)
    requests = chaos_module("run.request")
    if show:
        _list(requests.catalogue(), as_json=as_json)
        return
    logging.getLogger("kvraft_client").addHandler(logging.NullHandler())  # a lost lease is no news
    with told_as_no_verdict():
        plan = requests.Request(
            workload=workload,
            faults=None if faults is None else [each for each in faults.split(",") if each],
            seconds=duration,
            seed=seed,
            plan=plan_file,
            negative=negative,
            nodes=nodes,
        ).plan_asked()
        now = time.strftime("%Y%m%d-%H%M%S")
        path = out or RUNS / f"{now}-{plan.workload}-{plan.seed}"
        with chaos_module("stopping").signals_noted() as stop:
            view = chaos_module("run.view").Watching(console(to_stderr=as_json), plan, verbose)
            directory = chaos_module("run.session").run(plan, path, stop, view)
            status = conclude(directory, as_json=as_json, verbose=verbose)
    raise typer.Exit(status)


def _list(catalogue: dict[str, list[dict[str, str | None]]], *, as_json: bool) -> None:
    if as_json:
        print_json(catalogue)
        return
    width = max(len(str(each["name"])) for entries in catalogue.values() for each in entries)
    for kind, entries in catalogue.items():
        typer.echo(f"{kind}:")
        for each in entries:
            lacks = f" (not here: {each['lacks']})" if each.get("lacks") else ""
            typer.echo(f"  {each['name']:<{width}}  {each['sentence']}{lacks}")
