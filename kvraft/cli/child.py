"""A command that runs under a lock: started, signalled, ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

NOT_FOUND, NOT_STARTED = 127, 126
"""Exit status as a shell has it, where there is no such command, or it cannot be started."""


class Child:
    """One child process.

    Off a terminal it has a process group of its own, so that what it started ends with it. On one
    it shares ours, or it could not read: the terminal itself then sends Ctrl-C to both.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. OSError: it cannot be started."""
        self._has_group = not sys.stdin.isatty()
        self._process = subprocess.Popen(  # noqa: S603 - to run what it is told is its purpose
            command, env=environment, process_group=0 if self._has_group else None
        )
        self._over = threading.Event()

    def wait(self) -> int:
        """Wait for its end; return its exit status, 128 + n where signal n ended it."""
        status = self._process.wait()
        self._over.set()
        return status if status >= 0 else 128 - status

    def signal(self, number: int) -> None:
        """Pass a signal on; Ctrl-C of a terminal has come there by itself."""
        if self._has_group or number != signal.SIGINT:
            self._send(number)

    def end(self, grace_s: float) -> None:
        """Ask it to end, and end it, with all that is left of its group, after `grace_s`."""
        self._send(signal.SIGTERM)
        self._over.wait(grace_s)
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._has_group:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
