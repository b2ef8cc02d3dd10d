"""chaos proxy: faults between an application of your own and a cluster."""

import os
import random
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kvraft.cli.chaos_extra import chaos_module, console, told_as_no_verdict
from kvraft.cli.options import DEFAULT_ENDPOINTS, ENDPOINTS_VARIABLE
from kvraft.cli.output import print_json

if TYPE_CHECKING:
    from kvraft_chaos.front.front import Front

EXAMPLE = "Example: kvraft chaos proxy --endpoints 127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399"

Endpoints = Annotated[
    str | None,
    typer.Option(
        help=f"Of the cluster; else ${ENDPOINTS_VARIABLE}, else {DEFAULT_ENDPOINTS}.",
        metavar="HOST:PORT,...",
    ),
]
Listen = Annotated[
    int | None,
    typer.Option(help="The first of the local ports; free ones if not given.", metavar="PORT"),
]
Faults = Annotated[
    str | None,
    typer.Option(help="What strikes; all if not given, '' for none.", metavar="A,B,C"),
]
Seed = Annotated[int | None, typer.Option(help="Same seed, same faults; drawn if not given.")]
Duration = Annotated[
    float | None,
    typer.Option(help="End after so long; else at Ctrl-C.", min=0.1, metavar="SECONDS"),
]
Lost = Annotated[
    float,
    typer.Option(
        help="Of calls that are done, and not answered.", min=0.0, max=1.0, metavar="SHARE"
    ),
]
Repeated = Annotated[
    float, typer.Option(help="Of calls that are sent twice.", min=0.0, max=1.0, metavar="SHARE")
]
Interactive = Annotated[
    bool, typer.Option("--interactive", help="Strike by commands, one a line on stdin.")
]
List = Annotated[bool, typer.Option("--list", help="Name all faults, and what they take.")]
Json = Annotated[bool, typer.Option("--json", help="The endpoints as one line of JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("proxy", epilog=EXAMPLE)(proxy)


def proxy(
    *,
    endpoints: Endpoints = None,
    listen: Listen = None,
    faults: Faults = None,
    seed: Seed = None,
    duration: Duration = None,
    lose_replies: Lost = 0.0,
    repeat_requests: Repeated = 0.0,
    interactive: Interactive = False,
    show: List = False,
    as_json: Json = False,
) -> None:
    """Put local ports before a cluster, for your application to use, and faults on the way.

    A port a node, through a Toxiproxy as in `chaos run`; no root, no container. Faults come by the
    seed, or by hand. --lose-replies and --repeat-requests strike single calls (not with TLS).
    kvraft's own clients never step around it: they dial only the endpoints that they are given.
    Ctrl-C heals and ends. Exit status: 0, or 3 where it cannot be had.
    """
    with told_as_no_verdict():
        catalogue = chaos_module("front.faults").FAULTS
        if show:
            _list(catalogue, as_json=as_json)
            return
        session = chaos_module("front.session")
        asked = session.Asked(
            endpoints=_parsed(endpoints or os.environ.get(ENDPOINTS_VARIABLE) or DEFAULT_ENDPOINTS),
            first_port=listen,
            faults=list(catalogue) if faults is None else [e for e in faults.split(",") if e],
            seed=random.randrange(1 << 32) if seed is None else seed,
            calls=chaos_module("call_proxy").CallFaults(lose_replies, repeat_requests),
            seconds=duration,
            commands=sys.stdin.fileno() if interactive else None,
        )
        _play(session, asked, as_json=as_json)


def _play(session: Any, asked: Any, *, as_json: bool) -> None:
    """Tell where it is, and what happens, until it ends."""
    out = console(to_stderr=as_json)

    def opening(front: "Front") -> None:
        for name in front.names:
            out.print(f"{name}  {front.endpoint(name)} -> {front.addresses[name]}")
        out.print(f"seed {asked.seed}; Toxiproxy {front.proxies.version()}; Ctrl-C heals and ends")
        out.print("give this to your application:")
        out.print(f"export {ENDPOINTS_VARIABLE}={front.endpoints}", markup=False)
        out.file.flush()
        if as_json:
            print_json({"endpoints": front.endpoints, "seed": asked.seed})
            sys.stdout.flush()

    def say(line: str) -> None:
        out.print(line, markup=False)
        out.file.flush()

    with chaos_module("stopping").signals_noted() as stop:
        session.play(asked, stop, opening, say)
    say("healed, and gone")


def _parsed(endpoints: str) -> tuple[str, ...]:
    from kvraft_client import InvalidRequest  # noqa: PLC0415 - `kvraft serve` must not load it
    from kvraft_client.config import parse_endpoints  # noqa: PLC0415

    try:
        return parse_endpoints(endpoints)
    except InvalidRequest as error:
        raise chaos_module("run.errors").RunError(str(error)) from error


def _list(catalogue: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        rows = [(each.name, each.sentence, list(each.takes)) for each in catalogue.values()]
        print_json(
            [{"fault": name, "sentence": text, "takes": takes} for name, text, takes in rows]
        )
        return
    width = max(map(len, catalogue))
    for each in catalogue.values():
        typer.echo(f"{each.name:<{width}}  {each.sentence} ({', '.join(each.takes)})")
