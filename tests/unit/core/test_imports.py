"""The core runs with the standard library and sortedcontainers, and nothing else."""

import subprocess
import sys
from pathlib import Path

import kvraft.core

SCRIPT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
outside = {name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(*sorted(name for name in outside if not name.startswith(("__", "_virtualenv"))))
"""


def test_the_core_imports_only_sortedcontainers():
    folder = Path(kvraft.core.__path__[0])
    modules = [f"kvraft.core.{path.stem}" for path in folder.glob("[a-z]*.py")]
    assert len(modules) > 10
    # Isolated, without site: what an editable install's path hooks load is not the core's doing.
    paths = f"import sys; sys.path[:0] = {[str(folder.parents[1]), *sys.path]!r}\n"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", paths + SCRIPT, *modules],
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["kvraft", "sortedcontainers"]
