"""`--fence NAME=TOKEN`: done only while the lock is held with this token."""

from typing import Annotated

import typer

from kvraft_client.errors import InvalidRequest
from kvraft_client.fences import Fence, fence_of

Fences = Annotated[
    list[str],
    typer.Option(
        "--fence",
        help="Only while this lock is held with this token; all of several.",
        metavar="NAME=TOKEN",
    ),
]
LockName = Annotated[str, typer.Argument(help="The lock's name.", metavar="NAME")]


def fences_in(texts: list[str]) -> list[Fence]:
    """Parse fences; a name may hold a `=`, a token is behind the last one."""
    return [_fence(text) for text in texts]


def _fence(text: str) -> Fence:
    name, sign, token = text.rpartition("=")
    if not (sign and name and token.isascii() and token.isdecimal()):
        raise typer.BadParameter(f"--fence: {text!r} is not NAME=TOKEN")
    try:
        return fence_of(name, int(token))
    except InvalidRequest as error:
        raise typer.BadParameter(f"--fence: {error}") from error
