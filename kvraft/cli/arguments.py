"""Arguments and options that several commands take."""

import sys
from typing import Annotated

import typer

from kvraft.cli.options import INT64_MAX

Key = Annotated[str, typer.Argument(help="The key.", metavar="KEY")]
Value = Annotated[str, typer.Argument(help="The value; - reads it from stdin.", metavar="VALUE")]
KeyOrPrefix = Annotated[
    str | None, typer.Argument(help="The key; or give --prefix.", metavar="[KEY]")
]
Prefix = Annotated[
    str | None, typer.Option("--prefix", help='All keys that begin so; "": all.', metavar="P")
]
Ttl = Annotated[
    float | None,
    typer.Option(help="Seconds after which the key goes by itself.", metavar="S"),
]
Lease = Annotated[
    int | None,
    typer.Option(help="Lease that the key goes with.", metavar="ID", min=1, max=INT64_MAX),
]
KeepLease = Annotated[bool, typer.Option("--keep-lease", help="Keep the lease the key has.")]
If = Annotated[
    str | None,
    typer.Option(
        "--if",
        help="Only if this holds, such as 'value > 500'; exit status 2 if not.",
        metavar="CONDITION",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        help="An identity of your own: the same command with it, within ten minutes, is done once.",
        metavar="K",
    ),
]
AtRevision = Annotated[
    int | None,
    typer.Option("--revision", help="As it stood at this revision.", metavar="N", min=1),
]
Serializable = Annotated[
    bool, typer.Option("--serializable", help="One node's own state, possibly old; no quorum.")
]


def value_of(given: str) -> str | bytes:
    """Return the value: exactly what stdin holds where `-` was given."""
    return sys.stdin.buffer.read() if given == "-" else given


def one_target(key: str | None, prefix: str | None) -> None:
    """Demand a key or a prefix, and not both."""
    if (key is None) == (prefix is None):
        raise typer.BadParameter("give KEY or --prefix P")
    if key == "":
        raise typer.BadParameter("the key is empty")
