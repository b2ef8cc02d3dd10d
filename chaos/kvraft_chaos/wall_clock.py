"""What makes a node's wall clock jump: libfaketime, else a library that a C compiler makes here.

libfaketime 0.9.10 (Debian 12) computes timed waits on the monotonic clock with the faked wall clock
(its pull request 503): threads of Python spin or hang then. So each is tried out first.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LIBRARIES = (
    "usr/lib/*/faketime/libfaketimeMT.so.1",  # Debian, Ubuntu
    "usr/lib64/faketime/libfaketimeMT.so.1",  # Fedora
    "usr/local/lib/faketime/libfaketimeMT.so.1",  # its own Makefile
    "usr/lib/faketime/libfaketimeMT.so.1",  # Arch, Alpine
)
CACHE_SECONDS = 1
"""libfaketime reads its file this often; its own default of ten would outlast a stroke."""
SOURCE = Path(__file__).with_suffix(".c")
COMPILE_SECONDS = 30.0
TRIAL_SECONDS = 5.0
"""Where it is sound the trial takes a tenth of a second."""
TRIAL = """
import sys, threading, time
begun = time.monotonic()
time.sleep(0.01)
threading.Event().wait(0.01)
busy = threading.Thread(target=lambda: [sum(range(100)) for _ in range(5_000)])
busy.start()
for _ in range(20):
    time.sleep(0)
busy.join()
jumped = time.time() - float(sys.argv[1]) > 3_000
sys.exit(0 if jumped and time.monotonic() - begun < 3 else 1)
"""
"""Timed waits of every kind, and two threads that hand the interpreter to each other."""


def environment(preload: Path, clock: Path) -> Mapping[str, str]:
    """Let the wall clock of a process be off by what the file says; the monotonic one stays."""
    return {
        "LD_PRELOAD": str(preload),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@cache
def library() -> Path | None:
    """The first that is here and sound."""
    candidates = (each() for each in (libfaketime, compiled))
    return next((each for each in candidates if each is not None and sound(each)), None)


def libfaketime() -> Path | None:
    """Where the distribution put it."""
    root = Path("/")
    return next((path for each in LIBRARIES for path in sorted(root.glob(each))), None)


def compiled() -> Path | None:
    """`wall_clock.c`, where there is a C compiler; it is gone when this process ends."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    directory = Path(tempfile.mkdtemp(prefix="kvraft-clock-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = directory / "wall_clock.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(made), str(SOURCE), "-ldl"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, timeout=COMPILE_SECONDS, check=False
    )
    return made if done.returncode == 0 else None


def sound(candidate: Path) -> bool:
    """Whether a process of Python works under it."""
    with tempfile.TemporaryDirectory() as directory:
        clock = Path(directory) / "clock"
        clock.write_text("+3600", encoding="ascii")
        try:
            trial = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-c", TRIAL, str(clock.stat().st_mtime)],
                env={**os.environ, **environment(candidate, clock)},
                stderr=subprocess.DEVNULL,
                timeout=TRIAL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return trial.returncode == 0


def lacking() -> str | None:
    """What this machine lacks for clocks that jump, or None."""
    if library() is not None:
        return None
    return "a sound libfaketime (0.9.10 breaks timed waits of Python), or a C compiler"
