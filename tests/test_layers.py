"""Who may import whom (ARCHITECTURE, "The house"); the contracts stand in pyproject.toml."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE_MAY_IMPORT = {  # pure: what they return depends on the arguments alone
    "array", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib", "heapq",
    "itertools", "json", "math", "operator", "re", "sortedcontainers", "struct", "typing", "zlib",
    "contextlib",
}  # fmt: skip
DOORS = {"time", "random", "os", "socket", "asyncio", "threading", "logging", "secrets", "uuid"}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def foreign(path: Path, allowed: set[str], own: tuple[str, ...]) -> set[str]:
    return {
        name
        for name in imported(path)
        if name.split(".")[0] not in allowed and not name.startswith(own)
    }


CORE = sorted((ROOT / "kvraft/core").glob("*.py"))
REPLICA = sorted((ROOT / "kvraft/replica").glob("*.py"))


@pytest.mark.parametrize("path", CORE, ids=[path.stem for path in CORE])
def test_core_is_pure(path: Path) -> None:
    assert foreign(path, CORE_MAY_IMPORT, ("kvraft.core",)) == set()


@pytest.mark.parametrize("path", REPLICA, ids=[path.stem for path in REPLICA])
def test_replica_is_sans_io(path: Path) -> None:
    own = ("kvraft.core", "kvraft.replica", "kvraft.consensus.port")

    assert foreign(path, CORE_MAY_IMPORT, own) == set()


def test_a_door_in_core_would_be_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    for door in sorted(DOORS):
        bad.write_text(f"import {door}\n")
        assert foreign(bad, CORE_MAY_IMPORT, ("kvraft.core",)) == {door}


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout


def test_the_package_itself_is_empty() -> None:
    """So that importing the client's stubs imports no server code."""
    assert (ROOT / "kvraft/__init__.py").read_text() == ""


def test_the_client_loads_no_server_code() -> None:
    code = "import sys, kvraft_client; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    server = ("kvraft.core", "kvraft.consensus", "kvraft.service", "kvraft.storage", "pysyncobj")

    assert [name for name in loaded if name.startswith(server)] == []
    assert [name for name in ("typer", "rich", "sortedcontainers") if name in loaded] == []
