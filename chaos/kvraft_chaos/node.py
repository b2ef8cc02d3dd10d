"""One node's place on this machine: its directory, its addresses, its process."""

import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

LAST_LINES = 20
"""Of a node's log, shown when something is not as it should be."""


@dataclass(slots=True)
class Node:
    """One node's place; `process` None: not running."""

    name: str
    directory: Path
    listen: str
    peer_listen: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory.with_suffix(".log")

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        return "(no log)"

    def wipe(self) -> None:
        """Empty the directory; it stays, for it may be a file system of its own."""
        for path in self.directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
