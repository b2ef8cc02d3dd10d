"""`kvraft serve`: one node in the foreground.

Standard library only until the server is imported: a node needs no `cli` extra.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from kvraft.config import ConfigError, load
from kvraft.grpc_polling import choose_polling


def main(arguments: Sequence[str]) -> int:
    """Run one node until SIGTERM or SIGINT; one clear line and 1 where it cannot start."""
    for number in (signal.SIGTERM, signal.SIGINT):  # until the loop takes them over
        signal.signal(number, _stop_before_serving)
    try:
        config = load(arguments)
    except ConfigError as error:
        print(f"kvraft serve: {error}", file=sys.stderr)  # noqa: T201 - no logging is set up yet
        return 1
    try:
        choose_polling()
        from kvraft.server import run  # noqa: PLC0415 - the option errors need no server extra
    except ModuleNotFoundError as error:
        text = f"kvraft serve: {error.name} is not installed: pip install 'kvraft[server]'"
        print(text, file=sys.stderr)  # noqa: T201
        return 1
    return run(config)


def _stop_before_serving(_number: int, _frame: FrameType | None) -> None:
    """Start-up promised nothing to anybody: its end may come anywhere, as a crash may.

    An exception would be swallowed where one may not be raised: in a finalizer, in an import.
    """
    print("kvraft serve: told to stop before it served", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(0)
