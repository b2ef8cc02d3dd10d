"""`python -m kvraft_chaos.slow_disk serve ...`: the `kvraft` command on a disk that a file slows.

Every fsync first waits for as many milliseconds as the file named by KVRAFT_CHAOS_DISK says. No
root, no device mapper: the rest of the process is the shipped one.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from kvraft.cli.main import main

CONTROL = "KVRAFT_CHAOS_DISK"
LONGEST_MS = 60_000

Arguments = ParamSpec("Arguments")


def delay_s(control: Path) -> float:
    """What the file says now; nothing readable there: no delay."""
    try:
        text = control.read_text(encoding="ascii").strip()
    except OSError:
        return 0.0
    return min(int(text), LONGEST_MS) / 1000 if text.isdecimal() else 0.0


def slowed(sync: Callable[Arguments, None], control: Path) -> Callable[Arguments, None]:
    """Return `sync`, behind the delay."""
    never = threading.Event()  # time.sleep is broken under some versions of libfaketime

    def slow(*given: Arguments.args, **named: Arguments.kwargs) -> None:
        wait_s = delay_s(control)
        if wait_s:
            never.wait(wait_s)
        sync(*given, **named)

    return slow


def slow_down() -> None:
    """Slow this process' fsyncs, where the environment names a file."""
    named = os.environ.get(CONTROL)
    if named:
        control = Path(named)
        os.fsync = slowed(os.fsync, control)
        os.fdatasync = slowed(os.fdatasync, control)


if __name__ == "__main__":
    slow_down()
    main()
