"""One key at a time, without Enter."""

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from typing import TextIO


@contextlib.contextmanager
def keyboard(keys: TextIO = sys.stdin) -> Iterator[Callable[[], None]]:
    """Yield a function that waits for a key; the terminal is as before afterwards.

    Also where the function still waits, in a thread that nobody waits for. Ctrl-C stays a signal.
    """
    before = termios.tcgetattr(keys)
    tty.setcbreak(keys)
    try:
        yield lambda: _wait(keys)
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _wait(keys: TextIO) -> None:
    os.read(keys.fileno(), 1)  # past Python's buffer; the end of the input counts as a key
