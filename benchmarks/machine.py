"""Where figures come from: processor, kernel, file system and its fsync, versions."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FSYNCS = 50
IN_MEMORY = {"tmpfs", "ramfs"}
RECORD = b"\0" * 300
"""About what one write of 256 bytes adds to a log."""


def describe() -> dict[str, str]:
    """Describe this machine; data directories of all stores are in its folder for temporary files.

    The time of an fsync is measured: it is what durable writes wait for.
    """
    folder = Path(tempfile.gettempdir())
    kind = file_system(folder)
    no_disk = " (no disk: an fsync costs nothing; set TMPDIR)" if kind in IN_MEMORY else ""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "file system": f"{kind}{no_disk}, fdatasync {_fsync_ms():.2f} ms (median)",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("grpcio", "protobuf", "pysyncobj")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    mounts = {Path(line.split()[1]): line.split()[2] for line in lines}
    resolved = folder.resolve()
    return next((mounts[each] for each in (resolved, *resolved.parents) if each in mounts), "?")


def _fsync_ms() -> float:
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FSYNCS):
            file.write(RECORD)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(took)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
