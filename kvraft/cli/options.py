"""The options every client command shares, before the command or behind it."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kvraft_client import AsyncClient, Client

DEFAULT_ENDPOINTS = "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399"
"""Where `make up` and `kvraft cluster start` put three nodes."""
ENDPOINTS_VARIABLE = "KVRAFT_ENDPOINTS"

_PANEL = "Cluster and output"
INT64_MAX = (1 << 63) - 1
"""Ids, revisions and versions are int64 on the wire."""


class Format(StrEnum):
    """How results are shown."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was given of the shared options; None: not given."""

    endpoints: str | None = None
    output: Format | None = None
    timeout: float | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def as_json(self) -> bool:
        """Whether a program reads the output."""
        return self.output is Format.JSON

    def client(self) -> "Client":
        """Make a client; close it after use."""
        from kvraft_client import Client  # noqa: PLC0415 - `kvraft serve` must not load it

        # A command is one mutation: a session would be two entries more.
        return Client(self._endpoints(), sessions=False, **self._reached())

    def async_client(self) -> "AsyncClient":
        """Make a client for many calls at once, as an application does; close it after use."""
        from kvraft_client import AsyncClient  # noqa: PLC0415

        return AsyncClient(self._endpoints(), **self._reached())

    def _endpoints(self) -> str:
        return self.endpoints or os.environ.get(ENDPOINTS_VARIABLE) or DEFAULT_ENDPOINTS

    def _reached(self) -> dict[str, Any]:
        from kvraft_client.config import DEFAULT_TIMEOUT_S  # noqa: PLC0415

        timeout = DEFAULT_TIMEOUT_S if self.timeout is None else self.timeout
        return {"timeout": timeout, "ca": self.ca, "cert": self.cert, "key": self.key}


def shared(
    *,
    endpoints: Annotated[
        str | None,
        typer.Option(
            help=f"HOST:PORT[,HOST:PORT...]; else ${ENDPOINTS_VARIABLE}, else {DEFAULT_ENDPOINTS}",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", help="For people, or for programs.", rich_help_panel=_PANEL),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Deadline of a call in seconds, retries included; 5 if not given.",
            min=0.001,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            help="PEM file of the authority that signed the servers' certificates; turns TLS on.",
            metavar="FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    cert: Annotated[
        str | None,
        typer.Option(
            help="PEM file of this client's certificate.", metavar="FILE", rich_help_panel=_PANEL
        ),
    ] = None,
    tls_key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help="PEM file of this client's private key.",
            metavar="FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> Settings:
    """Gather the shared options."""
    return Settings(endpoints, output, timeout, ca, cert, tls_key)


_SHARED = list(inspect.signature(shared).parameters.values())
_CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def client_command(run: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options; it gets them as `settings`, its first parameter."""
    _, *own = inspect.signature(run).parameters.values()
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]

    @functools.wraps(run)
    def command(*, context: typer.Context, **given: Any) -> None:
        behind = shared(**{each.name: given.pop(each.name) for each in _SHARED})
        run(merged(context.obj, behind), **given)

    parameters = [_CONTEXT, *own, *_SHARED]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def merged(before: Settings | None, behind: Settings) -> Settings:
    """Let what stands behind the command override what stands before it."""
    if before is None:
        return behind
    given = {
        name: value for name in Settings.__slots__ if (value := getattr(behind, name)) is not None
    }
    return replace(before, **given)


def root_options(*, context: typer.Context, **given: Any) -> None:
    """Keep the options given before the command, for the command."""
    context.obj = shared(**given)


root_options.__signature__ = inspect.Signature([_CONTEXT, *_SHARED])  # type: ignore[attr-defined]
root_options.__annotations__ = {each.name: each.annotation for each in [_CONTEXT, *_SHARED]}
