"""Who acquires: an id for each task or thread, the same for all locks that it takes (RULES B6).

So the store can see a task that would wait for itself, and does not see one where two tasks of a
process wait for each other's end. Imports: the standard library only.
"""

import os
import secrets
import socket
from contextvars import ContextVar
from typing import Any
from weakref import ref

OWNER_BYTES = 64
"""Of an owner id, as the store bounds it."""
_HOST_CHARACTERS = 24
"""Of the host's name in it: enough to find the host, and room for the rest."""
_NAME_CHARACTERS = 16
"""... and of the task's or thread's."""

_current: ContextVar[tuple[ref[Any], int, bytes] | None] = ContextVar("kvraft_owner", default=None)
"""Runner, process and id. A child task inherits its parent's context, so the id counts only for
the task that it was made for; nor is a forked process its parent."""


def owner_of(runner: Any, name: str) -> bytes:
    """Return the id of a task or thread; it is readable, for whoever looks at a queue."""
    known = _current.get()
    if known is not None and known[0]() is runner and known[1] == os.getpid():
        return known[2]
    made = _made(name)
    _current.set((ref(runner), os.getpid(), made))
    return made


def _made(name: str) -> bytes:
    """Return host/process/name/random: unique, and each part within its share of the bytes."""
    host = _ascii(socket.gethostname(), _HOST_CHARACTERS)
    label = _ascii(name, _NAME_CHARACTERS)
    return f"{host}/{os.getpid()}/{label}/{secrets.token_hex(5)}".encode()[-OWNER_BYTES:]


def _ascii(text: str, characters: int) -> str:
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text)[
        :characters
    ]
